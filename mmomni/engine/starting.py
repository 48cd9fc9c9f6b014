"""What a config says that would fail late, never end or have no effect, told before it is built."""

import inspect
import logging
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from mmengine.config import Config
from mmengine.dataset import InfiniteSampler
from mmengine.hooks import CheckpointHook, EarlyStoppingHook
from mmengine.logging import print_log
from mmengine.registry import DATA_SAMPLERS
from mmengine.runner import Runner
from mmseg.registry import MODELS

from mmomni.datasets.configured import OUR_DATASETS, sets_of, type_name
from mmomni.evaluation.metrics.grouped_metric import rule_of

CLASSES = 2
"""Authentic and tampered."""
READ = {
    *inspect.signature(Runner.__init__).parameters,
    'activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval',
    'find_unused_parameters', 'model_wrapper_cfg', 'paper_row', 'sync_bn', 'trust_checkpoint',
    'tta_model', 'tta_pipeline',
}  # fmt: skip
"""Entries of a config that somebody reads; all others are variables of the file itself."""
ENDLESS = ('Infinite', 'MultiSource')
"""Parts of the names of other packages' samplers that never end."""
ALIKE = 0.85
"""From this similarity (of difflib) on, a name is a misspelt one."""


def check_config(cfg: Config) -> None:
    """Refuse what would be found out late or never.

    Raises:
        ValueError: All that is wrong, in one message: nothing to train with, or parts of a
            validation without the others; classes other than authentic and tampered; a loop over
            whole epochs whose sampler never ends; a best checkpoint or early stopping by a score
            of which it is not known whether more is better, or the other way round.
    """
    problems = [
        *_absent_parts(cfg), *_wrong_classes(cfg), *_endless_epochs(cfg), *_wrong_rules(cfg)
    ]  # fmt: skip
    if problems:
        raise ValueError('\n'.join(['this config cannot be trained with:', *problems]))


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Override entries of a config by ``--cfg-options``.

    Where the config imports code of its own, which may read any entry, the log says what nothing
    here reads.

    Raises:
        ValueError: Nothing would come of one of them: it names no entry; or a variable of the
            config, whose value has gone into entries already; or no place of a list.
    """
    for key in options:
        if problem := _without_effect(cfg, key.split('.')[0]):
            line = f'--cfg-options {key}: {problem}'
            if not cfg.get('custom_imports') or ' is it ' in problem:
                raise ValueError(line)
            print_log(
                f'{line}; unless what custom_imports names does',
                logger='current',
                level=logging.WARNING,
            )
    try:
        cfg.merge_from_dict(dict(options))
    except (KeyError, TypeError) as error:
        raise ValueError(f'--cfg-options: {error.args[0]}') from error


def _without_effect(cfg: Config, entry: str) -> str:
    if entry in READ:
        return ''
    if entry in cfg:
        return (
            f'{entry} is a variable of the config, which has been read by now; override the '
            'entries that it stands in, as in train_dataloader.batch_size=4'
        )
    return f'nothing reads {entry}{_similar(entry)}'


def unread_entries(cfg: Config) -> list[str]:
    """A line for each entry without effect whose name is nearly that of one with an effect."""
    unread = {key: _similar(key) for key in cfg if key not in READ}
    start = 'the config has an entry that nothing reads,'
    return [f'{start} {key}{similar}' for key, similar in unread.items() if similar]


def _similar(entry: str) -> str:
    # `test_pipeline` is a usual variable.
    close = get_close_matches(entry, READ - {'tta_pipeline'}, n=1, cutoff=ALIKE)
    return f'; is it {close[0]}?' if close else ''


def _absent_parts(cfg: Config) -> Iterator[str]:
    """The host wants all of a phase or nothing."""
    for part in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper'):
        if cfg.get(part) is None:
            yield f'{part}: expected an entry, got none'
    parts = ('val_dataloader', 'val_cfg', 'val_evaluator')
    absent = [part for part in parts if cfg.get(part) is None]
    if 0 < len(absent) < len(parts):
        yield (
            f'{" and ".join(absent)}: expected all of {", ".join(parts)}, or None for each, to '
            'train without validation'
        )


def _wrong_classes(cfg: Config) -> Iterator[str]:
    if not any(type_name(each) in OUR_DATASETS for each in sets_of(cfg, 'train_dataloader')):
        return
    model = cfg.get('model') or {}
    backbone = model.get('backbone') or {}
    is_ours = type_name(backbone) == 'ModalGateEncoder'
    if is_ours and backbone.get('num_classes', CLASSES) != CLASSES:
        yield _classes('backbone', 'num_classes', backbone)
    for part in ('decode_head', 'auxiliary_head'):
        heads = model.get(part) or []
        for head in [heads] if isinstance(heads, dict) else heads:
            if part == 'auxiliary_head' and not _is_of_masks(head):
                continue
            for key in ('num_classes', 'out_channels'):
                number = head.get(key) or CLASSES
                # One channel with a sigmoid is of no use to predict by, but can be learned.
                if number > CLASSES or (number < CLASSES and part == 'decode_head'):
                    yield _classes(part, key, head)


def _is_of_masks(head: dict) -> bool:
    """Whether an auxiliary head learns what is tampered; those of others may learn anything."""
    kind = head.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    return getattr(found, '__module__', '').startswith(('mmseg.', 'mmomni.'))


def _classes(part: str, key: str, entry: dict) -> str:
    return (
        f'model.{part}.{key}={entry[key]}: the classes are authentic and tampered; expected 2 (of '
        f'{type_name(entry)})'
    )


def _endless_epochs(cfg: Config) -> Iterator[str]:
    loop = cfg.get('train_cfg') or {}
    by_epoch = loop.get('by_epoch') or type_name(loop) == 'EpochBasedTrainLoop'
    remedies = {
        'train': "train_cfg=dict(type='IterBasedTrainLoop', max_iters=..., val_interval=...)",
        'val': "dict(type='DefaultSampler', shuffle=False)",
    }
    for split in ('train', 'val') if by_epoch else ('val',):
        sampler = (cfg.get(f'{split}_dataloader') or {}).get('sampler') or {}
        if _is_endless(sampler):
            yield (
                f'{split}_dataloader.sampler={type_name(sampler)}: it never ends, and so would the '
                f'first epoch{" of every validation" if split == "val" else ""}; take '
                f'{remedies[split]}'
                + (", or sampler=dict(type='DefaultSampler', shuffle=True)" * (split == 'train'))
            )


def _is_endless(sampler: dict) -> bool:
    kind = sampler.get('type')
    found = DATA_SAMPLERS.get(kind) if isinstance(kind, str) else kind
    if isinstance(found, type) and issubclass(found, InfiniteSampler):
        return True
    return kind is not None and any(part in type_name(sampler) for part in ENDLESS)


def _wrong_rules(cfg: Config) -> Iterator[str]:
    named = dict(cfg.get('default_hooks') or {})
    named |= {f'custom_hooks[{k}]': hook for k, hook in enumerate(cfg.get('custom_hooks') or [])}
    for name, hook in named.items():
        where = name if name.startswith('custom_hooks') else f'default_hooks.{name}'
        if not isinstance(hook, dict):
            continue
        if type_name(hook) in ('CheckpointHook', 'SafeCheckpointHook'):
            yield from _wrong_rules_of_best(where, hook)
        elif type_name(hook) == 'EarlyStoppingHook':
            yield from _wrong_rule_of_stopping(where, hook)


def _wrong_rules_of_best(where: str, hook: dict) -> Iterator[str]:
    best, rules = hook.get('save_best') or [], hook.get('rule')
    keys = [best] if isinstance(best, str) else list(best)
    rules = [rules] if rules is None or isinstance(rules, str) else list(rules)
    rules = rules * len(keys) if len(rules) == 1 else rules
    words = {key: hook[key] for key in ('greater_keys', 'less_keys') if key in hook}
    for key, rule in zip(keys, rules, strict=False):
        if key == 'auto':  # the first key of the metrics: those of ours say what is better
            continue
        try:
            found = CheckpointHook(save_best=key, rule=rule, **words).rules[0]
        except (ValueError, KeyError):
            found = None
        yield from _wrong_rule(f'{where}.save_best={key!r}', key, rule, found)


def _wrong_rule_of_stopping(where: str, hook: dict) -> Iterator[str]:
    monitor, rule = hook.get('monitor'), hook.get('rule')
    if monitor == 'auto':
        yield (
            f"{where}.monitor='auto': EarlyStoppingHook knows no 'auto' and would never stop; name "
            "a score, as in monitor='selection/mIoU'"
        )
    elif isinstance(monitor, str):
        try:
            found = EarlyStoppingHook(monitor, rule).rule
        except ValueError:
            found = None
        yield from _wrong_rule(f'{where}.monitor={monitor!r}', monitor, rule, found)


def _wrong_rule(where: str, key: str, given: str | None, found: str | None) -> Iterator[str]:
    """Whether what mmengine makes of a rule is right for the score."""
    right = rule_of(key)
    if found is None:
        expected = f"rule='{right}'" if right else "rule='greater' or rule='less'"
        yield (
            f'{where}: expected {expected} beside it, which mmengine cannot tell by this name, got '
            f'rule={given!r}'
        )
    elif right and found != right:
        taken = f'got rule={given!r}' if given else f'by its name mmengine takes {found!r}'
        yield f"{where}: expected rule='{right}' beside it, {taken}, which would keep the worst"

