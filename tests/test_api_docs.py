"""``docs/api.md`` says what the code says; ``make docs`` writes it."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import mmomni.apis
import mmomni.checkpoints
from mmomni import registry

PAGE = Path(__file__).resolve().parents[1] / 'docs/api.md'
REGISTRIES = (
    'MODELS', 'TRANSFORMS', 'DATASETS', 'DATA_SAMPLERS', 'METRICS', 'HOOKS',
    'OPTIM_WRAPPER_CONSTRUCTORS',
)  # fmt: skip


@pytest.fixture(scope='module')
def sections():
    """Text of each part, by its heading."""
    parts = re.split(r'^### `(\w+)`$', PAGE.read_text(encoding='utf-8'), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.fixture(scope='module')
def documented():
    """What has to be there, by name."""
    objects = {}
    for module in (mmomni.apis, mmomni.checkpoints):
        objects |= {name: getattr(module, name) for name in module.__all__}
    for name in REGISTRIES:
        types = getattr(registry, name)
        types.import_from_location()
        objects |= types.module_dict
    return {name: thing for name, thing in objects.items() if callable(thing)}


def test_all_that_is_public_or_registered_has_its_section(sections, documented):
    assert sections.keys() == documented.keys()


def test_arguments_are_those_of_the_code(sections, documented):
    for name, thing in documented.items():
        shown = re.match(r'\s*```python\n(.*?)\n```', sections[name], re.DOTALL)
        if shown is None:  # nothing to call it with, or a plain tuple
            continue
        arguments = ast.parse(f'def {shown[1]}: ...').body[0].args
        names = [argument.arg for argument in arguments.args + arguments.kwonlyargs]
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        parameters = inspect.signature(thing).parameters.values()
        assert names == [p.name for p in parameters if p.kind not in kinds], name


def test_each_section_begins_with_the_purpose(sections, documented):
    for name, thing in documented.items():
        purpose = inspect.getdoc(thing).split('\n')[0]
        words = re.findall(r'\w+', re.sub(r':\w+:`~?([\w.]*\.)?(\w+)`', r'\2', purpose))
        text = re.sub(r'```python\n.*?\n```', '', sections[name], count=1, flags=re.DOTALL)
        assert re.findall(r'\w+', text)[: len(words)] == words, name
