"""TF32 and cuDNN's autotuning where they help and change no figure."""

from collections.abc import Sequence

from mmengine.device import get_device
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmomni.registry import HOOKS
from mmomni.utils.cuda_math import CudaMath, allow, current

PHASES = ('train', 'val', 'test')


@HOOKS.register_module()
class CudaMathHook(Hook):
    """Choose how CUDA computes in single precision, phase by phase; on a CPU nothing changes.

    By default training has TF32 in matrix products and convolutions, and autotuning, since all of
    its crops have one size. Validation and testing have neither: figures are then those of a CPU
    up to rounding, and no image of a new size waits for a search of algorithms.

    Args:
        tf32: Phases with TF32, of :data:`PHASES`; ``()``: none.
        autotune: Phases in which cuDNN may try algorithms, where ``env_cfg.cudnn_benchmark`` (and
            ``randomness.deterministic``) let it.

    Raises:
        ValueError: There is no such phase.
    """

    priority = 'VERY_HIGH'

    def __init__(
        self, tf32: Sequence[str] = ('train',), autotune: Sequence[str] = ('train',)
    ) -> None:
        for name, phases in (('tf32', tf32), ('autotune', autotune)):
            if not isinstance(phases, (list, tuple)) or not set(phases) <= set(PHASES):
                raise ValueError(f'expected {name} as a list of some of {PHASES}, got {phases!r}')
        self.tf32, self.autotune = tuple(tf32), tuple(autotune)
        self._before: list[CudaMath] = []  # of a validation within a training there are two

    def _enter(self, phase: str) -> None:
        if get_device() != 'cuda':
            return
        self._before.append(current())
        tf32 = phase in self.tf32
        allow(CudaMath(tf32, tf32, self._before[0].autotune and phase in self.autotune))

    def _leave(self) -> None:
        if self._before:
            allow(self._before.pop())

    def before_train(self, runner: Runner) -> None:
        """Let training be fast, and say how."""
        self._enter('train')
        if self._before:
            now = current()
            print_log(
                f'CUDA in training: TF32 {_told(now.tf32_products)}, autotuning '
                f'{_told(now.autotune)} (CudaMathHook)',
                logger='current',
            )

    def after_train(self, runner: Runner) -> None:
        """Give back what was."""
        self._leave()

    def before_val(self, runner: Runner) -> None:
        """Let the figures be exact."""
        self._enter('val')

    def after_val(self, runner: Runner) -> None:
        """Go on as in training, if it is one."""
        self._leave()

    def before_test(self, runner: Runner) -> None:
        """Let the figures be exact."""
        self._enter('test')

    def after_run(self, runner: Runner) -> None:
        """Give back what was before a test, after hooks that predict again, as for pictures."""
        self._leave()


def _told(is_on: bool) -> str:
    return 'on' if is_on else 'off'
