"""Test-time augmentation, as a config describes it: ``tta_model`` and ``tta_pipeline``."""

import copy
import logging
from collections.abc import Sequence

from mmengine.config import Config
from mmengine.logging import print_log

from mmomni.datasets.configured import innermost, pass_on_pipeline, type_name

REMEDY = (
    "add tta_model=dict(type='mmomni.ManipulationTTAModel') and a tta_pipeline as in configs/demo, "
    'or test without --tta'
)


def augment_tests(cfg: Config) -> None:
    """Let every test set of a config be predicted by the views of its ``tta_pipeline``; in place.

    A set with a pipeline of its own gets the last step of ``tta_pipeline``, ``TestTimeAug``, in the
    place of its last one (packing), if ``test_pipeline`` becomes ``tta_pipeline`` that way, too.

    Raises:
        ValueError: The config describes no test-time augmentation, or none for one of its sets.
    """
    missing = [key for key in ('tta_model', 'tta_pipeline') if not cfg.get(key)]
    if missing:
        raise ValueError(f'--tta: the config has no {" and no ".join(missing)}; {REMEDY}')
    dataset = cfg.test_dataloader.dataset = pass_on_pipeline(cfg.test_dataloader.dataset)
    _name_steps_left_out(cfg.get('test_pipeline') or [], cfg.tta_pipeline)
    for entry in innermost(dataset):
        entry['pipeline'] = _augmented(entry, cfg.get('test_pipeline'), cfg.tta_pipeline)
    cfg.model = dict(copy.deepcopy(cfg.tta_model), module=cfg.model)


def _name_steps_left_out(plain: Sequence, augmented: Sequence) -> None:
    """A config that changes ``test_pipeline`` alone has the ``tta_pipeline`` of its base."""
    views = [step for option in augmented[-1].get('transforms', []) for step in option]
    if lacking := [type_name(step) for step in plain if step not in [*augmented, *views]]:
        print_log(
            f'--tta: tta_pipeline lacks steps of test_pipeline, {", ".join(lacking)}, or has them '
            'with other arguments',
            logger='current',
            level=logging.WARNING,
        )


def _augmented(entry: dict, plain: Sequence | None, augmented: Sequence) -> list:
    plain = list(plain or [])
    own = list(entry.get('pipeline') or plain)
    if own == plain:
        return copy.deepcopy(list(augmented))
    *before, last = augmented
    replaces_packing = before == plain[:-1] and own[-1:] == plain[-1:]
    if type_name(last) != 'TestTimeAug' or not replaces_packing:
        raise ValueError(
            f'--tta: the set {entry.get("name") or entry.get("data_root")} has a pipeline of its '
            'own, which tta_pipeline says nothing about; let tta_pipeline be test_pipeline with '
            'TestTimeAug in the place of its last step, or test without --tta'
        )
    return copy.deepcopy([*own[:-1], last])
