"""Without torch or OpenMMLab: what works, and what is said where something does not."""

import subprocess
import sys
from pathlib import Path

import pytest

import mmomni
from mmomni.cli import main
from mmomni.utils import needed
from mmomni.utils.needed import HOST, TRAIN, how_to_install

PACKAGE = Path(mmomni.__file__).parent
# `None` makes an import fail as if the package were not installed.
WITHOUT = 'import sys; sys.path.insert(0, {!r}); sys.modules.update(dict.fromkeys({!r}))\n'
MODULES = sorted(
    '.'.join(('mmomni', *path.relative_to(PACKAGE).with_suffix('').parts))
    for path in PACKAGE.rglob('*.py')
    if path.stem not in ('__init__', '__main__') and '.mim' not in path.parts
)
OF_TRAINING = (
    'mmomni.apis.finetuning.', 'mmomni.apis.inferencer', 'mmomni.apis.onnx_export',
    'mmomni.apis.onnx_layers', 'mmomni.apis.shared_context', 'mmomni.apis.torch_network',
    'mmomni.checkpoints.',
    'mmomni.datasets.doctamper', 'mmomni.datasets.domain_balanced_sampler', 'mmomni.datasets.host',
    'mmomni.datasets.lmdb_files', 'mmomni.datasets.manipulation', 'mmomni.datasets.reproducible',
    'mmomni.datasets.transforms', 'mmomni.engine.', 'mmomni.evaluation.functional',
    'mmomni.evaluation.metrics', 'mmomni.evaluation.results', 'mmomni.evaluation.robustness',
    'mmomni.models.', 'mmomni.registry', 'mmomni.utils.cuda_math', 'mmomni.utils.seeding',
)  # fmt: skip
IMPORT_ALL = """
import importlib
import mmomni
for name in {!r}:
    try:
        importlib.import_module(name)
        print('imported', name)
    except ModuleNotFoundError as error:
        print(error)
"""


def run(absent, code, folder):
    code = WITHOUT.format(str(PACKAGE.parent), absent) + code
    command = [sys.executable, '-c', code]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(
    'absent',
    [*(pytest.param((name,), id=name, marks=pytest.mark.host)
       for name in HOST if name not in TRAIN[1:]), pytest.param(HOST, id='all')],
)  # fmt: skip
def test_a_module_that_needs_what_is_missing_names_the_command(absent, tmp_path):
    done = run(absent, IMPORT_ALL.format(MODULES), tmp_path)
    assert (done.returncode, done.stderr) == (0, '')
    lines = done.stdout.splitlines()
    told = [line for line in lines if line == how_to_install(absent)]
    imported = [line for line in lines if line.startswith('imported ')]
    assert len(told) + len(imported) == len(lines) == len(MODULES), lines
    assert 'imported mmomni.synthesis.generate' in lines or 'imported mmomni.jpeg.luma' in lines
    assert len(told) > 50


def test_to_examine_images_takes_none_of_them(tmp_path):
    """What needs them is of training, testing and publishing, or runs a network by torch."""
    done = run((*HOST, 'scipy', 'skimage'), IMPORT_ALL.format(MODULES), tmp_path)
    imported = {line.split()[1] for line in done.stdout.splitlines() if line.startswith('imported')}
    told = set(MODULES) - imported
    assert {each for each in told if not each.startswith(OF_TRAINING)} == set()


@pytest.mark.host
def test_what_else_training_takes_is_named_likewise(tmp_path):
    absent = TRAIN[1:]
    done = run(absent, IMPORT_ALL.format(['mmomni.checkpoints.publishing']), tmp_path)
    assert (done.stdout, done.stderr) == (f'{how_to_install(absent)}\n', '')


@pytest.mark.host
def test_a_part_missing_in_what_is_installed_is_told_as_it_is(tmp_path):
    """It is another fault, and hiding it behind what else is missing would mislead."""
    done = run(('torch.nn', 'mmseg'), 'import mmomni.models.layers', tmp_path)
    last = done.stderr.splitlines()[-1]
    assert 'torch.nn' in last
    assert 'mmseg' not in last


@pytest.mark.parametrize('command', ['train a.py', 'test a.py a.pth', 'browse a.py'])
def test_a_command_names_it_in_one_line(command, tmp_path):
    done = command_without(HOST, command, tmp_path)
    expected = f'mmomni {command.split()[0]}: {how_to_install(HOST)}\n'
    assert (done.returncode, done.stdout, done.stderr) == (1, '', expected)


@pytest.mark.parametrize('weights', ['a.pth', 'a.safetensors'])
@pytest.mark.parametrize('command', ['predict a.jpg', 'serve', 'calibrate a.jpg --fpr 0.5'])
def test_a_checkpoint_of_torch_is_refused_in_one_line(command, weights, tmp_path):
    done = command_without(HOST, f'{command} --checkpoint {weights}', tmp_path)
    expected = f'mmomni {command.split()[0]}: {how_to_install(HOST)}\n'
    assert (done.returncode, done.stdout, done.stderr) == (1, '', expected)


def command_without(absent, command, folder):
    begins = {'a.jpg': b'', 'a.pth': b'PK\3\4', 'a.safetensors': bytes(8) + b'{'}
    for name, content in begins.items():
        (folder / name).write_bytes(content)
    return run(
        absent, f'from mmomni.cli import main; sys.exit(main({command.split()!r}))', folder
    )


def test_faces_need_what_finds_them_before_anything_is_made(tmp_path):
    command = 'synthesize nowhere out --domain face --num 1'
    code = f'from mmomni.cli import main; sys.exit(main({command.split()!r}))'
    done = run(('skimage',), code, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith('mmomni synthesize: faces are found by scikit-image, got ')
    assert done.stderr.endswith(": pip install 'mmomni[faces]'\n")
    assert done.stderr.count('\n') == 1
    assert not (tmp_path / 'out').exists()


def test_what_needs_none_of_them_goes_on(tmp_path):
    command = ['synthesize', 'rendered', 'out', '--domain', 'document', '--num', '1']
    code = f"""if True:
        from mmomni.cli import main
        status = main({[*command, '--max-side', '64']!r})
        try:
            main(['--version'])
        finally:
            sys.exit(status)
    """
    done = run((*HOST, 'skimage'), code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f'mmomni {mmomni.__version__}\n')
    assert len(list((tmp_path / 'out/images').iterdir())) == 1


@pytest.mark.parametrize(
    ('names', 'says', 'command'),
    [
        (('torch',), 'torch is not installed', "pip install 'mmomni[train]'"),
        (('matplotlib', 'tensorboard'), 'matplotlib, tensorboard are', "install 'mmomni[train]'"),
        (('mmseg',), 'mmseg is not installed', "pip install 'mmomni[onedl]'"),
        (('mmengine', 'mmseg'), 'mmengine, mmseg are not', "pip install 'mmomni[onedl]'"),
        (
            HOST,
            'of which torch, mmcv, mmengine, mmseg are not',
            (
                "pip install 'mmomni[train]' && pip install ninja && MMCV_WITH_OPS=1 pip install "
                "--no-build-isolation onedl-mmcv && pip install 'mmomni[onedl]'"
            ),
        ),
    ],
)
def test_commands_are_in_the_order_to_install(names, says, command):
    line = how_to_install(names)
    assert says in line
    assert line.endswith(command)
    assert line.count('pip install') == command.count('install')
    assert '\n' not in line


@pytest.mark.host
@pytest.mark.parametrize(('absent', 'changed'), [((), 'False'), (HOST, 'True')])
def test_nothing_is_changed_where_all_is_there(absent, changed, tmp_path):
    code = """if True:
        import mmomni
        from mmomni.utils import import_hooks, needed
        hooks = [each for each in sys.meta_path if isinstance(each, import_hooks._Finder)]
        print(needed._explaining in [each.around for each in hooks])
    """
    assert run(absent, code, tmp_path).stdout == f'{changed}\n'


def packages(folder, found):
    """A search path on which ``cv2`` is what is left of it, and these versions are installed."""
    (folder / 'cv2/data').mkdir(parents=True)
    for name, number in found.items():
        info = folder / f'{name.replace("-", "_")}-{number}.dist-info'
        info.mkdir()
        (info / 'METADATA').write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n')
    return [str(folder)]


@pytest.mark.parametrize(
    ('found', 'exact'),
    [({'opencv-python': '4.12.0.88'}, '==4.12.0.88'),
     ({'opencv-python-headless': '5.0.0.93', 'opencv-python': '4.12.0.88'}, '==5.0.0.93'),
     ({}, '')],
)  # fmt: skip
def test_opencv_without_its_files_names_the_command(found, exact, monkeypatch, tmp_path):
    """As after `pip uninstall` of one of the two packages that share them."""
    monkeypatch.setattr(sys, 'path', packages(tmp_path, found))
    monkeypatch.delitem(sys.modules, 'cv2', raising=False)
    with pytest.raises(ImportError, match='lost its files') as caught:
        needed.demand_opencv()
    command = f'pip install --force-reinstall --no-deps opencv-python-headless{exact}'
    assert str(caught.value).endswith(f': {command}')


def test_a_command_says_so_in_one_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, 'path', packages(tmp_path, {}))
    monkeypatch.delitem(sys.modules, 'cv2', raising=False)
    assert main(['check-data', str(tmp_path)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('mmomni check-data: OpenCV (cv2) is not there')


def test_libraries_of_a_display_are_explained():
    libgl = 'libGL.so.1: cannot open shared object file: No such file or directory'
    line = needed.explained(ImportError(libgl))
    assert line.startswith(f'{libgl}; if that is a server without display: pip install --force-')
    assert needed.explained(ImportError('no cv3')) == 'no cv3'
    assert needed.explained(ValueError(libgl)) == libgl


def test_what_the_system_says_of_a_file_is_a_sentence_about_the_file(tmp_path):
    with pytest.raises(OSError, match='Errno') as error:
        tmp_path.read_bytes()
    assert needed.explained(error.value) == f'{tmp_path}: Is a directory'
    assert needed.explained(OSError('of our own')) == 'of our own'


def test_an_opencv_that_works_is_not_complained_of():
    needed.demand_opencv()


@pytest.mark.parametrize('tool', ['train.py', 'test.py', 'model_converters/publish_model.py'])
def test_a_script_names_it_in_one_line(tool, tmp_path):
    script = str(PACKAGE.parent / 'tools' / tool)
    done = run(HOST, f'import runpy; runpy.run_path({script!r}, run_name="__main__")', tmp_path)
    assert (done.returncode, done.stdout) == (1, '')
    assert done.stderr == f'{how_to_install(HOST)}\n'
