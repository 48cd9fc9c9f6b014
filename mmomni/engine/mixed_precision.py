"""``--amp``: automatic mixed precision in training."""

import argparse
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.device import get_device

PLAIN_AMP = ''
"""Value of an ``--amp`` without one, as mmseg has it."""
PRECISIONS = ('fp16', 'bf16')


def precision(text: str) -> str:
    """The ``type`` of ``--amp``."""
    if text not in (PLAIN_AMP, *PRECISIONS):
        raise argparse.ArgumentTypeError(f'expected {" or ".join(PRECISIONS)}, got {text!r}')
    return text


def with_value_of_amp(arguments: Sequence[str]) -> list[str]:
    """Let an ``--amp`` without a value take none of what follows, as in ``--amp CONFIG``."""
    given = list(arguments)
    for place, (option, following) in enumerate(zip(given, [*given[1:], ''], strict=True)):
        if option == '--amp' and following not in PRECISIONS:
            given[place] = f'--amp={PLAIN_AMP}'
    return given


def mix_precision(cfg: Config, name: str) -> None:
    """Let a config's optimiser train in mixed precision; in place.

    bfloat16 has the range of single precision and needs no loss scaling, so no step waits for the
    check of infinite gradients. :data:`PLAIN_AMP` is float16, unless the config has a ``dtype``.

    Raises:
        ValueError: There is no accelerator: mmengine mixes precisions on these alone.
    """
    if get_device() == 'cpu':
        raise ValueError(
            '--amp needs an accelerator (CUDA), and there is none here; leave it out, a CPU trains '
            'in single precision'
        )
    wrapper = cfg.optim_wrapper
    wrapper.type = 'AmpOptimWrapper'
    if name == 'bf16':
        wrapper.update(dtype='bfloat16', loss_scale=dict(enabled=False))
        return
    if name == 'fp16':
        wrapper.dtype = 'float16'
        if wrapper.get('loss_scale') == dict(enabled=False):  # of a config for bfloat16
            wrapper.loss_scale = 'dynamic'
    wrapper.setdefault('loss_scale', 'dynamic')
