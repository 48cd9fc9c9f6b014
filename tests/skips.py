"""Which tests may be skipped, a plugin: ``--strict-skips`` fails a session that skips others.

A test that is skipped everywhere tests nothing, and nobody sees it. What ``make env`` installs is
there, so what needs it is never skipped by ``make test``; what is left depends on the machine, or
on the versions of torch and OpenMMLab.
"""

import pytest

EXPECTED = {
    'needs Chromium: apt-get install chromium': 'machines without a browser',
    'another C library': 'Linux without glibc',
    'torch has no oneDNN': 'processors for which torch is built without',
    'needs Ray and pyarrow: the extra ray': 'machines for which Ray has no wheels',
    'MMOMNI_JPEGS names no folder': '-m slow, where nobody has named JPEGs of his own',
    'the device that is not there is made of parts of torch 2.13': 'STACK=openmmlab',
    'torch before 2.9 has no newer flags': 'STACK=openmmlab',
    'torch casts to float16 on a CPU from 2.4 on': 'STACK=openmmlab',
    'this torch has no hooks there: its own message stays': 'STACK=openmmlab',
    'this mmengine skips by loading': 'STACK=openmmlab',
    'this mmengine has no InfiniteSampler.skip: it advances the loader': 'STACK=openmmlab',
}
"""Reasons, and where they hold. One that is not here is a fault of the suite or of the machine."""
REMEDY = (
    'Not expected: `make env` installs what the tests need, or pip install -e ".[dev]"; a reason '
    'that no machine of that kind can help belongs to EXPECTED in tests/skips.py'
)


def pytest_addoption(parser):
    parser.addoption(
        '--strict-skips',
        action='store_true',
        help='fail where a test is skipped for a reason that tests/skips.py does not expect',
    )


def counted(config):
    """How many tests were skipped for each reason; in a worker, whose reports are passed on, none.

    Modules that are skipped when they are read count as one test.
    """
    counts = {}
    terminal = config.pluginmanager.getplugin('terminalreporter')
    for report in terminal.stats.get('skipped', ()) if terminal else ():
        *_, message = report.longrepr
        reason = message.removeprefix('Skipped: ')
        counts[reason] = counts.get(reason, 0) + 1
    return counts


@pytest.hookimpl(tryfirst=True)  # before the others report how the session ended
def pytest_sessionfinish(session):
    strict = session.config.getoption('strict_skips')
    unexpected = counted(session.config).keys() - EXPECTED.keys()
    if strict and unexpected and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter, config):
    """All of them by reason, the unexpected last: that is where one looks."""
    counts = counted(config)
    unexpected = {reason: number for reason, number in counts.items() if reason not in EXPECTED}
    if not counts:
        return
    total = f'{sum(counts.values())} skipped, {sum(unexpected.values())} unexpected'
    terminalreporter.section(total)
    for reason, number in sorted(counts.items(), key=lambda item: item[0] in unexpected):
        where = EXPECTED.get(reason, 'UNEXPECTED')
        terminalreporter.write_line(f'{number} x {reason} ({where})')
    if unexpected:
        terminalreporter.write_line(REMEDY, red=config.getoption('strict_skips'))
