"""How CUDA's libraries compute in single precision, for all of this process; nothing of a CPU's.

TF32 rounds what enters a product to 10 bits behind the point and adds up in single precision: from
compute capability 8 on (A100, RTX 30) it is several times as fast. torch allows it in convolutions
and not in matrix products, unless it is told. Autotuning tries cuDNN's algorithms anew for each
size of a convolution, which pays where sizes come again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch


class CudaMath(NamedTuple):
    """What is allowed.

    Attributes:
        tf32_products: TF32 in matrix products.
        tf32_convolutions: TF32 in convolutions.
        autotune: Trying cuDNN's algorithms.
    """

    tf32_products: bool
    tf32_convolutions: bool
    autotune: bool


EXACT = CudaMath(tf32_products=False, tf32_convolutions=False, autotune=False)
"""Single precision as on a CPU, for inputs of all sizes."""


def current() -> CudaMath:
    """What is allowed now."""
    backends: Any = torch.backends
    return CudaMath(
        _allows_tf32(backends.cuda.matmul, backends.cuda.matmul),
        _allows_tf32(backends.cudnn, getattr(backends.cudnn, 'conv', None)),
        backends.cudnn.benchmark,
    )


def _allows_tf32(flags: Any, newer_flags: Any) -> bool:
    try:
        return flags.allow_tf32
    except RuntimeError:  # of torch since 2.9, if somebody has set the newer flag
        return newer_flags.fp32_precision == 'tf32'


def allow(settings: CudaMath) -> None:
    """Let it be so from now on.

    Not by ``torch.set_float32_matmul_precision``, which is about CPUs, too.
    """
    backends: Any = torch.backends
    backends.cuda.matmul.allow_tf32 = settings.tf32_products
    backends.cudnn.allow_tf32 = settings.tf32_convolutions
    if current().tf32_convolutions and not settings.tf32_convolutions:
        # Of torch since 2.9: there the older flag then leaves it to that of all backends.
        backends.cudnn.conv.fp32_precision = 'ieee'
    backends.cudnn.benchmark = settings.autotune


@contextmanager
def allowed(settings: CudaMath) -> Iterator[None]:
    """Let it be so within."""
    before = current()
    allow(settings)
    try:
        yield
    finally:
        allow(before)
