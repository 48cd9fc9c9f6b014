"""What every training is asked before it is built and before it runs, by whatever started it."""

import logging

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmomni.datasets.configured import demand_known, demand_sets
from mmomni.models.pretrained import demand_start, demand_weights

from .batches import check_batches
from .building import check_names
from .outputs import guard_outputs
from .resuming import demand_resumable, has_saved, resume_whole, saved_by
from .starting import check_config, unread_entries
from .validation import check_validation


def check_training(cfg: Config) -> None:
    """Refuse what could not be trained with, before anything is built.

    Raises:
        FileNotFoundError: A set, or the checkpoint to start from, is not there.
        ValueError: Something in the config is wrong.
    """
    check_config(cfg)
    check_names(cfg)
    demand_known(cfg, 'train', 'val')
    demand_sets(cfg)
    demand_start(cfg)
    demand_resumable(cfg)


def prepare_runner(runner: Runner, cfg: Config) -> None:
    """What is left to do between a runner that was built and its training.

    Raises:
        FileNotFoundError: Pretrained weights are not there.
        ValueError: Batches or validation cannot be worked with, or there is nothing to resume.
    """
    demand_weights(runner.model)
    check_batches(runner)
    check_validation(runner)
    for line in unread_entries(cfg):
        print_log(line, logger='current', level=logging.WARNING)
    guard_outputs(runner)
    resume_whole(runner, saved_by(cfg))  # for whichever checkpoint hook the config has


def resume_own(cfg: Config) -> None:
    """Go on from the last checkpoint of the work dir, and start from the config's without one.

    mmengine would resume ``load_from`` itself: iterations and optimiser of another training.
    """
    if has_saved(saved_by(cfg)):
        cfg.load_from = None
    cfg.resume = cfg.get('load_from') is None
