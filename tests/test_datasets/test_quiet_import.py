"""What mmseg prints when it is imported."""

import subprocess
import sys


def test_the_line_that_is_of_no_use_is_kept_back_and_no_other(tmp_path):
    (tmp_path / 'mmseg/datasets').mkdir(parents=True)
    (tmp_path / 'mmseg/__init__.py').touch()
    (tmp_path / 'mmseg/datasets/__init__.py').write_text(
        "print('Could not import OneDL')\nprint('of use')\nBaseSegDataset = None\n"
    )
    (tmp_path / 'mmseg/datasets/transforms.py').write_text(
        "print('Could not import OneDL')\nPackSegInputs = None\n"
    )
    code = f'import sys; sys.path.insert(0, {str(tmp_path)!r}); import mmomni.datasets.host'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == 'of use\n'


def test_what_our_datasets_import_prints_nothing():
    code = 'import mmomni.datasets.manipulation, mmomni.datasets.transforms'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == ''


def test_what_a_runner_imports_for_its_loops_prints_nothing():
    """After the hooks of a run, mmengine has all of mmseg imported to look for a loop."""
    code = 'import mmomni.engine.hooks, mmseg.utils; mmseg.utils.register_all_modules(False)'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout == ''
