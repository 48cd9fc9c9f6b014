"""The notebooks of the docs run as they are, and are stored without output."""

import json
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted((ROOT / 'docs' / 'notebooks').glob('*.ipynb'))
LINE = 120

every_notebook = pytest.mark.parametrize('path', NOTEBOOKS, ids=lambda path: path.stem)


def cells_of(path):
    return json.loads(path.read_text(encoding='utf-8'))['cells']


def test_there_is_one():
    assert NOTEBOOKS


@every_notebook
def test_outputs_are_stripped(path):
    for cell in cells_of(path):
        assert cell.get('outputs', []) == []
        assert cell.get('execution_count') is None
        assert cell['metadata'] == {}


@every_notebook
def test_lines_are_short_and_links_lead_somewhere(path):
    for cell in cells_of(path):
        source = ''.join(cell['source'])
        assert all(len(line) <= LINE for line in source.splitlines())
        if cell['cell_type'] == 'markdown':
            for target in re.findall(r'\]\(([^)\s]+)\)', source):
                assert (path.parent / target).exists(), target


@every_notebook
def test_code_compiles(path):
    for cell in cells_of(path):
        if cell['cell_type'] == 'code':
            compile(''.join(cell['source']), path.name, 'exec')


@pytest.fixture
def installed(tmp_path_factory):
    """A folder with the package as it is installed: with ``.mim``, which a bare checkout lacks."""
    folder = tmp_path_factory.mktemp('installed')
    (folder / 'mmomni/.mim').mkdir(parents=True)
    for path in (ROOT / 'mmomni').iterdir():
        if path.name != '.mim':
            (folder / 'mmomni' / path.name).symlink_to(path)
    for name in ('configs', 'tools', 'model-index.yml'):
        (folder / 'mmomni/.mim' / name).symlink_to(ROOT / name)
    return folder


@pytest.fixture
def executed(installed, tmp_path, monkeypatch):
    reason = 'runs notebooks: pip install nbclient nbformat ipykernel'
    nbclient = pytest.importorskip('nbclient', reason=reason)
    nbformat = pytest.importorskip('nbformat', reason=reason)
    pytest.importorskip('ipykernel', reason=reason)
    monkeypatch.setenv('PYTHONPATH', str(installed), prepend=os.pathsep)
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path / 'ipython'))  # no profile of a person
    monkeypatch.setenv('JUPYTER_PATH', str(tmp_path))
    monkeypatch.setenv('MPLBACKEND', 'module://matplotlib_inline.backend_inline')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')

    def execute(path):
        notebook = nbformat.read(path, as_version=4)
        nbclient.NotebookClient(
            notebook, timeout=300, kernel_name='python3',
            resources={'metadata': {'path': str(tmp_path)}},
        ).execute()  # fmt: skip
        return notebook

    return execute


@every_notebook
def test_runs_from_top_to_bottom(path, executed, tmp_path):
    notebook = executed(path)
    outputs = [output for cell in notebook.cells for output in cell.get('outputs', ())]
    shown = [output['data'] for output in outputs if 'data' in output]
    assert sum('text/html' in data for data in shown) == 2  # the results of two networks
    assert sum('image/png' in data for data in shown) == 1
    assert any('Iter(train)' in output.get('text', '') for output in outputs)
    assert {path.name for path in tmp_path.iterdir()} <= {'ipython', 'work_dirs'}
