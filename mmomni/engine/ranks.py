"""Start several processes as torchrun does, and say in one line how they ended.

``python -m mmomni.engine.ranks`` takes torchrun's arguments; ``tools/dist_*.sh`` call it.
"""

import logging
import signal
import sys
from collections.abc import Sequence
from typing import Any

from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

WHY = {
    'SIGKILL': 'by the system for want of memory (dmesg tells), by a scheduler or by hand',
    'SIGBUS': 'a file that was cut while it was read (an LMDB), or /dev/shm is full (--shm-size)',
    'SIGABRT': 'mostly as another process was waited for too long, or the GPU failed; see above',
    'SIGSEGV': 'a crash of a library; see above',
    'SIGTERM': 'from outside, as schedulers do when the time is over',
}
"""What ends processes so."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until all processes ended, or one failed and the others were ended.

    Returns:
        The exit status: 0, or 1 where a process failed; 128 and the signal that ended all.
    """
    logging.getLogger('torch.distributed.elastic').setLevel(logging.CRITICAL)
    options = torchrun.parse_args(list(sys.argv[1:] if arguments is None else arguments))
    try:
        torchrun.run(options)
    except ChildFailedError as error:
        sys.stderr.write(f'{how_it_ended(error.failures)}; {_go_on(options)}\n')
        return 1
    except SignalException as error:
        sys.stderr.write(f'ended by {error.sigval.name}; {_go_on(options)}\n')
        return 128 + error.sigval
    return 0


def how_it_ended(failures: dict[int, Any]) -> str:
    """Which process was the first to end, and how; ``failures`` are torch's, by rank.

    The launcher ends all others by SIGTERM, which are among them.
    """
    own = {rank: each for rank, each in failures.items() if each.exitcode != -signal.SIGTERM}
    rank, first = min((own or failures).items(), key=lambda item: (item[1].timestamp, item[0]))
    if first.exitcode < 0:
        name = first.signal_name()
        how = f'was ended by {name} ({WHY.get(name, "a signal")})'
    else:
        how = f'ended with exit status {first.exitcode}, for the reason above'
    return f'rank {rank} (process {first.pid}) {how}, and no other goes on'


def _go_on(options: Any) -> str:
    words = [options.training_script, *options.training_script_args]
    is_training = any(word == 'train' or word.endswith('train.py') for word in words[:2])
    if not is_training:
        return 'run it again'
    return 'a training goes on from its last checkpoint with the same command and --resume'


if __name__ == '__main__':
    sys.exit(main())
