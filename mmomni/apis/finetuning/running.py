"""How long to train in the time there is, and the training itself, by mmengine's runner."""

import math
from copy import deepcopy
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmomni.checkpoints import demand_fit
from mmomni.engine.configs import open_config
from mmomni.engine.training import check_training, prepare_runner, resume_own
from mmomni.utils.files import replacing

from .outcome import TUNED, Outcome, Tell, before_of, outcome_of, read_outcome, scores_of, standing

TRIED_STEPS = 5
TRIED_IMAGES = 4
"""Of each set, to measure a validation by."""
CHECKS = 10
"""Validations of a training, where there is time for them."""
SHARE_OF_CHECKS = 1 / 3
"""Of the time, at most."""
SURE = 0.8
"""So much of the time is planned for: checkpoints take some, and a machine does other things."""
PASSES = 50
"""More often the same images of one's own are not seen, however much time there is."""
LEAST_STEPS = 10
SAVED = 'config.py'
"""In the folder of a run: its config."""


class Speed(NamedTuple):
    """Seconds that a step takes, and a validation."""

    step: float
    validation: float


class Plan(NamedTuple):
    """How many iterations, and after how many of them it is validated."""

    iterations: int
    interval: int


def measured(cfg: Config) -> Speed:
    """Train for a few steps, of which nothing is kept, and validate on a few images."""
    tried = deepcopy(cfg)
    tried.custom_hooks = []
    tried.visualizer = None
    tried.default_hooks['checkpoint'] = None
    tried.train_cfg.update(max_iters=TRIED_STEPS, val_interval=TRIED_STEPS)
    sets = tried.val_dataloader.dataset.datasets
    for each in sets:
        each['indices'] = TRIED_IMAGES
    with TemporaryDirectory() as folder:
        tried.work_dir = folder
        tried.experiment_name = f'tried in {folder}'
        runner = Runner.from_cfg(tried)
        runner.train()
        hub = runner.message_hub
        steps, images = (hub.get_scalar(f'{mode}/time').data[0] for mode in ('train', 'val'))
    numbers = [_lines(Path(each['ann_file'])) for each in sets]
    times = iter(images)
    of_sets = [median(islice(times, min(TRIED_IMAGES, number))) * number for number in numbers]
    return Speed(median(steps[1:]), sum(of_sets))


def planned(speed: Speed, seconds: float, images: int, batch_size: int) -> Plan:
    """As many iterations as there is time for, but no more than :data:`PASSES` need.

    Args:
        speed: Of this machine.
        seconds: There are.
        images: Of one's own to train on, half of each batch.
        batch_size: Of both kinds together.

    Raises:
        ValueError: There is no time for any.
    """
    room = SURE * seconds - speed.validation  # the first
    checks = min(CHECKS, int(SHARE_OF_CHECKS * room / speed.validation))
    steps = int((room - max(1, checks) * speed.validation) / speed.step)
    if steps < LEAST_STEPS or checks < 1:
        validations = speed.validation * (1 + 1 / SHARE_OF_CHECKS)
        least = (validations + LEAST_STEPS * speed.step) / SURE
        raise ValueError(
            f'{seconds / 60:.3g} minutes are too few: a validation takes {speed.validation:.0f} '
            f'seconds here and a step {speed.step:.1f}; give --minutes {math.ceil(least / 60)}'
        )
    steps = min(steps, math.ceil(PASSES * images / (batch_size / 2)))
    checks = min(checks, steps)
    return Plan(steps // checks * checks, steps // checks)


def schedule(cfg: Config, minutes: float) -> Plan:
    """Set the number of iterations in a config: that which its run was begun with, or a new one.

    A new one is found by measuring how fast this machine is.

    Args:
        cfg: It is changed, and written to its work dir.
        minutes: There are.

    Raises:
        FileNotFoundError: A file that the config names is not there.
        ValueError: The config cannot be trained with, or there is no time for it.
    """
    check_training(cfg)
    path = Path(cfg.work_dir, SAVED)
    if path.is_file():
        before = open_config(str(path)).train_cfg
        plan = Plan(before.max_iters, before.val_interval)
    else:
        loader = cfg.train_dataloader
        images = _lines(Path(loader.dataset.datasets[0].ann_file))
        plan = planned(measured(cfg), 60 * minutes, images, loader.batch_size)
    warm_up, fall = cfg.param_scheduler
    warm_up['end'] = fall['begin'] = min(warm_up['end'], plan.iterations // 4)
    fall['end'] = plan.iterations
    cfg.train_cfg.update(max_iters=plan.iterations, val_interval=plan.interval)
    cfg.default_hooks.checkpoint.interval = plan.interval
    with replacing(path, path.with_name(f'unfinished_{SAVED}')) as unfinished:
        cfg.dump(unfinished)
    return plan


def run(cfg: Config, tell: Tell) -> Outcome:
    """Train, unless that is over, and say after each validation how it stands.

    Raises:
        FileNotFoundError: A file that the config names is not there.
        ValueError: The config cannot be trained with.
        DivergedError: Losses or weights are no numbers any more.
    """
    out = Path(cfg.work_dir)
    if tuned := read_outcome(out, TUNED):
        return tuned
    resume_own(cfg)
    check_training(cfg)
    cfg.experiment_name = f'{Path(cfg.work_dir).absolute()}'
    runner = Runner.from_cfg(cfg)
    if cfg.get('load_from'):
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        demand_fit(model, cfg.load_from)
    prepare_runner(runner, cfg)
    runner.register_hook(_Telling(tell))
    runner.train()
    outcome = outcome_of(runner)
    outcome.write(out, TUNED)
    return outcome


class _Telling(Hook):
    """A line for each validation: how it stands, and how it was before the training."""

    priority = 'LOW'

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """By then the history has these scores, too."""
        stands = standing(before_of(runner), scores_of(metrics or {}))
        self.tell(f'iteration {runner.iter} of {runner.max_iters}: {stands}')


def _lines(path: Path) -> int:
    return len(path.read_text(encoding='utf-8').splitlines())
