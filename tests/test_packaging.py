"""The package as people install it, and the script that makes the environment."""

import configparser
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ('mmomni', 'configs', 'tools')
FILES = (
    'CITATION.cff', 'LICENSE', 'MANIFEST.in', 'README.md', 'model-index.yml', 'pyproject.toml',
    'setup.py',
)  # fmt: skip
STRAYS = (
    'build/lib/mmomni/old.py',
    'data/a.jpg',
    'mmomni/.mim/configs/old.py',
    'mmomni/a.jpg',
    'tests/test_a.py',
    'work_dirs/a.py',
)
OF_A_CHECKOUT = {'tools/make_env.py', 'tools/try_versions.py'}
SOURCES = ('.py', '.css', '.html.jinja', '.js', '.md', '.safetensors')
NO_BUILD = shutil.ignore_patterns('.mim', '__pycache__')


@pytest.fixture(scope='module')
def tree(tmp_path_factory):
    """A copy of this tree, in which an older build and other work lie about."""
    tree = tmp_path_factory.mktemp('packaging') / 'tree'
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=NO_BUILD)
    for name in FILES:
        shutil.copy(ROOT / name, tree / name)
    for stray in STRAYS:
        (tree / stray).parent.mkdir(parents=True, exist_ok=True)
        (tree / stray).touch()
    return tree


@pytest.fixture(scope='module')
def wheel(tree):
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-index']
    command += ['--no-build-isolation', '--wheel-dir', str(tree.parent), str(tree)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    (path,) = tree.parent.glob('*.whl')
    with zipfile.ZipFile(path) as archive:
        yield archive


def files_of(folder):
    """The files below a folder of this tree that belong to the package."""
    paths = {path.relative_to(ROOT) for path in (ROOT / folder).rglob('*') if path.is_file()}
    return {str(path) for path in paths if not {'.mim', '__pycache__'} & set(path.parts)}


def test_wheel_holds_the_package_and_nothing_else(wheel):
    modules = {name for name in files_of('mmomni') if name.endswith(SOURCES)}
    assert {'mmomni/utils/templates/base.html.jinja', 'mmomni/weights/README.md'} <= modules
    staged = (files_of('configs') | files_of('tools') | {'model-index.yml'}) - OF_A_CHECKOUT
    expected = modules | {f'mmomni/.mim/{name}' for name in staged}
    names = {name for name in wheel.namelist() if '.dist-info/' not in name}
    assert names == expected


def test_a_wheel_can_be_built_of_the_source_distribution(tree):
    code = 'from setuptools import build_meta; print(build_meta.build_sdist(".."))'
    command = [sys.executable, '-c', code]
    output = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout
    with tarfile.open(tree.parent / output.splitlines()[-1]) as archive:
        names = {name.partition('/')[2] for name in archive.getnames()}
    needed = {name for name in files_of('mmomni') if name.endswith(SOURCES)} | set(FILES)
    assert needed | files_of('configs') | files_of('tools') - OF_A_CHECKOUT <= names


def test_pages_of_the_installed_package_are_found(wheel, tmp_path):
    wheel.extractall(tmp_path)
    code = """if True:
        from mmomni.utils.templates import ENVIRONMENT, __file__
        print(__file__)
        print(ENVIRONMENT.list_templates(['jinja']))
    """
    command = [sys.executable, '-c', code]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert output.stdout.startswith(str(tmp_path))
    assert 'data_report.html.jinja' in output.stdout


def test_tools_of_the_installed_package_are_commands(wheel, tmp_path):
    """Outside of a checkout, with configs of the package by their names."""
    wheel.extractall(tmp_path)
    name = 'lite/omni-iml_efficientnet-lite0_1xb12-40k_192x19.py'
    command = [sys.executable, '-m', 'mmomni.cli', 'train', f'mmomni::{name}']
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('mmomni train: expected a config')
    assert f"got 'mmomni::{name}', no such file" in line
    assert line.endswith('is it mmomni::lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py?')
    assert done.stdout == ''


def test_wheel_metadata(wheel):
    (info,) = {name.split('/')[0] for name in wheel.namelist() if '.dist-info/' in name}
    metadata = wheel.read(f'{info}/METADATA').decode()
    version = re.search(r'^Version: (.*)$', metadata, re.MULTILINE).group(1)
    assert f'version: {version}\n' in (ROOT / 'CITATION.cff').read_text()
    assert 'Requires-Python: >=3.10' in metadata
    required = re.findall(r'^Requires-Dist: ([\w-]+)(?!.*extra ==).*$', metadata, re.MULTILINE)
    assert set(required) == {
        'Jinja2', 'jpeglib', 'matplotlib', 'numpy', 'opencv-python', 'Pillow', 'prettytable',
        'safetensors', 'scikit-image', 'tensorboard', 'torch',
    }  # fmt: skip
    scripts = configparser.ConfigParser()
    scripts.read_string(wheel.read(f'{info}/entry_points.txt').decode())
    assert dict(scripts['console_scripts']) == {'mmomni': 'mmomni.cli:main'}
    licence = next(name for name in wheel.namelist() if name.endswith('LICENSE'))
    assert 'Apache License' in wheel.read(licence).decode()


def test_configs_of_the_installed_package_are_found_by_name(wheel, tmp_path):
    wheel.extractall(tmp_path)
    bases = [name.partition('/')[2] for name in files_of('configs') if name.endswith('.py')]
    for number, base in enumerate(bases):
        (tmp_path / f'{number}.py').write_text(f"_base_ = ['mmomni::{base}']\n")
    code = """if True:
        from glob import glob
        import mmomni
        from mmengine import Config
        from mmengine.registry import MODELS, VISUALIZERS, init_default_scope
        print(mmomni.__file__)
        for path in glob('*.py'):
            cfg = Config.fromfile(path)
            if 'demo' in open(path).read():  # what mmengine puts into scope mmomni still builds
                init_default_scope(cfg.default_scope)
                MODELS.build(cfg.model)
                VISUALIZERS.build(cfg.visualizer)
    """
    command = [sys.executable, '-c', code]
    output = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    assert output.stdout.startswith(str(tmp_path))


@pytest.fixture(scope='module')
def make_env(load_tool):
    return load_tool('make_env.py')


@pytest.mark.parametrize(
    ('output', 'expected'),
    [
        pytest.param('Collecting mmcv\n', '', id='not compiling'),
        pytest.param('  [1/7] c++ a.cpp\n  [2/7] c++ b.cpp\n', '2 of 7 files compiled', id='count'),
        pytest.param('[1/7] c++ a.cpp\nwarning: [3/7] \n', '1 of 7 files compiled', id='warning'),
    ],
)
def test_progress_is_read_from_ninja(make_env, output, expected):
    assert make_env.compiled(output) == expected


def test_environment_meets_the_floors_of_the_extra(make_env):
    text = (ROOT / 'pyproject.toml').read_text()
    floors = dict(re.findall(r'"(onedl-\w+)>=([\d.]+)"', text))
    stack = make_env.STACKS['onedl']
    pins = dict(name.split('==') for name in (*stack.host, stack.mmcv) if name.startswith('onedl'))
    assert floors.keys() == pins.keys()

    def number(version):
        return [int(part) for part in version.split('.')]

    assert all(number(pins[name]) >= number(floors[name]) for name in floors)


def test_environment_is_ready_until_its_inputs_change(make_env, tmp_path):
    stack = make_env.STACKS['onedl']
    environment = make_env.Environment(tmp_path, stack, stack.torch)
    assert not environment.is_ready()
    (tmp_path / 'bin').mkdir()
    environment.python.symlink_to(sys.executable)
    environment.stamp.write_text(environment.digest)
    assert environment.is_ready()
    assert not make_env.Environment(tmp_path, stack, 'torch==2.12.0').is_ready()


def test_a_failed_step_names_the_log(make_env, tmp_path):
    stack = make_env.STACKS['onedl']
    environment = make_env.Environment(tmp_path, stack, stack.torch)
    environment._take_lock()
    with pytest.raises(make_env.StepError, match=r'make_env\.log'):
        environment._run(sys.executable, '-c', 'raise SystemExit("no luck")')
    assert 'no luck' in environment.log.read_text()


def test_a_folder_of_somebody_else_is_left_alone(make_env, tmp_path):
    (tmp_path / 'theirs.txt').touch()
    stack = make_env.STACKS['onedl']
    for _ in range(2):
        with pytest.raises(make_env.MakeEnvError, match='choose another folder'):
            make_env.Environment(tmp_path, stack, stack.torch).make()
        assert [path.name for path in tmp_path.iterdir()] == ['theirs.txt']


def test_the_same_versions_of_python_everywhere(tmp_path):
    """The classifiers, `make env` (by what it says to a Python that is none) and the README."""
    text = (ROOT / 'pyproject.toml').read_text()
    minors = [int(each) for each in re.findall(r'"Programming .* Python :: 3\.(\d+)"', text)]
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert f'requires-python = ">=3.{minors[0]}"' in text
    span = f'3.{minors[0]} to 3.{minors[-1]}'
    assert f'Python {span} ' in (ROOT / 'README.md').read_text()
    command = ['make', 'env', 'PYTHON=false', f'VENV={tmp_path}/venv']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert f'is no Python {span} ' in done.stderr
    assert not (tmp_path / 'venv').exists()
