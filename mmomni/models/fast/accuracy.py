import torch
from mmseg.models.losses import accuracy as accuracy_of_mmseg
from torch import Tensor

from .switch import enabled


def accuracy(seg_logits: Tensor, labels: Tensor, ignore_index: int) -> Tensor:
    """Per cent of the pixels, those left out that are neither; 100 where there are no others.

    mmseg's picks the pixels that count, which costs a pass for each of several maps on a CPU and
    a synchronisation on a GPU.
    """
    if not enabled():
        return accuracy_of_mmseg(seg_logits, labels, ignore_index=ignore_index)
    counts = labels != ignore_index
    predicted = seg_logits.detach().max(dim=1).indices  # argmax takes 15 times as long on planes
    right = (predicted == labels) & counts
    smallest = torch.finfo(torch.float32).eps
    return 100 * (right.sum() + smallest) / (counts.sum() + smallest)
