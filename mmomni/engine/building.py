"""Which entry of a config a failure to build it is about, in one line."""

import inspect
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import FrameType
from typing import Any, NamedTuple

from mmengine.config import Config
from mmengine.registry import HOOKS, LOOPS, OPTIMIZERS, Registry

from mmomni.registry import similar_type

from .starting import READ

UNTYPED = {
    'build_train_loop': 'train_cfg', 'build_val_loop': 'val_cfg', 'build_test_loop': 'test_cfg',
}  # fmt: skip
"""Methods of mmengine's runner that call a class themselves, and what of the config they build."""

REFUSALS = (ValueError, AssertionError)
"""What says that values are wrong; any other error may be a fault of the code."""
BESIDE = {'type', '_scope_', 'by_epoch', 'priority'}
"""Keys that mmengine takes out of loops and hooks before it builds them."""


class _Call(NamedTuple):
    """The innermost call of a class by an entry of the config."""

    kind: Any
    place: str
    given: Mapping[str, Any]
    is_last: bool
    """Whether the error was raised by the call, and not in what was called."""


def check_names(cfg: Config) -> None:
    """Refuse arguments that the class of a loop, hook or optimiser does not take.

    Those are built last, after the model and the data sets. What a class hands on (``**kwargs``)
    and what cannot be found is left to whoever builds it, see :func:`fault_of_config`.

    Raises:
        ValueError: There are some; a line for each.
    """
    faults = [
        f'{place}: {_unknown_argument(key, kind)}'
        for registry, place, entry in _late_entries(cfg)
        if (kind := _closed_class(registry, entry, cfg)) is not None
        for key in entry
        if key not in BESIDE and key not in _arguments(kind)
    ]
    if faults:
        raise ValueError('\n  '.join(faults))


def _late_entries(cfg: Config) -> Iterator[tuple[Registry, str, Mapping]]:
    loops = {f'{split}_cfg': cfg.get(f'{split}_cfg') for split in ('train', 'val', 'test')}
    optimizer = {'optim_wrapper.optimizer': (cfg.get('optim_wrapper') or {}).get('optimizer')}
    hooks = {f'default_hooks.{key}': each for key, each in (cfg.get('default_hooks') or {}).items()}
    own = enumerate(cfg.get('custom_hooks') or [])
    hooks |= {f'custom_hooks.{index}': each for index, each in own}
    for registry, entries in ((LOOPS, loops), (OPTIMIZERS, optimizer), (HOOKS, hooks)):
        for place, entry in entries.items():
            if isinstance(entry, Mapping):
                yield registry, place, entry


def _closed_class(registry: Registry, entry: Mapping, cfg: Config) -> type | None:
    """The class of an entry, if it is found and takes nothing but what it names."""
    kind = entry.get('type')
    if isinstance(kind, str):
        scope = entry.get('_scope_') or cfg.get('default_scope') or 'mmseg'
        try:
            with registry.switch_scope_and_registry(scope) as found:
                kind = found.get(kind)
        except Exception:  # noqa: BLE001  (whoever builds it says what is wrong)
            return None
    if not isinstance(kind, type):
        return None
    parameters = inspect.signature(kind).parameters.values()
    is_open = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
    return None if is_open else kind


def _unknown_argument(key: str, kind: Any) -> str:
    known = _arguments(kind)
    close = get_close_matches(key, known, n=1)
    meant = f'is it {close[0]}?' if close else f'expected some of {", ".join(known)}'
    return f'{getattr(kind, "__name__", kind)} takes no argument {key}; {meant}'


def fault_of_config(
    error: Exception, cfg: Config, refusals: tuple[type[Exception], ...] = REFUSALS
) -> str:
    """What is wrong with the entry that could not be built, and where it stands.

    Args:
        error: Raised while something was built.
        cfg: The config.
        refusals: What a constructor may raise because of the values that it is given.

    Returns:
        Empty where the error is not about a config: something raised it in the code that the
        config names, and its traceback says where.
    """
    frames = list(_frames(error))
    calls = [frame for frame in frames if _is_call(frame)]
    if not calls:
        return _fault_of_type(error, frames, cfg)
    frame = calls[-1]
    call = _call(error, frame, frame is frames[-1], cfg)
    fault = _fault_of_arguments(str(error), call) if isinstance(error, TypeError) else ''
    if fault or isinstance(error, refusals):
        return fault or _refusal(error, call)
    return '' if isinstance(error, TypeError) else _fault_of_type(error, frames, cfg)


def _refusal(error: Exception, call: _Call) -> str:
    """In one line, whatever the constructor said in several."""
    reason = ' '.join(str(error).split())
    if not isinstance(error, REFUSALS):
        reason = f'{type(error).__name__}: {str(error).partition(chr(10))[0]}'
    name = getattr(call.kind, '__name__', str(call.kind))
    place = f'{call.place}: ' if call.place not in ('', name) else ''
    return f'{place}{name} cannot be built: {reason}' if reason else ''


def _frames(error: Exception) -> Iterator[FrameType]:
    step = error.__traceback__
    while step is not None:
        yield step.tb_frame
        step = step.tb_next


def _is_call(frame: FrameType) -> bool:
    module, name = frame.f_globals.get('__name__', ''), frame.f_code.co_name
    if module == 'mmengine.registry.build_functions':
        return name == 'build_from_cfg'
    return module == 'mmengine.runner.runner' and name in UNTYPED


def _call(error: Exception, frame: FrameType, is_last: bool, cfg: Config) -> _Call:
    known = frame.f_locals
    if (entry := UNTYPED.get(frame.f_code.co_name)) is not None and 'loop_cfg' in known:
        # Which of two it was, the message alone says.
        return _Call(_named_in(error, frame.f_globals), entry, known['loop_cfg'], is_last)
    given = known.get('args') or {}
    place = _place(cfg, known.get('obj_type'), given)
    return _Call(known.get('obj_cls'), place, given, is_last)


def _named_in(error: Exception, names: Mapping[str, Any]) -> Any:
    return names.get(str(error).partition('.')[0])


def _fault_of_arguments(message: str, call: _Call) -> str:
    """Of a call with other arguments than the class takes."""
    name = getattr(call.kind, '__name__', str(call.kind))
    start = f'{call.place}: ' if call.place else ''
    if found := re.search(r"unexpected keyword argument '(\w+)'", message):
        key = found[1]
        # What the class itself takes, it passed on where it should not.
        is_of_config = key in call.given and key not in _arguments(call.kind)
        return f'{start}{_unknown_argument(key, call.kind)}' if is_of_config else ''
    if call.is_last and (found := re.search(r'missing \d+ required .*', message)):
        return f'{start}{name} is {found[0]}'
    return ''


def _arguments(kind: Any) -> list[str]:
    """What a class takes by name, that of its bases included while it passes others on."""
    known: list[str] = []
    for base in inspect.getmro(kind) if isinstance(kind, type) else [kind]:
        own = base.__dict__.get('__init__') if isinstance(kind, type) else base
        if own is None or own is object.__init__:
            continue
        parameters = list(inspect.signature(own).parameters.values())
        named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
        known += [each.name for each in parameters if each.kind in named and each.name != 'self']
        if all(each.kind is not inspect.Parameter.VAR_KEYWORD for each in parameters):
            break
    return list(dict.fromkeys(known))


def _fault_of_type(error: Exception, frames: list[FrameType], cfg: Config) -> str:
    """Of a type that is in no registry, or an entry without one."""
    frame = frames[-1]
    module = frame.f_globals.get('__name__', '')
    if module not in ('mmengine.registry.build_functions', 'mmengine.registry.registry'):
        return ''
    for each in reversed(frames):
        registry, kind = each.f_locals.get('registry'), each.f_locals.get('obj_type')
        if _is_call(each) and isinstance(registry, Registry) and isinstance(kind, str):
            place = _place(cfg, kind, each.f_locals.get('args') or {})
            start = f'{place}: ' if place else ''
            return f'{start}the type {kind} is in no registry{similar_type(registry, kind)}'
    return str(error.args[0]) if error.args else ''


def _place(cfg: Config, kind: Any, given: Mapping[str, Any]) -> str:
    """Where in the config the entry of a type stands, as ``--cfg-options`` names it."""
    name = kind if isinstance(kind, str) else getattr(kind, '__name__', '')
    places = [
        (place, entry)
        for key in cfg
        if key in READ
        for place, entry in _entries(cfg[key], key)
        if entry.get('type') == kind and set(entry) - {'type', '_scope_'} <= set(given)
    ]
    equal = [place for place, entry in places if _plain(entry) == _plain(given, entry)]
    return (equal + [place for place, _ in places] + [name])[0]


def _plain(entry: Mapping, like: Mapping | None = None) -> dict[str, Any]:
    """What of an entry can be compared: others, a constructor may have changed or built."""
    keys = set(entry if like is None else like) - {'type', '_scope_'}
    kept = {key: entry.get(key) for key in keys}
    return {key: each for key, each in kept.items() if isinstance(each, str | int | float)}


def _entries(value: Any, place: str) -> Iterator[tuple[str, Mapping]]:
    if isinstance(value, Mapping):
        yield place, value
        for key, inner in value.items():
            yield from _entries(inner, f'{place}.{key}')
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _entries(inner, f'{place}.{index}')
