"""Where torch is not installed: which tests run there, as a plugin and as a program.

    .venv-light/bin/python tests/light.py [arguments of pytest]

is what ``make test STACK=light`` calls, where is what ``pip install mmomni`` brings. (pytest itself
reads the conftest of each folder before anybody can leave the folder out.) All of ``RUN`` but for

- modules that import, at their top, what only training needs, or what of ours imports it
  (tests/test_utils/test_needed.py says what of ours may),
- tests with a fixture that does, and tests marked ``host``.
"""

import ast
import importlib
import sys
from importlib.util import find_spec
from pathlib import Path

IS_LIGHT = find_spec('torch') is None
TRAINING = {
    'matplotlib', 'mmcv', 'mmdet', 'mmengine', 'mmseg', 'prettytable', 'safetensors', 'scipy',
    'skimage', 'torch',
}  # fmt: skip
FIXTURES = {
    'log', 'make_planes', 'make_sample', 'mmseg_scope', 'published', 'training_checkpoint',
}  # fmt: skip
"""Of the conftests: they build what is the host's."""
ROOT = Path(__file__).resolve().parent
RUN = (
    'test_apis', 'test_checkpoints', 'test_cli', 'test_evidence', 'test_import.py',
    'test_inspection', 'test_jpeg', 'test_reporting', 'test_synthesis/test_folder.py',
    'test_synthesis/test_fonts.py', 'test_utils', 'test_web',
)  # fmt: skip
LEFT_OUT = {
    'test_cli/test_tools_as_commands.py': 'of training',
    'test_inspection/test_opening.py': "compares with the training's datasets",
    'test_inspection/test_reading.py': "compares with the training's loaders",
    'test_reporting/test_archives': 'needs the extra ray, which the other environment has',
    'test_web/test_browser.py': 'needs a browser and playwright',
}


def main(arguments):
    """Run pytest on the paths that are named, or on all modules of ``RUN`` that can run here."""
    import pytest

    named = any(Path(each.partition('::')[0]).exists() for each in arguments)
    return pytest.main([*arguments, *([] if named else map(str, modules()))])


def modules():
    """What is run: of ``RUN`` what neither needs training nor is ``LEFT_OUT``."""
    found = (path for name in RUN for path in [ROOT / name, *(ROOT / name).rglob('test_*.py')])
    left_out = {ROOT / name for name in LEFT_OUT}
    return [path for path in found if path.is_file() and not {path, *path.parents} & left_out
            and not needs_training(path)]  # fmt: skip


def imports_at_the_top(path):
    """Pairs of a module and the names taken of it, as a file imports them when it is imported."""
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module, tuple(alias.name for alias in node.names)


def trains(path):
    """Whether a module of the tests, or a neighbour that it imports, needs what is not there."""
    for module, names in imports_at_the_top(path):
        first = module.partition('.')[0]
        if first in TRAINING or (first == 'mmomni' and not can_be_imported(module, names)):
            return True
        neighbours = (folder / f'{first}.py' for folder in (path.parent, ROOT))
        if any(trains(each) for each in neighbours if each.is_file()):
            return True
    return False


def can_be_imported(module, names):
    """Whether a module of ours does without what is not there; another fault is raised."""
    try:
        found = importlib.import_module(module)
        for name in names:
            getattr(found, name, None)
    except ModuleNotFoundError as error:
        if (error.name or '').partition('.')[0] in TRAINING:
            return False
        raise
    return True


def needs_training(path):
    """Whether a module of the tests, or the conftest of a folder around it, trains."""
    folders = (each for each in path.resolve().parents if ROOT in each.parents)
    conftests = (folder / 'conftest.py' for folder in folders)
    return any(trains(each) for each in (path, *conftests) if each.is_file())


def pytest_collection_modifyitems(config, items):
    if not IS_LIGHT:
        return
    left_out = [
        item for item in items
        if item.get_closest_marker('host') or FIXTURES & set(getattr(item, 'fixturenames', ()))
    ]  # fmt: skip
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
