#!/usr/bin/env python3
"""Run tests with the oldest, or the newest, versions of the packages that pyproject.toml allows.

Makes ``.venv-oldest`` or ``.venv-newest`` anew, with the Python that runs this, and tests there all
that reads, forges, examines and reports; some minutes each. What takes long to install, torch and
OpenMMLab, is lent by the environment of that Python, and is not what is tried:

    .venv/bin/python tools/try_versions.py --oldest
    .venv/bin/python tools/try_versions.py --newest tests/test_jpeg -k tiff
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
LENT = {'torch'}
LINTERS = {'mypy', 'ruff'}
# They try torch and OpenMMLab more than what is tried here.
LEFT_OUT = {'test_device', 'test_engine', 'test_model_profiling', 'test_models'}
NOT_HERE = (
    'try_versions.py: pip found no build of these versions for Python {0[0]}.{0[1]}, or another '
    'fault, see above; the oldest are older than Python 3.12, try 3.10 or 3.11'
)


def requirements(project: dict[str, Any], oldest: bool) -> list[str]:
    """What pip is asked for: every package at its minimum, or as new as is allowed.

    Args:
        project: The table ``project`` of a pyproject.toml.
        oldest: The minimums; a package of an extra may have none and is as new as is allowed then.

    Raises:
        ValueError: A package that everybody gets has no minimum.
    """
    needed = [Requirement(text) for text in project['dependencies']]
    asked = []
    for requirement in [*needed, *requirements_of(project, 'dev')]:
        if requirement.name in LENT | LINTERS:
            continue
        minimums = [each.version for each in requirement.specifier if each.operator == '>=']
        if oldest and minimums:
            asked.append(f'{requirement.name}=={minimums[0]}')
            continue
        if oldest and requirement in needed:
            raise ValueError(
                f'expected a minimum of every dependency in pyproject.toml, got {requirement}; '
                'give it the oldest version that its tests pass with'
            )
        asked.append(str(requirement))
    return asked


def requirements_of(project: dict[str, Any], extra: str) -> list[Requirement]:
    """Those of an extra, and of the other extras that it names."""
    found = []
    for requirement in map(Requirement, project['optional-dependencies'][extra]):
        if requirement.name == project['name']:
            for named in sorted(requirement.extras):
                found += requirements_of(project, named)
        else:
            found.append(requirement)
    return found


def make(path: Path, asked: list[str]) -> Path:
    """Make an environment with these packages, then those of this one; returns its Python."""
    python = path / 'bin' / 'python'
    venv.create(path, clear=True, with_pip=True)
    pip = [str(python), '-m', 'pip', '--disable-pip-version-check']
    subprocess.run([*pip, 'install', '--quiet', '--only-binary=:all:', *asked], check=True)
    subprocess.run([*pip, 'list', '--format=freeze'], check=True)
    # After its own packages, whose versions therefore count. Not earlier, or pip would see these.
    site = subprocess.run(
        [python, '-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    (Path(site) / 'lent.pth').write_text(sysconfig.get_path('purelib') + '\n')
    return python


def parse_args() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        description='Run tests with the oldest or the newest versions that pyproject.toml allows',
        epilog='all else is handed to pytest, instead of the tests that are run without: '
        'paths of tests, -k, ...',
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument('--oldest', action='store_true', help='the minimums, in .venv-oldest')
    which.add_argument('--newest', action='store_true', help='what pip finds, in .venv-newest')
    return parser.parse_known_args()


def main() -> int:
    args, tests = parse_args()
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']
    path = ROOT / ('.venv-oldest' if args.oldest else '.venv-newest')
    try:
        python = make(path, requirements(project, args.oldest))
    except subprocess.CalledProcessError:
        print(NOT_HERE.format(sys.version_info), file=sys.stderr)
        return 1
    folders = [str(each) for each in sorted((ROOT / 'tests').glob('test_*/'))]
    tests = tests or [each for each in folders if Path(each).name not in LEFT_OUT]
    workers = ['--numprocesses', 'auto', '--maxprocesses', '4']
    command = [str(python), '-m', 'pytest', *workers, *tests]
    # Programs that tests start elsewhere import this checkout, too.
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, 'PYTHONPATH': str(ROOT)}, check=False
    ).returncode


if __name__ == '__main__':
    sys.exit(main())
