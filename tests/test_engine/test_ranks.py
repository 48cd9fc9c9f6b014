"""Which of several processes ended how, in one line of the launcher and no other."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mmomni.engine.ranks import how_it_ended

ROOT = Path(__file__).resolve().parents[2]
GUARD = 500

SCRIPT = """
import os, signal, sys
import torch
from mmengine.config import Config
from mmomni.engine.launch import allow_cpu_ranks, run_at_fault
cfg = Config(dict(
    launcher='pytorch', work_dir='.', env_cfg=dict(dist_cfg=dict(backend='gloo', timeout=100)),
))
allow_cpu_ranks(cfg)
with run_at_fault(cfg, is_training=True):
    for step in range(5):
        if step == 3 and os.environ['RANK'] == '1':
            os.kill(os.getpid(), signal.SIGKILL)
        torch.distributed.all_reduce(torch.ones(3))
"""


def failure(exitcode, timestamp=0):
    name = signal.Signals(-exitcode).name if exitcode < 0 else ''
    return SimpleNamespace(
        exitcode=exitcode, timestamp=timestamp, pid=77, signal_name=lambda: name
    )


@pytest.mark.parametrize(
    ('failures', 'expected'),
    [
        ({0: failure(-15), 3: failure(-9, 5)}, 'rank 3 (process 77) was ended by SIGKILL (by the'),
        ({0: failure(1, 2), 1: failure(2, 1)}, 'rank 1 (process 77) ended with exit status 2'),
        ({0: failure(-7)}, 'was ended by SIGBUS (a file that was cut'),
        ({2: failure(-15)}, 'rank 2 (process 77) was ended by SIGTERM (from outside'),
        ({2: failure(-31)}, 'was ended by SIGSYS (a signal)'),
    ],
)
def test_the_first_to_end_is_named(failures, expected):
    assert expected in how_it_ended(failures)


def test_one_line_where_a_process_was_killed(tmp_path):
    """The other notices, and leaves it to the launcher to say so."""
    (tmp_path / 'train.py').write_text(SCRIPT)
    run = subprocess.run(
        [
            sys.executable, '-m', 'mmomni.engine.ranks', '--standalone', '--nproc_per_node', '2',
            'train.py',
        ],
        cwd=tmp_path, env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True, text=True, timeout=GUARD, check=False,
    )  # fmt: skip
    assert run.returncode == 1
    (line,) = [each for each in run.stderr.splitlines() if 'rank' in each.lower()]
    assert line.startswith('rank 1 (process ')
    assert 'was ended by SIGKILL' in line
    assert line.endswith('with the same command and --resume')
    assert 'Traceback' not in run.stderr


@pytest.mark.parametrize('script', ['dist_train.sh', 'dist_test.sh'])
def test_scripts_start_their_processes_so(script):
    text = (ROOT / 'tools' / script).read_text()
    assert 'python -m mmomni.engine.ranks' in text
