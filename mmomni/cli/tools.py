"""The scripts of ``tools/`` that are commands, too: from a wheel there is no ``tools/`` at hand."""

import importlib.util
import sys
from collections.abc import Sequence

from .parser import Commands

SCRIPTS = {
    'train': ('train.py', 'train a model by its config'),
    'test': ('test.py', 'test a checkpoint on all sets of a config'),
    'browse': (
        'analysis_tools/browse_dataset.py', 'draw what the data pipelines of a config make'
    ),
}
"""By command: the script below ``tools/``, and what it does."""
AFTER_STOP = {'train': 'the same command with --resume goes on from the last checkpoint'}
"""By command: what to do when it was stopped by Ctrl-C."""


def add_parsers(commands: Commands) -> None:
    """Declare the commands, for the list of all; arguments and their help are the scripts'."""
    for command, (_, summary) in SCRIPTS.items():
        commands.add_parser(command, help=summary, add_help=False)


def run(command: str, arguments: Sequence[str]) -> int:
    """Run the script of a command in this process, as ``python tools/...`` would.

    Returns:
        0. Other exit statuses are raised as ``SystemExit``.
    """
    from mmomni.utils.needed import demand_host, demand_opencv
    from mmomni.utils.staged import staged

    try:
        demand_opencv()
        demand_host()
        script = staged(f'tools/{SCRIPTS[command][0]}')
    except (FileNotFoundError, ImportError) as error:
        sys.exit(f'mmomni {command}: {error}')
    spec = importlib.util.spec_from_file_location(f'mmomni_{command}', script)
    assert spec is not None  # of every .py file there are both
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    argv, path = sys.argv, sys.path
    # The first is what argparse calls the program; beside a script are the modules it shares.
    sys.argv = [f'mmomni {command}', *arguments]
    sys.path = [str(script.parent), *path]
    try:
        spec.loader.exec_module(module)
        module.main()
    finally:
        sys.argv, sys.path = argv, path
    return 0
