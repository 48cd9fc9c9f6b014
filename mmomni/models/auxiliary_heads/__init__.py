from .box_supervision_head import BoxSupervisionHead
from .modal_gate_head import ModalGateHead

__all__ = ['BoxSupervisionHead', 'ModalGateHead']
