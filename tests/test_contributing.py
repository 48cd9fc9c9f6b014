"""The recipes of CONTRIBUTING.md, followed to the letter in a copy of this tree."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ('configs', 'docs', 'mmomni', 'tests', 'tools')
LEFT_OUT = shutil.ignore_patterns('__pycache__', '_build', '.mim', 'weights', 'results')
BLOCK = re.compile(r'^```(\w+)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
TESTING = ['python', '-m', 'pytest']


class Recipe(NamedTuple):
    """What a chapter tells to write and to run.

    Attributes:
        writes: Language, file and text of each block but the commands'.
        commands: Words of each.
    """

    writes: list[tuple[str, str, str]]
    commands: list[list[str]]


def read_recipes():
    text = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    recipes = {}
    for chapter in re.split(r'^## ', text, flags=re.MULTILINE)[1:]:
        title, _, body = chapter.partition('\n')
        writes, commands = [], []
        for language, block in BLOCK.findall(body):
            if language == 'bash':
                lines = block.replace('\\\n', ' ').splitlines()
                commands += [shlex.split(line) for line in lines]
            else:
                path, _, content = block.partition('\n')
                writes.append((language, path.removeprefix('# '), content))
        recipes[title.rpartition(' ')[2]] = Recipe(writes, commands)
    return recipes


RECIPES = read_recipes()


def changed(text, diff):
    """A text after a block of lines that begin with ' ', '-' or '+'."""
    lines = diff.splitlines()
    assert all(line[:1] in ('', ' ', '-', '+') for line in lines)
    before, after = (
        '\n'.join(line[1:] for line in lines if line[:1] != left_out) for left_out in '+-'
    )
    assert text.count(before) == 1, f'expected once, found {text.count(before)} times: {before}'
    return text.replace(before, after)


def follow(recipe, tree):
    """Write what a recipe says, and return the files."""
    for language, name, content in recipe.writes:
        path = tree / name
        assert path.exists() == (language == 'diff'), name
        text = changed(path.read_text('utf-8'), content) if language == 'diff' else content
        path.write_text(text, encoding='utf-8')
    return sorted({name for _, name, _ in recipe.writes})


def run(tree, *words):
    """A command in a tree, whose package is the one that is found."""
    words = [sys.executable, *words[1:]] if words[0] == 'python' else words
    environ = dict(os.environ, PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE='1')
    done = subprocess.run(
        words, cwd=tree, env=environ, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def lint(tree, files):
    code = [name for name in files if name.endswith('.py')]
    run(tree, 'python', '-m', 'ruff', 'check', '--no-cache', *code)


@pytest.fixture
def tree(tmp_path):
    """A copy of what recipes change and what their tests need."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=LEFT_OUT, symlinks=True)
    shutil.copy(ROOT / 'pyproject.toml', tmp_path)
    return tmp_path


def test_there_is_a_recipe_for_each():
    assert list(RECIPES) == ['dataset', 'backbone', 'operation', 'metric']
    for recipe in RECIPES.values():
        assert any(name.startswith('tests/') for _, name, _ in recipe.writes)
        assert any(command[:3] == TESTING for command in recipe.commands)


def test_all_recipes_at_once(tree):
    """One after the other into one tree; their tests run in one process, because they start slowly.

    That each stands alone is shown below.
    """
    files, tests = [], []
    for recipe in RECIPES.values():
        files += follow(recipe, tree)
        for command in recipe.commands:
            if command[:3] == TESTING:
                tests += command[3:]
            else:
                run(tree, *command)
    lint(tree, files)
    output = run(tree, *TESTING, '-q', '-p', 'no:cacheprovider', '-p', 'no:xdist', *tests)
    assert 'skipped' not in output


@pytest.mark.slow
@pytest.mark.parametrize('name', RECIPES)
def test_each_recipe_alone_and_all_of_lint(name, tree):
    lint(tree, follow(RECIPES[name], tree))
    for command in RECIPES[name].commands:
        run(tree, *command)
    run(tree, 'python', '-m', 'mypy')


@pytest.mark.parametrize('text', ['', 'a\nb\na\nb\n'])
def test_a_change_that_does_not_fit_is_an_error(text):
    with pytest.raises(AssertionError, match='expected once'):
        changed(text, ' a\n+new\n b\n')
