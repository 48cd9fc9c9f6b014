"""The end of a training whose losses are no numbers any more."""

import logging
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmomni.engine.finite import (
    REMEDY,
    DivergedError,
    last_saved,
    of_all_ranks,
    on_any_rank,
    some,
)
from mmomni.registry import HOOKS


class FirstLoss(NamedTuple):
    """The first loss of several iterations that is not finite.

    Attributes:
        iteration: As the log counts them.
        name: For instance ``decode.loss_ce``.
        value: ``nan``, ``inf`` or ``-inf``.
        rate: Learning rate of the first group of parameters.
        before: The losses when they were finite for the last time.
        files: Those of the batch.
    """

    iteration: int
    name: str
    value: float
    rate: float
    before: dict[str, float]
    files: list[str]

    def told(self) -> str:
        """All of it in a sentence without its end."""
        before = ', '.join(f'{name} {value:.4g}' for name, value in self.before.items())
        files = f', of {some(self.files)}' if self.files else ''
        return (
            f'the first was {self.name}, {self.value} in iteration {self.iteration:,} (learning '
            f'rate {self.rate:.3g}{files}); the last finite losses: {before or "none"}'
        )


@HOOKS.register_module()
class FiniteLossHook(Hook):
    """End a training after so many iterations in a row with a loss that is not finite.

    mmengine trains on with them to the end, and keeps the checkpoints of that. In half precision
    an infinite loss now and then is normal: its step is passed over, and ``GradScaler`` halves its
    scale, which after 20 in a row is a millionth. In single precision the first one spoils the
    weights.

    The host reads nothing of the device: mmengine has fetched the losses for its log by then.
    Several ranks compare every ``patience`` iterations, so that they end together; with losses that
    have nothing to do with each other they need not be on the same rank.

    Args:
        patience: That many iterations.
    """

    # After the log, which shows the losses, and before learning rates and checkpoints
    priority = 'BELOW_NORMAL'

    def __init__(self, patience: int = 20) -> None:
        if patience < 1:
            raise ValueError(f'patience: expected at least 1 iteration, got {patience}')
        self.patience = patience
        self._in_a_row = 0
        self._first: FirstLoss | None = None
        self._finite: dict[str, float] = {}

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Count.

        Raises:
            DivergedError: There were too many in a row on one rank.
        """
        losses = _losses(runner, outputs or {})
        bad = [name for name, value in losses.items() if not math.isfinite(value)]
        if not bad:
            self._finite, self._in_a_row, self._first = losses, 0, None
        else:
            self._in_a_row += 1
            if self._first is None:
                self._first = self._note(runner, bad, losses, data_batch)
        alone = get_world_size() == 1
        if alone or (runner.iter + 1) % self.patience == 0:
            self._end_if_too_many(runner)

    def _note(
        self, runner: Runner, bad: list[str], losses: Mapping[str, float], data_batch: Any
    ) -> FirstLoss:
        # `loss`, the sum of all others, comes before them
        name = next((name for name in bad if name != 'loss'), 'loss')
        rate = float(next(iter(runner.optim_wrapper.get_lr().values()))[0])
        first = FirstLoss(
            runner.iter + 1, name, losses[name], rate, self._finite, _files(data_batch)
        )
        print_log(
            f'losses are not finite: {first.told()}', logger='current', level=logging.WARNING
        )
        return first

    def _end_if_too_many(self, runner: Runner) -> None:
        most = on_any_rank(self._in_a_row)
        if most >= self.patience:
            raise DivergedError(
                f'{most} iterations in a row had losses that are not finite: '
                f'{of_all_ranks(self.told())}. The training ends here, in iteration '
                f'{runner.iter + 1:,}; {last_saved(runner)}. {REMEDY}'
            )

    def told(self) -> str:
        """The first loss that is not finite, if that of the last iteration is not."""
        return self._first.told() if self._first else ''

    def refusal(self) -> str:
        """Why not to save, if a rank has a reason. All ranks have to ask at once."""
        return of_all_ranks(self.told()) if on_any_rank(self._in_a_row) else ''


def _losses(runner: Runner, outputs: Mapping[str, Any]) -> dict[str, float]:
    """All that mmengine adds up for a loss, and the sum; as it has logged them."""
    logged = runner.message_hub.log_scalars
    return {
        name: float(logged[f'train/{name}'].current() if f'train/{name}' in logged else value)
        for name, value in outputs.items()
        if 'loss' in name
    }


def _files(data_batch: Any) -> list[str]:
    samples = data_batch.get('data_samples') if isinstance(data_batch, Mapping) else None
    paths = (getattr(sample, 'img_path', None) for sample in samples or ())
    return [str(path) for path in paths if path]
