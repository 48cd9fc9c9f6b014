"""The ablation table at a size that two CPU cores can train (docs/benchmarks.md).

    python tools/analysis_tools/mini_benchmark.py SOURCES

``SOURCES`` holds authentic images in ``natural/``, ``document/`` and ``face/`` (scene text is
forged in those of ``natural/`` unless there is a ``scene_text/``), and real forgeries in
``forged_dev/images`` and ``forged_dev/masks``. Every fifth image, by name, is a source of test
images and never of training images. Trains every row with the same budget and seeds, tests it and
prints the table; what is finished already is not done again.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

from mmomni.synthesis import DOMAINS
from mmomni.utils.files import find_images

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs/mini'
ROWS = (
    'omni-iml', 'upernet', 'omni-iml-wo-mg', 'omni-iml-wo-mg-star', 'omni-iml-wo-dwd',
    'omni-iml-wo-dw', 'omni-iml-wo-ae',
)  # fmt: skip
DATA = Path('data/mini')
WORK_DIRS = Path('work_dirs/mini')
NUM_IMAGES = {'train': 600, 'test': 40}
SEEDS = {'train': 1, 'test': 2}
AUTHENTIC = {'train': 0.1, 'test': 0}
TEST_EVERY = 5
# One clear trace, which models of this size can learn.
HISTORY = (
    '--histories', 'double', '--first-quality', 50, 80, '--second-quality', 85, 97,
    '--post-probability', 0.25, '--png', 0, '--grey', 0,
)  # fmt: skip


def run(*command: object) -> None:
    words = [str(word) for word in command]
    print('\n$', ' '.join(words), flush=True)
    subprocess.run([sys.executable, *words], check=True)


def split_sources(sources: Path) -> None:
    """Links to the images of every domain, in a folder for training and one for testing.

    Made anew each time: what an earlier run made of other sources, ``mmomni synthesize --resume``
    refuses.
    """
    shutil.rmtree(DATA / 'sources', ignore_errors=True)
    for domain in DOMAINS:
        folder = folder_of(sources, domain)
        images = sorted(find_images(folder), key=lambda path: path.stem)
        if len(images) < 2 * TEST_EVERY:
            raise SystemExit(
                f'{folder}: expected at least {2 * TEST_EVERY} authentic images, got {len(images)}'
            )
        for number, image in enumerate(images):
            split = 'train' if number % TEST_EVERY else 'test'
            _link(DATA / 'sources' / split / domain / image.relative_to(folder), image)
    forged = sources / 'forged_dev'
    if not (forged / 'images').is_dir():
        raise SystemExit(f'{forged}: expected real forgeries in images/ and masks/, found none')
    (DATA / 'forged_dev').unlink(missing_ok=True)
    _link(DATA / 'forged_dev', forged)


def folder_of(sources: Path, domain: str) -> Path:
    """The authentic images of a domain: its own, or those of the domain whose images it forges."""
    own, shared = sources / domain, DOMAINS[domain].sources
    return own if shared is None or own.is_dir() else sources / shared


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target.resolve())


def make_data(workers: int) -> None:
    for split, num in NUM_IMAGES.items():
        for domain in DOMAINS:
            run(
                '-m', 'mmomni.cli', 'synthesize', DATA / 'sources' / split / domain,
                DATA / split / domain, '--domain', domain, '--num', num, '--seed', SEEDS[split],
                '--authentic', AUTHENTIC[split], *HISTORY, '--workers', workers, '--resume',
            )  # fmt: skip


def train_and_test(row: str, seed: int) -> Path:
    """One row with one seed; nothing if its results are there."""
    (config,) = CONFIGS.glob(f'{row}_*.py')
    work_dir = WORK_DIRS / f'{row}_seed{seed}'
    if not (work_dir / 'results.json').is_file():
        run(
            'tools/train.py', config, '--work-dir', work_dir, '--resume',
            '--cfg-options', f'randomness.seed={seed}',
        )  # fmt: skip
        checkpoint = (work_dir / 'last_checkpoint').read_text().strip()
        run(
            'tools/test.py', config, checkpoint, '--work-dir', work_dir,
            '--cfg-options', f'randomness.seed={seed}',
        )  # fmt: skip
    return work_dir


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Train and test the ablations in miniature')
    parser.add_argument('sources', type=Path)
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=ROWS)
    parser.add_argument('--seeds', nargs='+', type=int, default=[0])
    parser.add_argument('--workers', type=int, default=2, help='processes of the synthesis')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    split_sources(args.sources)
    make_data(args.workers)
    runs = [train_and_test(row, seed) for seed in args.seeds for row in args.rows]
    run(
        'tools/analysis_tools/ablation_table.py', *runs, '--out', WORK_DIRS / 'table.md'
    )


if __name__ == '__main__':
    main()
