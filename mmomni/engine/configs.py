"""Configs by their path or, of those that come with the package, by their name."""

import os.path as osp
from difflib import get_close_matches
from pathlib import Path

from mmengine.config import Config

from mmomni.utils.staged import staged

PREFIX = 'mmomni::'
NOT_BY_NAME = '_base_'
"""Parts of configs, which nothing runs."""


def config_file(name: str) -> str:
    """The path of a config.

    Args:
        name: A file; ``mmomni::lite/....py``, as in ``_base_``; or the end of such a path, with
            ``.py`` or without, where there is no such file.

    Raises:
        FileNotFoundError: There is none; the message names the closest.
        ValueError: Several configs of the package end so.
    """
    path = osp.expanduser(name)
    if osp.isfile(path):
        return path
    found = [] if osp.isdir(path) else _staged_configs(name.removeprefix(PREFIX))
    if len(found) > 1:
        raise ValueError(
            f'{name}: expected one config, got {len(found)} of the package: '
            f'{", ".join(map(str, found))}; name its folder, too'
        )
    if found:
        return str(staged('configs') / found[0])
    kind = 'a folder' if osp.isdir(path) else 'no such file'
    raise FileNotFoundError(
        f'expected a config, a file or one of the package ({PREFIX}FOLDER/NAME.py), got {name!r}, '
        f'{kind}{_closest(path.removeprefix(PREFIX))}'
    )


def open_config(name: str) -> Config:
    """Read what :func:`config_file` finds.

    Its text is indented by mmengine, but not laid out by YAPF as well: that took a second for every
    checkpoint and four when a run began, and changes little.

    Raises:
        FileNotFoundError: It or one of its bases is not there.
        ValueError: It cannot be read; the one line says where and why.
    """
    path = config_file(name)
    try:
        cfg = Config.fromfile(path)
    except Exception as error:
        read, line = _place(error, osp.abspath(path))
        if isinstance(error, FileNotFoundError) and not osp.isfile(read):
            raise FileNotFoundError(
                f'{path}: expected its _base_ at {read}, got no such file{_closest(read)}'
            ) from error
        raise ValueError(f'{read}{line}: {_reason(error)}') from error
    # `fromfile` takes it as an argument, but forgets it unless the bases are imported as modules.
    object.__setattr__(cfg, '_format_python_code', False)
    return cfg


def _staged_configs(end: str) -> list[Path]:
    """Those of the package whose path ends so, relative to the folder of all."""
    root = staged('configs')
    wanted = Path(end if end.endswith('.py') else f'{end}.py').parts
    wanted = wanted[1:] if wanted[0] == 'configs' else wanted
    paths = sorted(path.relative_to(root) for path in root.rglob('*.py'))
    exact = [path for path in paths if path.parts == wanted]
    return exact or [
        path for path in paths
        if path.parts[-len(wanted) :] == wanted and path.parts[0] != NOT_BY_NAME
    ]  # fmt: skip


def _closest(path: str) -> str:
    """Which config may have been meant, as the end of a sentence; a base where one is sought."""
    folder = Path(path).parent
    names = {each.name: str(each) for each in sorted(folder.glob('*.py'))}
    root = staged('configs')
    own = (each.relative_to(root) for each in sorted(root.rglob('*.py')))
    names |= {
        each.name: PREFIX + each.as_posix()
        for each in own
        if each.name not in names and (NOT_BY_NAME in each.parts) == (NOT_BY_NAME in folder.parts)
    }
    close = get_close_matches(Path(path).name, names, n=1)
    return f'; is it {names[close[0]]}?' if close else ''


def _place(error: Exception, path: str) -> tuple[str, str]:
    """The file that mmengine was reading, the config or one of its bases, and where in it."""
    read, line = path, getattr(error, 'lineno', None)
    step = error.__traceback__
    while step is not None:
        name = step.tb_frame.f_locals.get('filename')
        in_mmengine = step.tb_frame.f_globals.get('__name__', '').startswith('mmengine.')
        # A file that is not there is only the one looked for; others were temporary copies.
        is_sought = osp.isfile(str(name)) or isinstance(error, FileNotFoundError)
        if in_mmengine and isinstance(name, str) and is_sought:
            read = name
        if step.tb_frame.f_code.co_filename == read:
            line = step.tb_lineno
        step = step.tb_next
    return read, f', line {line}' if line else ''


def _reason(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f'syntax error: {error.msg}'
    if isinstance(error, ImportError) and error.__cause__ is not None:  # of custom_imports
        first: BaseException = error
        while (earlier := first.__cause__ or first.__context__) is not None:
            first = earlier
        return f'custom_imports: {first}; PYTHONPATH must name the folder that it is in'
    if isinstance(error, UnicodeDecodeError):
        return 'expected a config, text in UTF-8, got other bytes'
    if isinstance(error, OSError) and 'type are supported' in str(error):  # mmengine's, of a suffix
        return 'expected a config (.py, .yml, .yaml or .json), got another kind of file'
    return f'{type(error).__name__}: {str(error).partition(chr(10))[0]}'
