"""Forge real photos, tune the released weights to them, test, draw, examine (``make demo``).

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

from mmomni.apis.weights import packaged

CONFIG = 'configs/finetune/omni-iml_efficientnet-lite2_demo.py'
WORK_DIR = Path('work_dirs/demo')
SEEDS = {'train': 1, 'test': 2}
NUM_IMAGES = {'train': 40, 'test': 12}
# One trace, and a clear one: what can be learned in minutes.
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


def test(checkpoint: object, work_dir: Path) -> dict[str, dict]:
    """Scores by domain, and on average."""
    run('tools/test.py', CONFIG, checkpoint, '--work-dir', work_dir)
    results = json.loads((work_dir / 'results.json').read_text())['per_image']
    return {**results['domains'], 'average': results['average']}


def publish(checkpoint: str) -> Path:
    """What can be given to others: weights, config and card in one file."""
    for earlier in WORK_DIR.glob('demo-????????.*'):
        earlier.unlink()
    run(
        'tools/model_converters/publish_model.py', checkpoint, WORK_DIR / 'demo.safetensors',
        '--results', WORK_DIR / 'results.json', '--name', "Omni-IML, tuned to the demo's forgeries",
        '--licence', 'research use only, as the weights that it started from',
    )  # fmt: skip
    (published,) = WORK_DIR.glob('demo-????????.safetensors')
    return published


def predict(published: Path) -> None:
    """What an analyst would get of the test images."""
    images = [WORK_DIR / 'data/test' / domain / 'images' for domain in SOURCES['test']]
    run(
        '-m', 'mmomni.cli', 'predict', *images, '--checkpoint', published,
        '--out', WORK_DIR / 'predictions',
    )  # fmt: skip


def report(before: dict[str, dict], after: dict[str, dict]) -> None:
    columns = f'{"IoU":>15}{"F1":>15}{"all-tampered IoU":>18}{"chose frequency":>17}{"images":>8}'
    print(f'\n{"":10}{columns}')
    for name, row in after.items():
        pairs = [f'{before[name][score]:.3f} > {row[score]:.3f}' for score in ('IoU', 'F1')]
        print(
            f'{name:10}{pairs[0]:>15}{pairs[1]:>15}{row["tampered_area"]:18.3f}'
            f'{row["frequency_share"]:17.0%}{row["tampered"] + row["authentic"]:8d}'
        )
    print('(released weights > tuned for a few minutes)')
    print(f'\nresults:  {WORK_DIR / "results.json"}\npictures: {WORK_DIR / "gallery.png"}')
    print(f'report:   {WORK_DIR / "predictions/report.html"}')


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()  # nothing can be chosen
    if WORK_DIR.exists():
        print(f'goes on with what is in {WORK_DIR}; remove it to start anew')
    synthesize()
    before = test(packaged('.safetensors'), WORK_DIR / 'before')
    run('tools/train.py', CONFIG, '--work-dir', WORK_DIR, '--resume')
    checkpoint = (WORK_DIR / 'last_checkpoint').read_text().strip()
    after = test(checkpoint, WORK_DIR)
    predict(publish(checkpoint))
    report(before, after)


if __name__ == '__main__':
    main()
