"""What says of five planes where an image was changed, whatever it computes with.

Letters: ``B`` batch, ``H W`` height and width in pixels, multiples of 32. Knows nothing of torch or
OpenMMLab; :mod:`.torch_network` and :mod:`.onnx_network` are the two that there are.
"""

from contextlib import AbstractContextManager
from typing import Literal, NamedTuple, Protocol, get_args

import numpy as np

from .windows import Window

Precision = Literal['fp32', 'bf16']
AUTO: Literal['auto'] = 'auto'
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class DeviceError(ValueError):
    """There is no such device, or this machine or package cannot use it."""


class Output(NamedTuple):
    """What a network says about a batch.

    Attributes:
        log_odds: ``logit(tampered) - logit(authentic)``, which is ``log(p / (1 - p))`` of the
            probability of "tampered"; ``float32`` (B, H, W).
        gate: ``P_cls``, ``float32`` (B,): above 0 the network chose pure vision. ``None`` without a
            learned gate.
    """

    log_odds: np.ndarray
    gate: np.ndarray | None


class Sharing(Protocol):
    """Windows of one image tell each other, pass by pass, what depends on the whole of it.

    See :class:`~mmomni.apis.shared_context.SharedContext`.
    """

    @property
    def shares(self) -> bool:
        """Whether the network has anything to share; known after the first pass."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nothing of the network looks at a window only; known after the first pass."""
        ...

    def begin(self, window: Window) -> None:
        """From now on the network sees this window."""
        ...

    def end_pass(self) -> None:
        """From now on the network answers with what the pass that ends here has found."""
        ...


class Network(Protocol):
    """Where an image was changed.

    Attributes:
        precision: In which it computes; what it says is in single precision either way. It can be
            set; a network that has not both raises ``ValueError``.
    """

    @property
    def precision(self) -> Precision: ...

    @precision.setter
    def precision(self, value: Precision) -> None: ...

    @property
    def on_cpu(self) -> bool:
        """Whether it computes in the memory of this process."""
        ...

    def __call__(self, planes: np.ndarray) -> Output:
        """Of ``uint8`` (B, 5, H, W).

        Raises:
            MemoryError: There is not enough for these; the message is one line.
        """
        ...

    def sharing(self) -> AbstractContextManager[Sharing]:
        """While it is open, no other thread may use the network, and one image passes."""
        ...


def demand_precision_of_onnx(asked: str) -> None:
    """Raise ``ValueError`` for what an exported network has not: it computes as it was exported."""
    demand_precision(asked)
    if asked == 'bf16':
        raise ValueError(
            "precision='bf16' is for backend='torch': an exported network computes as it was "
            "exported, in 'fp32'; leave it out"
        )


def demand_precision(asked: str) -> None:
    """Raise ``ValueError`` for what is neither a precision nor ``'auto'``."""
    if asked not in (AUTO, *PRECISIONS):
        raise ValueError(f'expected precision to be one of {(AUTO, *PRECISIONS)}, got {asked!r}')
