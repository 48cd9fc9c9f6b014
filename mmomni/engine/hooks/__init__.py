from .cuda_math_hook import CudaMathHook
from .gallery_hooks import ExtremesHook, GalleryHook
from .modal_gate_hook import ModalGateHook
from .picture_hooks import SavePredictionsHook, VisualizationHook
from .plot_hooks import AreaPlotHook, ScoreCurvesHook
from .resuming_hooks import ResumedBatchHook, ResumedValidationHook, StepSeedHook

__all__ = [
    'AreaPlotHook', 'CudaMathHook', 'ExtremesHook', 'GalleryHook', 'ModalGateHook',
    'ResumedBatchHook', 'ResumedValidationHook', 'SavePredictionsHook', 'ScoreCurvesHook',
    'StepSeedHook', 'VisualizationHook',
]  # fmt: skip
