"""Images per second of the training pipeline, stage by stage, on one core.

    python tools/analysis_tools/benchmark_data.py [IMAGES]

Three ways to make the same samples (the same draws, the same five planes: checked):

    ours      the pipeline of the base config
    jpegio    the same, but coefficients are read by jpegio through a temporary file
    peers     as CAT-Net, DTD and ForensicHub write it: every save goes to a temporary file, is
              read back by Pillow from there and by jpegio for the coefficients; no checksums

Each way has a process of its own (the two readers cannot live in one); the processes take turns,
one pass over all samples at a time. Times are of the processor, user and system, and the least of
all passes for every sample and stage, so that other work on the machine disturbs them little; the
ratios of single passes show how much it does. `limit` is the time of decoding the entropy code of
the same streams alone, which every reader must do. Without IMAGES, photographs that scikit-image
ships are saved as JPEG once and used.
"""

import argparse
import contextlib
import importlib.util
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

STAGES = ('load', 'augment', 'jpeg chain', 'dct', 'pack')
WAYS = ('ours', 'jpegio', 'peers')
REPLY = 'times and samples: '
QUALITY, TIMES, SUBSAMPLING = (70, 100), (1, 3), ('4:4:4', '4:2:0')
Step = tuple[str, Callable[[dict], dict]]


@contextlib.contextmanager
def on_disk(data: bytes) -> Iterator[str]:
    """What a library that reads paths costs where memory files are not thought of."""
    with tempfile.NamedTemporaryFile(suffix='.jpg') as file:
        file.write(data)
        file.flush()
        yield file.name


def peers_load(results: dict) -> dict:
    from PIL import Image

    with Image.open(results['img_path']) as image:
        rgb = np.array(image.convert('RGB'))
    results['img'] = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    results['img_shape'] = results['ori_shape'] = rgb.shape[:2]
    return results


def peers_compress(results: dict) -> dict:
    from PIL import Image

    from mmomni.utils.arrays import unmirrored

    # The slow copy of a flipped view is mmcv's, not the peers'.
    image = Image.fromarray(cv2.cvtColor(unmirrored(results['img']), cv2.COLOR_BGR2RGB))
    file = tempfile.NamedTemporaryFile(suffix='.jpg')  # noqa: SIM115  (the next step closes it)
    for _ in range(random.randint(*TIMES)):
        quality, subsampling = random.randint(*QUALITY), random.choice(SUBSAMPLING)
        image.save(file.name, 'JPEG', quality=quality, subsampling=subsampling)
        image = Image.open(file.name).convert('RGB')
    results['img'] = cv2.cvtColor(np.array(image), cv2.COLOR_RGB2BGR)
    results['file'] = file
    return results


def peers_extract(results: dict) -> dict:
    import jpegio

    with results.pop('file') as file:
        jpeg = jpegio.read(file.name)
    height, width = results['img'].shape[:2]
    table = jpeg.quant_tables[jpeg.comp_info[0].quant_tbl_no]
    plane = np.clip(np.abs(jpeg.coef_arrays[0]), 0, 20)[:height, :width]
    results['dct'], results['qtable'] = plane.astype(np.uint8), table.clip(max=255).astype(np.uint8)
    return results


def pipeline(way: str) -> list[Step]:
    """The free-augmentation pipeline of the base config, each transform under its stage."""
    from mmengine.registry import init_default_scope
    from mmseg.registry import TRANSFORMS

    from mmomni.datasets.transforms import formatting
    from mmomni.jpeg import luma

    init_default_scope('mmseg')
    compress = dict(quality=QUALITY, times=TIMES, subsampling=SUBSAMPLING)
    reader = 'jpeglib' if way == 'ours' else 'jpegio'
    steps = [
        ('load', dict(type='mmomni.LoadOriginalImage')),
        ('load', dict(type='mmomni.LoadManipulationMask')),
        ('augment', dict(type='mmseg.RandomCrop', crop_size=(512, 512))),
        ('augment', dict(type='RandomFlip', prob=0.5)),
        ('jpeg chain', dict(type='mmomni.RandomJPEGCompress', **compress)),
        ('dct', dict(type='mmomni.ExtractDCT', backend=reader)),
        ('pack', dict(type='mmomni.MaskToBoxes')),
        ('pack', dict(type='mmomni.PackManipulationInputs')),
    ]
    built = [(stage, TRANSFORMS.build(step)) for stage, step in steps]
    if way == 'jpegio':
        luma._as_path = on_disk
    if way == 'peers':
        formatting.check = lambda *_: None
        own = {0: peers_load, 4: peers_compress, 5: peers_extract}
        built = [(stage, own.get(number, step)) for number, (stage, step) in enumerate(built)]
    return built


def entropy_decoding(data: bytes) -> float:
    """Seconds to decode the entropy code of a JPEG: grey at an eighth needs no inverse DCT."""
    stream = np.frombuffer(data, np.uint8)
    start = time.process_time()
    cv2.imdecode(stream, cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return time.process_time() - start


def one_pass(steps: list[Step], images: list[str], draws: int) -> tuple[list, list]:
    """Seconds of every stage and the limit, and a checksum, of every sample."""
    from mmomni.utils.seeding import Stream, seed_all

    times: list[list[float]] = []
    samples: list[int] = []
    for draw, path in itertools.product(range(draws), images):
        seed_all(Stream.TOOL, draw, len(samples))
        seconds = dict.fromkeys(STAGES, 0.0)
        results: dict = dict(img_path=path, seg_map_path=None, seg_fields=[])
        for stage, step in steps:
            stream = results.get('img_bytes')
            start = time.process_time()
            results = step(results)
            seconds[stage] += time.process_time() - start
        limit = entropy_decoding(stream) if stream else 0.0
        times.append([*seconds.values(), limit])
        samples.append(zlib.crc32(results['inputs'].numpy().tobytes()))
    return times, samples


def serve(args: argparse.Namespace) -> None:
    """The process of one way: a pass for every line that comes in."""
    steps = pipeline(args.way)
    for _ in sys.stdin:
        print(REPLY + json.dumps(one_pass(steps, args.images, args.draws)), flush=True)


def start(way: str, args: argparse.Namespace) -> subprocess.Popen:
    command = [sys.executable, __file__, *args.images, '--draws', str(args.draws), '--way', way]
    environ = {**os.environ, 'OMP_NUM_THREADS': '1', 'OPENCV_FOR_THREADS_NUM': '1'}
    return subprocess.Popen(
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ask(process: subprocess.Popen) -> tuple[list, list]:
    """One pass of a process."""
    assert process.stdin is not None  # both are pipes
    assert process.stdout is not None
    process.stdin.write('\n')
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith(REPLY):
            return json.loads(line.removeprefix(REPLY))
    raise SystemExit(f'{process.args!r} has failed')


def shipped_photos(folder: Path) -> list[str]:
    """Photographs of scikit-image, at least 640 px a side, saved once at quality 90."""
    import skimage
    from PIL import Image

    paths = []
    for name in ('astronaut.png', 'coffee.png', 'hubble_deep_field.jpg', 'motorcycle_left.png'):
        image = Image.open(Path(skimage.__file__).parent / 'data' / name).convert('RGB')
        image = image.resize([max(640, side) for side in image.size])
        paths.append(str(folder / f'{name}.jpg'))
        image.save(paths[-1], quality=90)
    return paths


def report(times: dict[str, np.ndarray]) -> None:
    """Print stages, rates and ratios; ``times`` is (passes, samples, stages and limit)."""
    best = {way: 1000 * found.min(axis=0).mean(axis=0) for way, found in times.items()}
    print(f'{"ms an image":14}' + ''.join(f'{way:>10}' for way in best))
    for number, stage in enumerate(STAGES):
        print(f'{stage:14}' + ''.join(f'{row[number]:10.2f}' for row in best.values()))
    whole = {way: row[:-1].sum() for way, row in best.items()}
    print(f'{"all":14}' + ''.join(f'{total:10.2f}' for total in whole.values()))
    for way, total in whole.items():
        print(f'{way}: {1000 / total:.1f} images a second and core')
    passes = {way: found[..., :-1].sum(axis=(1, 2)) for way, found in times.items()}
    for way in list(times)[1:]:
        low, median, high = np.quantile(passes[way] / passes['ours'], [0, 0.5, 1])
        print(
            f'{way} / ours: {whole[way] / whole["ours"]:.2f} '
            f'(single passes: {low:.2f} to {high:.2f}, median {median:.2f})'
        )
    dct, limit = best['ours'][STAGES.index('dct')], best['ours'][-1]
    print(f'limit: of the {dct:.2f} ms of our dct stage, entropy decoding takes {limit:.2f} ms')


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description='Benchmark the training pipeline')
    parser.add_argument('images', nargs='*', help='JPEG files, at least 512 px a side')
    parser.add_argument('--draws', type=int, default=4, help='samples of every image')
    parser.add_argument('--passes', type=int, default=20, help='passes over all samples')
    parser.add_argument('--way', choices=WAYS, help=argparse.SUPPRESS)  # the process of one way
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.way:
        serve(args)
        return
    ways = WAYS if importlib.util.find_spec('jpegio') else WAYS[:1]
    if len(ways) == 1:
        print('jpegio is not installed (pip install jpegio): nothing to compare with')
    times: dict[str, list] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        args.images = args.images or shipped_photos(Path(folder))
        processes = {way: stack.enter_context(start(way, args)) for way in ways}
        for number in range(args.passes + 1):
            made = {way: ask(processes[way]) for way in ways}
            different = [way for way in ways if made[way][1] != made['ours'][1]]
            if different:
                raise SystemExit(f'{different} made other samples than ours: no comparison')
            if number > 0:  # the first pass warms caches up
                for way in ways:
                    times[way].append(made[way][0])
    report({way: np.array(found) for way, found in times.items()})


if __name__ == '__main__':
    main()
