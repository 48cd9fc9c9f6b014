"""Which part of the package may know which: imports point down, wherever in a file they stand."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

import mmomni

LAYERS = (
    ('registry', 'version'),
    ('jpeg', 'utils', ''),
    ('models', 'datasets', 'evaluation', 'visualization'),
    ('checkpoints', 'engine', 'synthesis', 'inspection', 'evidence'),
    ('apis',),
    ('reporting', 'web', 'cli'),
    ('__main__',),
)
"""From bottom to top: each part may import what stands below it, and beside it without circles.

``''`` is the package itself, its ``__init__``.
"""
HEIGHT = {part: height for height, layer in enumerate(LAYERS) for part in layer}


class Import(NamedTuple):
    """One import between two modules of the package, both without the package's name."""

    importer: str
    imported: str
    place: str  # 'apis/samples.py:12'

    @property
    def parts(self) -> tuple[str, str]:
        return self.importer.split('.')[0], self.imported.split('.')[0]


def module_of(path: Path, root: Path) -> str:
    """``''`` for the package itself."""
    names = path.relative_to(root).with_suffix('').parts
    return '.'.join(names).removesuffix('__init__').strip('.')


def imports_of(path: Path, root: Path) -> Iterator[Import]:
    """Those of the same package, at the top of the file, in functions and for type checkers."""
    package = path.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            names = [alias.name.split('.') for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = ['mmomni', *package[: len(package) - node.level + 1]] if node.level else []
            base = above + (node.module.split('.') if node.module else [])
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == 'mmomni':
                inner = name[1:]
                # The last name may be that of a function or class.
                if not (root.joinpath(*inner).with_suffix('.py').exists()
                        or root.joinpath(*inner).is_dir()):  # fmt: skip
                    inner = inner[:-1]
                place = f'{path.relative_to(root).as_posix()}:{node.lineno}'
                yield Import(module_of(path, root), '.'.join(inner), place)


def breaches(root: Path) -> list[str]:
    """What does not hold in a package, in words."""
    paths = sorted(root.rglob('*.py'))
    entries = {path.relative_to(root).parts[0].removesuffix('.py') for path in paths}
    unknown = [
        f'mmomni/{entry} has no place in LAYERS; say what it may import, or move it into a part'
        for entry in sorted(entries - set(HEIGHT) - {'__init__'})
    ]
    if unknown:
        return unknown
    imports = [each for path in paths for each in imports_of(path, root)]
    upwards = [
        f'{each.place} imports mmomni.{each.imported}: {lower} stands below {upper}'
        for each in imports
        for lower, upper in [each.parts]
        if HEIGHT.get(lower, 0) < HEIGHT.get(upper, 0)
    ]
    parts = [each._replace(importer=lower, imported=upper)
             for each in imports for lower, upper in [each.parts] if lower != upper]  # fmt: skip
    return upwards + circle(parts) + circle(imports)


def circle(imports: list[Import]) -> list[str]:
    """The first circle of imports, each with one place that makes it."""
    places = {(each.importer, each.imported): each.place for each in imports}
    graph: dict[str, set[str]] = {}
    for importer, imported in places:
        graph.setdefault(importer, set()).add(imported)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring = error.args[1][::-1]  # it lists who is imported before who imports
        steps = (f'{a} -> {b} ({places[a, b]})' for a, b in pairwise(ring))
        return ['a circle of imports: ' + ', '.join(steps)]
    return []


def test_imports_point_down():
    found = breaches(Path(mmomni.__file__).parent)
    assert not found, '\n'.join(['', *found])


@pytest.fixture
def plant(tmp_path):
    """Write a package of some files and return what is wrong with it."""

    def write(**files: str) -> list[str]:
        for name, text in files.items():
            path = tmp_path / f'{name.replace("__", "/")}.py'
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return breaches(tmp_path)

    return write


def test_a_planted_import_upwards_is_named(plant):
    inside = 'def f():\n    from mmomni.apis.results import Region\n'
    assert plant(models__a=inside, apis__results='') == [
        'models/a.py:2 imports mmomni.apis.results: models stands below apis'
    ]


def test_an_import_upwards_for_type_checkers_alone_counts(plant):
    text = 'from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import mmomni.cli.model\n'
    assert plant(jpeg__a=text, cli__model='') == [
        'jpeg/a.py:3 imports mmomni.cli.model: jpeg stands below cli'
    ]


def test_a_planted_circle_of_neighbours_is_named(plant):
    (found,) = plant(
        models__a='from mmomni.datasets import b', models__c='', datasets__b='',
        datasets__d='from mmomni.models import c',
    )  # fmt: skip
    assert found.startswith('a circle of imports: ')
    assert 'models -> datasets (models/a.py:1)' in found
    assert 'datasets -> models (datasets/d.py:1)' in found


def test_a_planted_circle_inside_a_part_is_named(plant):
    (found,) = plant(engine__a='from .b import x', engine__b='def f():\n    from . import a\n')
    assert 'engine.a -> engine.b (engine/a.py:1)' in found
    assert 'engine.b -> engine.a (engine/b.py:2)' in found


def test_a_new_part_needs_a_place(plant):
    (found,) = plant(newcomer='')
    assert 'mmomni/newcomer has no place' in found


def test_what_points_down_or_aside_is_allowed(plant):
    assert plant(
        apis__a='from mmomni.models.b import X\nimport mmomni.version', models__b='import torch',
        version='', evaluation__c='from mmomni.models import b',
    ) == []  # fmt: skip


def test_the_package_is_seen_at_one_look():
    shown = {path.name for path in Path(mmomni.__file__).parent.iterdir()}
    assert len(shown - {'weights', 'py.typed', '.mim', '__main__.py', '__pycache__'}) <= 18
