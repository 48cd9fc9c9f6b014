"""Build the distributions, install the wheel where nothing else of ours is, run its commands.

    .venv/bin/python .ci/check_wheel.py

A minute. The wheel is used twice: as somebody who examines images installs it, alone, with what pip
then brings and no compiler on the PATH; and where torch and OpenMMLab are, which the environment of
this interpreter lends. It needs setuptools and wheel.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOME_TESTS = (
    'tests/test_registry.py', 'tests/test_utils/test_files.py', 'tests/test_documentation.py'
)
"""Of the source distribution: they read pages, pictures, configs and neighbours in tests/."""


PHOTO = """
import numpy as np
from PIL import Image
from mmomni.synthesis.documents.pages import render_page
page = render_page(np.random.default_rng(0), 1024).image
Image.fromarray(page).save('photo.jpg', quality=90)
"""


def run(*command: object, cwd: Path, status: int = 0, **env: str) -> str:
    """What a command prints; where it ends otherwise than it should, all of it, and the end."""
    words = [str(word) for word in command]
    # Threads would wait for each other; and of this checkout nothing may be found.
    env = {**os.environ, 'PYTHONPATH': '', 'OMP_NUM_THREADS': '1', **env}
    print('$', *words, flush=True)
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != status:
        sys.exit(f'{done.stdout}{done.stderr}\n{words[0]} ended with {done.returncode}')
    if 'OneDL' in done.stdout:
        sys.exit(f'{done.stdout}\nexpected no line about OneDL')
    return done.stderr if status else done.stdout


def build(folder: Path) -> tuple[Path, Path]:
    """The source distribution of this tree, unpacked, and the wheel that is built of it."""
    code = f'from setuptools import build_meta; build_meta.build_sdist({str(folder)!r})'
    run(sys.executable, '-c', code, cwd=ROOT)
    (archive,) = folder.glob('*.tar.gz')
    shutil.unpack_archive(archive, folder)
    pip = (sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-index', '--no-build-isolation')
    run(*pip, '--wheel-dir', folder, archive, cwd=folder)
    (wheel,) = folder.glob('*.whl')
    return folder / archive.name.removesuffix('.tar.gz'), wheel


def lend(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel, and what it depends on by a path to where that is.

    Returns:
        Its folder of programs.
    """
    venv.create(folder, with_pip=False)
    python = folder / 'bin/python'
    (place,) = folder.glob('lib/python*/site-packages')
    # `.pth` files in there are not read, so an editable install of the same name is not found.
    (place / 'dependencies.pth').write_text(sysconfig.get_path('purelib') + '\n')
    pip = (sys.executable, '-m', 'pip', '--python', python, 'install', '--no-deps', '--no-index')
    run(*pip, '--ignore-installed', wheel, cwd=folder)
    return python.parent


def install(wheel: Path, folder: Path) -> Path:
    """A new environment with the wheel, as pip installs it; returns its folder of programs."""
    venv.create(folder, with_pip=True)
    programs, before = folder / 'bin', size(folder)
    start = time.monotonic()
    run(programs / 'python', '-m', 'pip', 'install', wheel, cwd=folder, PATH=str(programs))
    seconds = time.monotonic() - start
    print(f'{wheel.name}: {seconds:.0f} s, {(size(folder) - before) / 1e6:.0f} MB on disk')
    return programs


def size(folder: Path) -> int:
    """Bytes on disk."""
    return sum(512 * path.lstat().st_blocks for path in folder.rglob('*'))


def examine(programs: Path, folder: Path) -> None:
    """What somebody types who examines images, where neither torch nor a compiler is."""
    python, mmomni, path = programs / 'python', programs / 'mmomni', str(programs)
    package = where(programs, folder)
    run(python, '-m', 'pip', 'check', cwd=folder, PATH=path)
    run(python, '-c', PHOTO, cwd=folder, PATH=path)
    run(mmomni, 'predict', 'photo.jpg', cwd=folder, PATH=path)
    expect((folder / 'predictions/report.html').is_file())
    forge(mmomni, folder)
    run(mmomni, 'check-data', 'pages', '--out', 'report', cwd=folder, PATH=path)
    expect((folder / 'report/report.html').is_file())
    for command in ((mmomni, 'train'), (python, package / '.mim/tools/train.py')):
        said = run(*command, 'config.py', cwd=folder, status=1, PATH=path)
        expect(said.count('\n') == 1 and "pip install 'mmomni[onedl]'" in said)


def use(programs: Path, folder: Path) -> None:
    """The commands of a first visit, where torch and OpenMMLab are."""
    python, mmomni = programs / 'python', programs / 'mmomni'
    package = where(programs, folder)
    version = run(mmomni, '--version', cwd=folder)
    expect(version == run(python, '-m', 'mmomni', '--version', cwd=folder))
    forge(mmomni, folder)
    (weights,) = (package / 'weights').glob('*.safetensors')
    run(mmomni, 'predict', 'pages/images', '--checkpoint', weights, '--fpr', '0.05', cwd=folder)
    expect((folder / 'predictions/report.html').is_file())
    for tool in ('train.py', 'test.py'):
        run(python, package / '.mim/tools' / tool, '-h', cwd=folder)  # as mim does


def where(programs: Path, folder: Path) -> Path:
    """The folder of the installed package."""
    code = 'import mmomni; print(*mmomni.__path__)'
    package = Path(run(programs / 'python', '-c', code, cwd=folder).strip())
    if not package.is_relative_to(programs.parent):
        sys.exit(f'expected mmomni in {programs.parent}, got {package}')
    return package


def forge(mmomni: Path, folder: Path) -> None:
    """Three pages, in a folder in which nothing else of that name is."""
    pages = ('rendered', 'pages', '--domain', 'document', '--num', '3', '--max-side', '96')
    run(mmomni, 'synthesize', *pages, cwd=folder)


def expect(holds: bool) -> None:
    """End where something does not hold; the command is the last that was printed."""
    if not holds:
        sys.exit('the last command did not do what it should')


def main(argv: Sequence[str]) -> None:
    if argv:
        sys.exit(f'expected no arguments, got {" ".join(argv)}')
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, wheel = build(folder)
        for work in ('examining', 'training'):
            (folder / work).mkdir()
        examine(install(wheel, folder / 'light'), folder / 'examining')
        use(lend(wheel, folder / 'clean'), folder / 'training')
        tests = ('-m', 'pytest', '-q', '-p', 'no:cacheprovider', *SOME_TESTS)
        run(sys.executable, *tests, cwd=source, PYTHONPATH=str(source))
    print('the wheel and the source distribution work')


if __name__ == '__main__':
    main(sys.argv[1:])
