"""Forge real photos, train Omni-IML on them, test it, draw and examine (``make demo``).

The sources are photographs that scikit-image and matplotlib ship, and pages rendered here. Those
in TEST_SOURCES are never used in training.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

import matplotlib.cbook
import skimage

CONFIG = 'configs/demo/omni-iml_convnext-atto_demo.py'
WORK_DIR = Path('work_dirs/demo')
SEEDS = {'train': 1, 'test': 2}
NUM_IMAGES = {'train': 40, 'test': 12}
# One trace, and a clear one: what so small a model can learn in minutes.
HISTORY = (
    '--histories', 'double', '--first-quality', 50, 80, '--second-quality', 85, 97,
    '--png', 0, '--grey', 0,
)  # fmt: skip
PHOTOS = Path(skimage.__file__).parent / 'data'
GRACE_HOPPER = matplotlib.cbook.get_sample_data('grace_hopper.jpg', asfileobj=False)
SOURCES: dict[str, dict[str, list]] = {
    'train': {
        'natural': [
            PHOTOS / name
            for name in (
                'chelsea.png', 'coffee.png', 'motorcycle_left.png', 'coins.png', 'ihc.png',
                'retina.jpg', 'brick.png', 'grass.png', 'hubble_deep_field.jpg',
            )
        ],
        'document': ['rendered'],
        'face': [GRACE_HOPPER, PHOTOS / 'chelsea.png'],
    },
    'test': {
        'natural': [PHOTOS / 'rocket.jpg', PHOTOS / 'camera.png', PHOTOS / 'gravel.png'],
        'document': ['rendered'],
        'face': [PHOTOS / 'astronaut.png'],
    },
}  # fmt: skip


def run(*command: object) -> None:
    words = [str(word) for word in command]
    print('\n$', ' '.join(words), flush=True)
    # OpenMP's threads wait for each other awake, which on a busy machine takes ten times as long.
    environment = dict(OMP_WAIT_POLICY='passive') | os.environ
    subprocess.run([sys.executable, *words], check=True, env=environment)


def synthesize() -> None:
    for split, domains in SOURCES.items():
        for domain, sources in domains.items():
            out = WORK_DIR / 'data' / split / domain
            run(
                '-m', 'mmomni.cli', 'synthesize', *sources, out, '--domain', domain,
                '--num', NUM_IMAGES[split], '--seed', SEEDS[split], '--max-side', 384,
                *HISTORY, '--post-probability', 0, '--resume',
            )  # fmt: skip


def predict(checkpoint: str) -> None:
    """What an analyst would get of the test images."""
    images = [WORK_DIR / 'data/test' / domain / 'images' for domain in SOURCES['test']]
    run(
        '-m', 'mmomni.cli', 'predict', *images, '--checkpoint', checkpoint,
        '--trust-checkpoint', '--out', WORK_DIR / 'predictions',
    )  # fmt: skip


def report() -> None:
    results = json.loads((WORK_DIR / 'results.json').read_text())['per_image']
    rows = {**results['domains'], 'average': results['average']}
    columns = f'{"IoU":>8}{"F1":>8}{"all-tampered IoU":>18}{"chose frequency":>17}{"images":>8}'
    print(f'\n{"":10}{columns}')
    for name, row in rows.items():
        print(
            f'{name:10}{row["IoU"]:8.3f}{row["F1"]:8.3f}{row["tampered_area"]:18.3f}'
            f'{row["frequency_share"]:17.0%}{row["tampered"] + row["authentic"]:8d}'
        )
    print(f'\nresults:  {WORK_DIR / "results.json"}\npictures: {WORK_DIR / "gallery.png"}')
    print(f'report:   {WORK_DIR / "predictions/report.html"}')


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()  # nothing can be chosen
    if WORK_DIR.exists():
        print(f'goes on with what is in {WORK_DIR}; remove it to start anew')
    synthesize()
    run('tools/train.py', CONFIG, '--work-dir', WORK_DIR, '--resume')
    checkpoint = (WORK_DIR / 'last_checkpoint').read_text().strip()
    run('tools/test.py', CONFIG, checkpoint, '--work-dir', WORK_DIR)
    predict(checkpoint)
    report()


if __name__ == '__main__':
    main()
