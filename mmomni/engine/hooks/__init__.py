from .gallery_hook import GalleryHook
from .modal_gate_hook import ModalGateHook
from .step_seed_hook import StepSeedHook

__all__ = ['GalleryHook', 'ModalGateHook', 'StepSeedHook']
