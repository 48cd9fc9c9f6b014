from .checkpoint_hook import SafeCheckpointHook
from .cuda_math_hook import CudaMathHook
from .finite_loss_hook import FiniteLossHook
from .frozen_statistics_hook import FrozenStatisticsHook
from .gallery_hooks import ExtremesHook, GalleryHook
from .modal_gate_hook import ModalGateHook
from .picture_hooks import SavePredictionsHook, VisualizationHook
from .plot_hooks import AreaPlotHook, ScoreCurvesHook
from .resuming_hooks import ResumedBatchHook, ResumedValidationHook, StepSeedHook
from .time_limit_hook import TimeLimitHook

__all__ = [
    'AreaPlotHook', 'CudaMathHook', 'ExtremesHook', 'FiniteLossHook', 'FrozenStatisticsHook',
    'GalleryHook', 'ModalGateHook', 'ResumedBatchHook', 'ResumedValidationHook',
    'SafeCheckpointHook', 'SavePredictionsHook', 'ScoreCurvesHook', 'StepSeedHook',
    'TimeLimitHook', 'VisualizationHook',
]  # fmt: skip
