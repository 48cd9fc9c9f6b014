"""Images per second of the training pipeline, stage by stage, on one core.

    python tools/analysis_tools/benchmark_data.py [IMAGES]

Compares our pipeline with the same one reading coefficients as the peers do: jpegio through a
temporary file. The two readers cannot live in one process, so each round starts one child
process for each, in turn; medians of the rounds and the ratio are printed. Without IMAGES,
photographs that scikit-image ships are saved as JPEG once and used.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STAGES = ('load', 'augment', 'jpeg chain', 'dct', 'pack')
READERS = ('jpeglib', 'jpegio')


def pipeline(reader: str) -> list[tuple[str, dict]]:
    """The free-augmentation pipeline of the base config, each transform under its stage."""
    return [
        ('load', dict(type='mmomni.LoadOriginalImage')),
        ('load', dict(type='mmomni.LoadManipulationMask')),
        ('augment', dict(type='mmseg.RandomCrop', crop_size=(512, 512))),
        ('augment', dict(type='RandomFlip', prob=0.5)),
        ('jpeg chain', dict(type='mmomni.RandomJPEGCompress', quality=(70, 100), times=(1, 3))),
        ('dct', dict(type='mmomni.ExtractDCT', backend=reader)),
        ('pack', dict(type='mmomni.MaskToBoxes')),
        ('pack', dict(type='mmomni.PackManipulationInputs')),
    ]


@contextmanager
def on_disk(data: bytes) -> Iterator[str]:
    """What a library that reads paths costs where memory files are not thought of."""
    with tempfile.NamedTemporaryFile(suffix='.jpg') as file:
        file.write(data)
        file.flush()
        yield file.name


def measure(reader: str, images: list[str], repeats: int) -> dict[str, float]:
    """Seconds an image of every stage."""
    from mmengine.registry import init_default_scope
    from mmseg.registry import TRANSFORMS

    from mmomni import jpeg
    from mmomni.randomness import seed_all

    init_default_scope('mmseg')
    if reader == 'jpegio':
        jpeg._as_path = on_disk
    steps = [(stage, TRANSFORMS.build(step)) for stage, step in pipeline(reader)]
    seconds: dict[str, float] = defaultdict(float)
    for repeat in range(-1, repeats):  # the first pass warms caches up and is not counted
        for number, path in enumerate(images):
            seed_all(repeat + 1, number)
            results: dict = dict(img_path=path, seg_map_path=None, seg_fields=[])
            for stage, step in steps:
                start = time.perf_counter()
                results = step(results)
                seconds[stage] += (time.perf_counter() - start) * (repeat >= 0)
    return {stage: seconds[stage] / (repeats * len(images)) for stage in STAGES}


def run_child(reader: str, args: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, __file__, *args.images, '--repeats', str(args.repeats)]
    environ = {**os.environ, 'OMP_NUM_THREADS': '1', 'OPENCV_FOR_THREADS_NUM': '1'}
    output = subprocess.run(
        [*command, '--child', reader], env=environ, check=True, capture_output=True, text=True
    ).stdout
    return json.loads(output.splitlines()[-1])


def shipped_photos(folder: Path) -> list[str]:
    """Photographs of scikit-image, at least 512 px a side, saved once at quality 90."""
    import skimage
    from PIL import Image

    paths = []
    for name in ('astronaut.png', 'coffee.png', 'hubble_deep_field.jpg', 'motorcycle_left.png'):
        image = Image.open(Path(skimage.__file__).parent / 'data' / name).convert('RGB')
        image = image.resize([max(640, side) for side in image.size])
        paths.append(str(folder / f'{name}.jpg'))
        image.save(paths[-1], quality=90)
    return paths


def report(rounds: dict[str, list[dict[str, float]]]) -> None:
    medians = {
        reader: {stage: statistics.median(r[stage] for r in found) for stage in STAGES}
        for reader, found in rounds.items()
    }
    print(f'{"ms an image":14}' + ''.join(f'{reader:>12}' for reader in medians) + f'{"ratio":>8}')
    for stage in (*STAGES, 'all'):
        times = [
            sum(row.values()) if stage == 'all' else row[stage] for row in medians.values()
        ]
        ratio = f'{times[1] / times[0]:8.2f}' if len(times) > 1 else ''
        print(f'{stage:14}' + ''.join(f'{1000 * t:12.2f}' for t in times) + ratio)
    for reader, row in medians.items():
        print(f'{reader}: {1 / sum(row.values()):.1f} images a second and core')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Benchmark the training pipeline')
    parser.add_argument('images', nargs='*', help='JPEG files')
    parser.add_argument('--repeats', type=int, default=5, help='passes over the images a round')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--child', choices=READERS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.child:
        print(json.dumps(measure(args.child, args.images, args.repeats)))
        return
    readers = [r for r in READERS if importlib.util.find_spec(r)]
    if 'jpegio' not in readers:
        print('jpegio is not installed (pip install jpegio): nothing to compare with')
    with tempfile.TemporaryDirectory() as folder:
        args.images = args.images or shipped_photos(Path(folder))
        rounds: dict[str, list] = {reader: [] for reader in readers}
        for _ in range(args.rounds):
            for reader in readers:
                rounds[reader].append(run_child(reader, args))
    report(rounds)


if __name__ == '__main__':
    main()
