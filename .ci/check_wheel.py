"""Build the distributions, install the wheel where nothing else of ours is, run its commands.

    .venv/bin/python .ci/check_wheel.py

Half a minute. What the package depends on comes from the environment of this interpreter, which
needs setuptools and wheel; nothing is downloaded.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOME_TESTS = (
    'tests/test_registry.py', 'tests/test_utils/test_files.py', 'tests/test_documentation.py'
)
"""Of the source distribution: they read pages, pictures, configs and neighbours in tests/."""


def run(*command: object, cwd: Path, **env: str) -> str:
    """Standard output of a command; where it fails, all that it printed, and the end."""
    words = [str(word) for word in command]
    # Threads would wait for each other; and of this checkout nothing may be found.
    env = {**os.environ, 'PYTHONPATH': '', 'OMP_NUM_THREADS': '1', **env}
    print('$', *words, flush=True)
    done = subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f'{done.stdout}{done.stderr}\n{words[0]} ended with {done.returncode}')
    if 'OneDL' in done.stdout:
        sys.exit(f'{done.stdout}\nexpected no line about OneDL')
    return done.stdout


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


def install(wheel: Path, folder: Path) -> Path:
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


def use(programs: Path, folder: Path) -> None:
    """The commands of a first visit, from a folder in which nothing is."""
    python, mmomni = programs / 'python', programs / 'mmomni'
    package = Path(run(python, '-c', 'import mmomni; print(*mmomni.__path__)', cwd=folder).strip())
    if not package.is_relative_to(programs.parent):
        sys.exit(f'expected mmomni in {programs.parent}, got {package}')
    version = run(mmomni, '--version', cwd=folder)
    expect(version == run(python, '-m', 'mmomni', '--version', cwd=folder))
    pages = ('rendered', 'pages', '--domain', 'document', '--num', '3', '--max-side', '96')
    run(mmomni, 'synthesize', *pages, cwd=folder)
    (weights,) = (package / 'weights').glob('*.safetensors')
    run(mmomni, 'predict', 'pages/images', '--checkpoint', weights, '--fpr', '0.05', cwd=folder)
    expect((folder / 'predictions/report.html').is_file())
    for tool in ('train.py', 'test.py'):
        run(python, package / '.mim/tools' / tool, '-h', cwd=folder)  # as mim does


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
        work = folder / 'work'
        work.mkdir()
        use(install(wheel, folder / 'clean'), work)
        tests = ('-m', 'pytest', '-q', '-p', 'no:cacheprovider', *SOME_TESTS)
        run(sys.executable, *tests, cwd=source, PYTHONPATH=str(source))
    print('the wheel and the source distribution work')


if __name__ == '__main__':
    main(sys.argv[1:])
