"""Where torch is not installed, a plugin: which tests run there.

Those of ``make test STACK=light``, which has what ``pip install mmomni`` brings. All run but for

- modules that import at their top what is only where somebody trains,
- tests with a fixture that does, and tests marked ``host``.
"""

import ast
from importlib.util import find_spec
from pathlib import Path

IS_LIGHT = find_spec('torch') is None
TRAINING = {
    'matplotlib', 'mmcv', 'mmdet', 'mmengine', 'mmseg', 'prettytable', 'safetensors', 'scipy',
    'skimage', 'torch',
}  # fmt: skip
FIXTURES = {'log', 'make_planes', 'make_sample', 'mmseg_scope'}
"""Of conftest.py: they build what is the host's."""
ROOT = Path(__file__).resolve().parent


def imported_at_the_top(path):
    """First names of the modules that a file imports when it is imported."""
    names = set()
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Import):
            names |= {alias.name.partition('.')[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add((node.module or '').partition('.')[0])
    return names


def trains(path):
    """Whether a module of the tests, or a neighbour that it imports, needs what is not there."""
    names = imported_at_the_top(path)
    neighbours = (folder / f'{name}.py' for folder in (path.parent, ROOT) for name in names)
    return bool(names & TRAINING) or any(trains(each) for each in neighbours if each.is_file())


def pytest_ignore_collect(collection_path):
    """Modules, and folders whose own conftest needs it."""
    if not IS_LIGHT:
        return None
    conftest = collection_path / 'conftest.py'
    path = conftest if conftest.is_file() else collection_path
    return True if path.suffix == '.py' and path.parent != ROOT.parent and trains(path) else None


def pytest_collection_modifyitems(config, items):
    if not IS_LIGHT:
        return
    left_out = [
        item for item in items
        if item.get_closest_marker('host') or FIXTURES & set(getattr(item, 'fixturenames', ()))
    ]  # fmt: skip
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
