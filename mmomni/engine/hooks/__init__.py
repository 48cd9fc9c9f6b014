from .area_plot_hook import AreaPlotHook
from .extremes_hook import ExtremesHook
from .gallery_hook import GalleryHook
from .modal_gate_hook import ModalGateHook
from .resumed_validation_hook import ResumedValidationHook
from .score_curves_hook import ScoreCurvesHook
from .step_seed_hook import StepSeedHook

__all__ = [
    'AreaPlotHook', 'ExtremesHook', 'GalleryHook', 'ModalGateHook', 'ResumedValidationHook',
    'ScoreCurvesHook', 'StepSeedHook',
]  # fmt: skip
