"""The package as people install it, and the script that makes the environment."""

import configparser
import email
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ('.ci', 'configs', 'docs', 'mmomni', 'tests', 'tools')
FILES = (
    'CHANGELOG.md', 'CITATION.cff', 'LICENSE', 'MANIFEST.in', 'Makefile', 'README.md',
    'model-index.yml', 'pyproject.toml', 'setup.py',
)  # fmt: skip
STRAYS = (
    'build/lib/mmomni/old.py',
    'data/a.jpg',
    'docs/_build/index.html',
    'mmomni/.mim/configs/old.py',
    'mmomni/a.jpg',
    'work_dirs/a.py',
)
OF_A_CHECKOUT = {'tools/make_env.py', 'tools/try_versions.py'}
SOURCES = (
    '.css', '.html.jinja', '.js', '.md', '.onnx', '.py', '.safetensors', '.ttf', '.txt', '.typed',
)  # fmt: skip
NO_BUILD = shutil.ignore_patterns('.mim', '__pycache__', '_build')
NOT_OF_ALL = {
    'all': 'the sum of the others',
    'dev': 'asks for them',
    'docs': 'has `make docs`',
    'jpegio': 'has no wheels beyond Python 3.10; there are stand-ins',
    'onedl': 'is a stack, and `make env` makes it',
    'timm': 'would exchange torch; there are stand-ins',
}
"""Extras that pip alone cannot bring, or that the tests do without."""
OF_DEV_ALONE = {'test': 'is pytest', 'train': 'is torch, which who examines images does without'}


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


@pytest.fixture
def info(wheel):
    """The folder of what pip keeps of it."""
    (info,) = {name.split('/')[0] for name in wheel.namelist() if '.dist-info/' in name}
    return info


@pytest.fixture
def metadata(wheel, info):
    return email.message_from_bytes(wheel.read(f'{info}/METADATA'))


def files_of(folder):
    """The files below a folder of this tree that belong to the package."""
    paths = {path.relative_to(ROOT) for path in (ROOT / folder).rglob('*') if path.is_file()}
    return {str(path) for path in paths if not {'.mim', '__pycache__', '_build'} & set(path.parts)}


def test_wheel_holds_the_package_and_nothing_else(wheel):
    modules = {name for name in files_of('mmomni') if name.endswith(SOURCES)}
    assert {'mmomni/py.typed', 'mmomni/weights/README.md'} <= modules
    assert 'mmomni/utils/templates/base.html.jinja' in modules
    staged = (files_of('configs') | files_of('tools') | {'model-index.yml'}) - OF_A_CHECKOUT
    expected = modules | {f'mmomni/.mim/{name}' for name in staged}
    names = {name for name in wheel.namelist() if '.dist-info/' not in name}
    assert names == expected


def test_a_wheel_can_be_built_of_the_source_distribution(tree):
    code = 'from setuptools import build_meta; print(build_meta.build_sdist(".."))'
    command = [sys.executable, '-c', code]
    output = subprocess.run(command, cwd=tree, check=True, capture_output=True, text=True).stdout
    with tarfile.open(tree.parent / output.splitlines()[-1]) as archive:
        names = {name.partition('/')[2] for name in archive.getnames() if not name.endswith('.pyc')}
    needed = {name for name in files_of('mmomni') if name.endswith(SOURCES)} | set(FILES)
    needed |= files_of('configs') | files_of('tools')
    tests = files_of('tests') | files_of('docs') | files_of('.ci')  # and what they read
    assert needed | tests <= names
    assert not {name for name in names if name.startswith(('docs/_build', 'work_dirs', 'data'))}


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


def test_wheel_metadata(wheel, info, metadata):
    assert f'version: {metadata["Version"]}\n' in (ROOT / 'CITATION.cff').read_text()
    assert metadata['Requires-Python'] == '>=3.10'
    needed = [each for each in metadata.get_all('Requires-Dist') if 'extra ==' not in each]
    assert {re.match(r'[\w-]+', each).group() for each in needed} == {
        'exifread', 'Jinja2', 'jpeglib', 'numpy', 'onnxruntime', 'opencv-python-headless',
        'Pillow', 'Werkzeug',
    }  # fmt: skip
    scripts = configparser.ConfigParser()
    scripts.read_string(wheel.read(f'{info}/entry_points.txt').decode())
    assert dict(scripts['console_scripts']) == {'mmomni': 'mmomni.cli:main'}
    licence = next(name for name in wheel.namelist() if name.endswith('LICENSE'))
    assert 'Apache License' in wheel.read(licence).decode()


def test_pictures_and_links_of_the_description_are_addresses_or_words(metadata):
    assert metadata['Description-Content-Type'] == 'text/markdown'
    text = metadata.get_payload()
    assert text.startswith('# mmomni')
    assert not re.findall(r'\]\((?!https://)[^)]*\)', text)
    assert "heat map and prediction with the gate's choice" in text
    assert 'Omni-IML (*Towards' in text


def test_an_address_of_the_repository_makes_them_absolute(tree, tmp_path):
    shutil.copytree(tree, tmp_path / 'tree', ignore=shutil.ignore_patterns('weights'))
    project = tmp_path / 'tree/pyproject.toml'
    urls = '[project.urls]\n'
    source = 'https://example.org/them/mmomni'
    project.write_text(project.read_text().replace(urls, f'{urls}Source = "{source}/"\n'))
    code = 'from setuptools import build_meta; build_meta.prepare_metadata_for_build_wheel(".")'
    command = [sys.executable, '-c', code]
    subprocess.run(command, cwd=tmp_path / 'tree', check=True, capture_output=True, text=True)
    (path,) = (tmp_path / 'tree').glob('*.dist-info/METADATA')
    metadata = email.message_from_string(path.read_text())
    assert f'Source, {source}/' in metadata.get_all('Project-URL')
    text = metadata.get_payload()
    assert f']({source}/raw/HEAD/docs/images/gallery.jpg)' in text
    assert f']({source}/blob/HEAD/docs/serve.md)' in text


@pytest.mark.parametrize('extra', ['all', 'dev'])
def test_all_extras_that_pip_alone_can_bring_are_asked_for(extra, metadata):
    """By people with `all`; by the tests, or they would skip what is not there."""
    sums = [r for r in metadata.get_all('Requires-Dist') if r.startswith('mmomni[')]
    (asked,) = (each for each in sums if re.search(f'extra == .{extra}.', each))
    named = set(asked.partition('[')[2].partition(']')[0].split(','))
    left_out = NOT_OF_ALL | ({} if extra == 'dev' else OF_DEV_ALONE)
    assert left_out.keys() < (offered := set(metadata.get_all('Provides-Extra')))
    assert named == offered - left_out.keys()


def test_the_index_of_models_names_what_the_wheel_carries(wheel):
    """As mim and mmengine read it: all paths are relative to ``mmomni/.mim``."""
    index = yaml.safe_load(wheel.read('mmomni/.mim/model-index.yml'))
    assert index['Import']
    for metafile in index['Import']:
        content = yaml.safe_load(wheel.read(f'mmomni/.mim/{metafile}'))
        collections = {collection['Name'] for collection in content['Collections']}
        for model in content['Models']:
            assert f'mmomni/.mim/{model["Config"]}' in wheel.namelist()
            assert Path(model['Config']).stem == model['Name']
            assert model['In Collection'] in collections
            weights = hashlib.sha256(wheel.read(model['Weights'])).hexdigest()
            assert f'-{weights[:8]}.' in model['Weights']
            assert all(result['Dataset'] and result['Metrics'] for result in model['Results'])


def test_an_editable_install_links_what_mim_looks_for(tree, tmp_path):
    root = tmp_path / 'tree'
    shutil.copytree(tree, root, ignore=shutil.ignore_patterns('weights', 'docs', 'tests'))
    code = 'from setuptools import build_meta; build_meta.build_editable("..")'
    subprocess.run([sys.executable, '-c', code], cwd=root, check=True, capture_output=True)
    mim = root / 'mmomni/.mim'
    assert (mim / 'tools/train.py').samefile(root / 'tools/train.py')
    assert (mim / 'configs').samefile(root / 'configs')
    assert (mim / 'model-index.yml').samefile(root / 'model-index.yml')


def test_figures_of_the_index_are_those_of_the_benchmark():
    lines = (ROOT / 'docs/benchmarks.md').read_text().splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith('| **released** |'))
    head = max(n for n, line in enumerate(lines[:row]) if line.startswith('| | AUC |'))
    cells = [[cell.strip() for cell in lines[n].strip('|').split('|')] for n in (head, row)]
    figures = dict(zip(*cells, strict=True))
    (model,) = yaml.safe_load((ROOT / 'configs/lite/metafile.yml').read_text())['Models']
    found = {r['Dataset']: f'{r["Metrics"]["IoU"]:.3f}' for r in model['Results']}
    assert found == {
        'CASIA 2': figures['casia2'], 'CG-1050': figures['cg1050'], 'Lalonde': figures['lalonde'],
        'Columbia': figures['columbia'], 'CoMoFoD': figures['comofod'],
        'synthesised photographs': figures['natural'],
        'synthesised documents': figures['document'], 'synthesised faces': figures['face'],
    }  # fmt: skip


@pytest.mark.slow
def test_the_wheel_works_in_a_clean_environment():
    command = [sys.executable, '.ci/check_wheel.py']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


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


@pytest.mark.parametrize('name', ['onedl', 'openmmlab'])
def test_what_a_stack_pins_is_not_exchanged_for_what_we_need(make_env, tmp_path, monkeypatch, name):
    """pip takes the newest NumPy for one of our extras, and torch 2.1 is of an older one."""
    asked = []
    monkeypatch.setattr(make_env.Environment, '_pip', lambda _, *words, **__: asked.append(words))
    for step in ('_make_venv', '_make_mmcv', '_check'):
        monkeypatch.setattr(make_env.Environment, step, lambda _: None)
    stack = make_env.STACKS[name]
    make_env.Environment(tmp_path, stack, stack.torch).make()
    assert any(str(make_env.ROOT) in word for word in asked[-1])
    assert set(stack.host) <= set(asked[-1])


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
