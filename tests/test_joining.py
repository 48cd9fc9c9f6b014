"""What a newcomer finds: the workflow, the linters before a commit, the forms of issues."""

import os
import re
from pathlib import Path

import pytest
import yaml  # mmengine brings it

ROOT = Path(__file__).resolve().parent.parent
FORMS = sorted((ROOT / '.github' / 'ISSUE_TEMPLATE').glob('*.yml'))
TEXTS = ('CODE_OF_CONDUCT.md', 'CONTRIBUTING.md', 'SECURITY.md')


def read(name):
    return yaml.safe_load((ROOT / name).read_text(encoding='utf-8'))


@pytest.fixture(scope='module')
def job():
    (job,) = read('.github/workflows/ci.yml')['jobs'].values()
    return job


def supported():
    """Pairs of packages and Python, as the Makefile takes them."""
    newest = re.findall(
        r'^NEWEST_(\w+) := (\d+)$', (ROOT / 'Makefile').read_text(), flags=re.MULTILINE
    )
    # `make test` makes the light environment beside the other.
    return {
        (stack, f'3.{minor}')
        for stack, last in newest if stack != 'light'
        for minor in range(10, int(last) + 1)
    }  # fmt: skip


def test_the_workflow_runs_what_is_supported(job):
    matrix = job['strategy']['matrix']
    excluded = {(pair['stack'], pair['python']) for pair in matrix.get('exclude', ())}
    pairs = {(stack, python) for stack in matrix['stack'] for python in matrix['python']}
    assert all(isinstance(python, str) for python in matrix['python'])  # else 3.10 is 3.1
    assert excluded <= pairs
    assert pairs - excluded == supported()


def test_the_workflow_runs_what_anyone_can_run_at_home(job):
    assert [step['run'] for step in job['steps'] if 'run' in step] == ['make env', '.ci/run']
    assert os.access(ROOT / '.ci' / 'run', os.X_OK)
    assert job['env'] == {
        'STACK': '${{ matrix.stack }}', 'PYTHON': 'python${{ matrix.python }}',
    }  # fmt: skip
    makefile = (ROOT / 'Makefile').read_text()
    assert re.search(r'^STACK \?=', makefile, re.MULTILINE)  # so that the variables are taken
    assert re.search(r'^PYTHON \?=', makefile, re.MULTILINE)


def test_the_guide_names_what_ci_makes():
    made = re.findall(r'^make (\w+)', (ROOT / '.ci/run').read_text(), re.MULTILINE)
    (line,) = re.findall(r'^\.ci/run .*', (ROOT / 'CONTRIBUTING.md').read_text(), re.MULTILINE)
    assert re.findall(r'make (\w+)', line) == made


def test_the_workflow_may_only_read():
    assert read('.github/workflows/ci.yml')['permissions'] == {'contents': 'read'}


def test_the_linters_before_a_commit_are_those_of_make_lint(load_tool):
    versions = dict(tool.split('==') for tool in load_tool('make_env.py').TOOLS)
    ruff, local = read('.pre-commit-config.yaml')['repos']
    (check,), (mypy,) = ruff['hooks'], local['hooks']
    assert ruff['rev'] == f'v{versions["ruff"]}'
    assert check['id'] == 'ruff-check'
    assert 'args' not in check
    assert mypy['name'] == f'mypy {versions["mypy"]}'
    assert mypy['entry'] == 'python -m mypy'
    lint = (ROOT / 'Makefile').read_text().partition('\nlint:')[2].partition('\n\n')[0]
    commands = re.findall(r'python -m (.*)', lint)
    assert commands == ['ruff check .', 'mypy']


def test_there_is_a_form_for_each_kind():
    assert {form.stem for form in FORMS} == {'bug', 'config', 'feature', 'wrong_result'}


@pytest.mark.parametrize('name', ['bug', 'feature', 'wrong_result'])
def test_forms_have_what_github_demands(name):
    form = read(f'.github/ISSUE_TEMPLATE/{name}.yml')
    assert {'name', 'description', 'body'} <= set(form)
    asked = [field for field in form['body'] if field['type'] != 'markdown']
    assert len({field['id'] for field in asked}) == len(asked)
    assert all(field['attributes']['label'] for field in asked)
    assert any(field.get('validations', {}).get('required') for field in asked)


def test_a_wrong_result_asks_for_privacy_first():
    body = read('.github/ISSUE_TEMPLATE/wrong_result.yml')['body']
    assert 'public' in body[0]['attributes']['value']
    (consent,) = body[1]['attributes']['options']
    assert consent['required'] is True
    (record,) = (field for field in body if field.get('id') == 'record')
    without, _, _ = record['attributes']['description'].partition(':')
    assert {'path', 'image', 'name', 'files', 'evidence'} <= set(re.findall(r'\w+', without))


@pytest.mark.parametrize('name', [*TEXTS, *(form.relative_to(ROOT) for form in FORMS)])
def test_no_address_is_invented(name):
    """Reports go through GitHub's own forms."""
    assert not re.search(r'[\w.]+@[\w-]+\.\w+', (ROOT / name).read_text(encoding='utf-8'))
