from .gallery_hook import GalleryHook
from .min_quality_hook import MinQualityHook
from .modal_gate_hook import ModalGateHook
from .step_seed_hook import StepSeedHook

__all__ = ['GalleryHook', 'MinQualityHook', 'ModalGateHook', 'StepSeedHook']
