"""What the suite says of tests that are skipped, and where that fails it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from skips import EXPECTED

TESTS = Path(__file__).resolve().parent
LISTED = 'another C library'
PASSED = 'def test_passed(): pass\n'
BY_MARK = """
import pytest
@pytest.mark.parametrize('number', range(3))
@pytest.mark.skipif(True, reason={reason!r})
def test_skipped(number): pass
"""
IN_TEST = 'import pytest\ndef test_skipped(): pytest.skip({reason!r})\n'
IN_MODULE = 'import pytest\npytest.skip({reason!r}, allow_module_level=True)\n'
BY_IMPORT = 'import pytest\nabsent = pytest.importorskip("no_such_module", reason={reason!r})\n'
MADE = {BY_MARK: 3, IN_TEST: 1, IN_MODULE: 1, BY_IMPORT: 1}
XFAIL = 'import pytest\n@pytest.mark.xfail\ndef test_it(): raise ValueError\n'


@pytest.fixture
def session(tmp_path):
    """Run files of tests with the plugin; exit status and lines."""

    def run(*sources, options=('--strict-skips',)):
        shutil.copy(TESTS / 'skips.py', tmp_path)
        (tmp_path / 'conftest.py').write_text("pytest_plugins = ['skips']\n")
        (tmp_path / 'pytest.ini').write_text('[pytest]\n')
        for number, source in enumerate((PASSED, *sources)):
            (tmp_path / f'test_made_{number}.py').write_text(source)
        env = dict(os.environ, PYTHONPATH='')
        command = [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', *options]
        result = subprocess.run(
            command, cwd=tmp_path, env=env, capture_output=True, check=False, text=True
        )
        return result.returncode, result.stdout + result.stderr

    return run


@pytest.mark.parametrize('workers', [(), ('-n', '2')], ids=['one process', 'two workers'])
def test_an_unexpected_skip_of_any_kind_fails_a_strict_session(session, workers):
    sources = [source.format(reason=f'why {n}') for n, source in enumerate(MADE)]
    status, output = session(*sources, options=('--strict-skips', *workers))
    assert status == pytest.ExitCode.TESTS_FAILED, output
    for number, count in enumerate(MADE.values()):
        assert f'{count} x why {number} (UNEXPECTED)' in output
    assert '6 skipped, 6 unexpected' in output
    assert 'make env' in output


def test_expected_skips_are_counted_and_fail_nothing(session):
    """Nor are failures that are expected any skips."""
    status, output = session(XFAIL, *(source.format(reason=LISTED) for source in MADE))
    assert status == pytest.ExitCode.OK, output
    assert '6 skipped, 0 unexpected' in output
    assert f'6 x {LISTED} ({EXPECTED[LISTED]})' in output
    assert 'make env' not in output


def test_without_the_option_unexpected_ones_are_told_alone(session):
    status, output = session(IN_TEST.format(reason='why'), options=())
    assert status == pytest.ExitCode.OK, output
    assert '1 skipped, 1 unexpected' in output


def test_other_ends_of_a_session_stay(session):
    failing = 'def test_failing(): assert False\ndef broken(:\n'
    status, output = session(failing, IN_TEST.format(reason='why'))
    assert status == pytest.ExitCode.INTERRUPTED, output


def test_every_expected_reason_is_one_of_the_suite():
    own = {Path(__file__).name, 'skips.py'}
    texts = [path.read_text() for path in TESTS.rglob('*.py') if path.name not in own]
    unused = [reason for reason in EXPECTED if not any(reason in text for text in texts)]
    assert unused == []


def test_ci_is_strict():
    assert '--strict-skips' in (TESTS.parent / '.ci/run').read_text()
