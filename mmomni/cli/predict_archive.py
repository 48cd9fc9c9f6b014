import argparse
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmomni.utils.text import counted

from .model import add_model_options, open_model
from .parser import Commands, checked
from .predict import BAD_FILES, add_batch_size, add_output_options, views_of
from .progress import ProgressLine
from .stopping import StopRequest, check, status_of, until_stopped

if TYPE_CHECKING:
    from mmomni.reporting.archives import Archive, Opener, RayJob

SHARD_SIZE = 256
_MORE_THAN_0 = checked(float, lambda n: n > 0, 'more than 0')


def add_parser(commands: Commands) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        'predict-archive',
        help='predict lists of up to millions of images with a Ray cluster, into Parquet',
        description='Predict all files that lists name by the workers of a Ray cluster, and write '
        'OUT/records and OUT/pictures, sharded Parquet, and OUT/account.json. Shards that are done '
        'are not done again. Every machine must see the files, the checkpoint and OUT by the same '
        "paths. Needs the extra ray: pip install 'mmomni[ray]'. Exit status: 0, 1 an error, 2 "
        'wrong arguments, 3 some files failed (all others were predicted), 130 stopped by Ctrl-C '
        'and 143 by SIGTERM (the same command goes on).',
    )
    parser.add_argument(
        'inputs', nargs='+', type=Path, metavar='LIST',
        help='lists of files (.txt, .csv, .jsonl ...), or .parquet: a file, or a folder of such',
    )  # fmt: skip
    parser.add_argument(
        '--column', metavar='NAME',
        help='of Parquet, that of the paths (default: the one that is called like paths are)',
    )  # fmt: skip
    add_model_options(parser)
    add_output_options(parser, Path('archive'))
    add_batch_size(parser)
    parser.add_argument(
        '--shard-size', type=checked(int, lambda n: n >= 1, '1 or more'), default=SHARD_SIZE,
        metavar='N', help='files of a shard: so many at most a worker that dies has done for '
        'nothing (default: %(default)s)',
    )  # fmt: skip
    _add_cluster(parser)
    parser.set_defaults(
        run=_run, after_stop='shards that are done are in {out}; run the same command again to go '
        'on',
    )  # fmt: skip


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    """Where the work is done."""
    parser.add_argument(
        '--address', metavar='HOST:PORT',
        help='of a Ray cluster, or auto (default: RAY_ADDRESS, or a new one on this machine that '
        'ends with the command)',
    )  # fmt: skip
    parser.add_argument(
        '--workers', type=checked(int, lambda n: n >= 1, '1 or more'), metavar='N',
        help='processes that predict (default: as many as the cluster has room for)',
    )  # fmt: skip
    parser.add_argument(
        '--cpus-per-worker', type=_MORE_THAN_0, default=1.0, metavar='N',
        help='cores, and threads, of each (default: %(default)g)',
    )  # fmt: skip
    parser.add_argument(
        '--gpus-per-worker', type=checked(float, lambda n: n >= 0, '0 or more'), metavar='N',
        help='of each, also a part of one, as 0.25 (default: 1 where the cluster has GPUs)',
    )  # fmt: skip


def _opener(args: argparse.Namespace) -> 'Opener':
    """What opens the model in a worker, whose working directory is another."""
    asked = vars(args) | {
        name: Path(os.path.abspath(path))
        for name in ('checkpoint', 'calibration', 'config')
        if (path := getattr(args, name)) is not None and os.path.exists(path)
    }
    return partial(open_model, argparse.Namespace(**asked))


def _told(opener: 'Opener') -> tuple[dict[str, Any], Any]:
    """Settings and threshold of the model; the model itself stays in the worker."""
    _, settings, limit = opener()
    return settings, limit


def _run(args: argparse.Namespace) -> int:
    from mmomni.reporting import PredictionsInMemory
    from mmomni.reporting.archives import Archive, Cluster, RayJob, digests, listed_files

    lists = digests(args.inputs)
    cluster = Cluster(args.address, args.workers, args.cpus_per_worker, args.gpus_per_worker)
    opener = _opener(args)
    with RayJob(cluster) as job:
        model, limit = job.ask(partial(_told, opener))
        settings = PredictionsInMemory(model, args.format, limit, views_of(args)).settings
        listed = partial(listed_files, args.inputs, args.column)
        with Archive(args.out, settings | dict(lists=lists), listed, args.shard_size) as archive:
            print(f'before: {archive.account().text()}', flush=True)
            try:
                _examine(archive, job, opener, model, args)
            except StopRequest as stop:
                return _sum_up(archive, status_of(stop))
            except Exception:  # no end without an account
                archive.write_account()
                raise
            return _sum_up(archive, 0)


def _examine(
    archive: 'Archive', job: 'RayJob', opener: 'Opener', model: dict[str, Any],
    args: argparse.Namespace,
) -> None:  # fmt: skip
    from mmomni.reporting.archives import Options

    pending = archive.pending()
    if not pending:
        return
    show = ProgressLine('predict-archive')
    options = Options(args.format, views_of(args), args.batch_size)
    arguments = dict(root=archive.root, opener=opener, settings=model, options=options)
    done = sum(count.files for count in archive.done.values())
    show(done, archive.files)
    for number, count in until_stopped(job.examine(pending, arguments)):
        archive.done[number] = count
        done += count.files
        show(done, archive.files)
    check()


def _sum_up(archive: 'Archive', status: int) -> int:
    account = archive.write_account()
    if account.repeated:
        many = counted(account.repeated, 'name')
        print(f'{many} in the lists repeated, each is examined once', file=sys.stderr)
    print(f'after: {account.text()}; {account.pictures:,} results in {archive.root}')
    if account.damaged:
        print(f'what is damaged: the column damage of {archive.root / "records"}')
    if status:
        print('stopped; run the same command again to go on')
    elif account.failed:
        print(f'why files failed: {archive.root / "failures.jsonl"}')
    return status or (BAD_FILES if account.failed else 0)
