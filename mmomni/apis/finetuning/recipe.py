"""From lists and weights to a config: that of ``configs/finetune``."""

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from mmengine.config import Config

from mmomni.checkpoints import read_checkpoint
from mmomni.engine.configs import open_config
from mmomni.engine.starting import READ, merge_options

CONFIG = 'mmomni::finetune/omni-iml_efficientnet-lite2_finetune.py'
PARTS = ('own', 'known')
"""In the order of the config's data sets."""


class Start(NamedTuple):
    """What is tuned.

    Attributes:
        path: Of the file.
        model: Of its config, as inference has it.
        card: Its model card; empty: it was not published.
    """

    path: Path
    model: dict[str, Any]
    card: dict[str, Any]


def start_of(path: Path, trust: bool = False) -> Start:
    """What a checkpoint is.

    Raises:
        FileNotFoundError: There is no file.
        ValueError: It is no checkpoint, does not tell its config, or is not trusted.
    """
    checkpoint = read_checkpoint(path, trust)
    if checkpoint.config is None:
        raise ValueError(f'{path} does not hold its config, by which it could go on; publish it')
    return Start(path, checkpoint.config.to_dict()['model'], checkpoint.card)


def recipe_of(
    out: Path, lists: Mapping[str, Path], start: Start, seed: int, minutes: float
) -> Config:
    """The config of a run; its schedule is settled later, by :func:`.running.schedule`.

    Args:
        out: Folder of the run.
        lists: By ``'own_train'``, ``'own_val'``, ``'known_train'`` and ``'known_val'``.
        start: What is tuned.
        seed: Of the run.
        minutes: After which it ends.
    """
    cfg = open_config(CONFIG)
    options: dict[str, Any] = {
        f'{loader}_dataloader.dataset.datasets.{place}.ann_file': str(
            lists[f'{name}_{half}'].absolute()
        )
        for loader, half in (('train', 'train'), ('val', 'val'), ('test', 'val'))
        for place, name in enumerate(PARTS)
    }
    options |= {
        'work_dir': str(out), 'load_from': str(start.path.absolute()), 'randomness.seed': seed,
        'custom_hooks.0.minutes': minutes, 'log_level': 'WARNING',
    }  # fmt: skip
    merge_options(cfg, options)
    # Each checkpoint carries its config, and to write and format variables that nothing reads takes
    # seconds.
    kept = {key: value for key, value in cfg.to_dict().items() if key in READ}
    kept['model'] = _to_train(start.model, kept['model'])
    return Config(kept, filename=cfg.filename, format_python_code=False)


def _to_train(model: dict[str, Any], like: dict[str, Any]) -> dict[str, Any]:
    """A model of inference with the losses of the recipe, and crops of its size."""
    whole = deepcopy(model)
    whole['decode_head']['loss_decode'] = like['decode_head']['loss_decode']
    if whole['backbone']['type'].endswith('ModalGateEncoder'):
        whole['auxiliary_head'] = like['auxiliary_head']
    preprocessor = whole.get('data_preprocessor')
    if preprocessor is not None and 'size' in preprocessor:
        preprocessor['size'] = like['data_preprocessor']['size']
    return whole
