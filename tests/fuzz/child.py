"""Reads mutated files one after the other and says what came of each, until one kills it.

``python child.py TARGET FOLDER FIRST STOP PIPE`` writes a line of JSON to a file descriptor before
and after each of the files FIRST to STOP - 1. They lie in FOLDER only while they are read, so the
one that kills this process stays there.
"""

import faulthandler
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from mmengine import Config
from mmengine.registry import DefaultScope
from mutations import case

from mmomni.apis import Failure, ManipulationInferencer, Prediction
from mmomni.apis.inputs import Source
from mmomni.apis.samples import try_to_read
from mmomni.registry import MODELS

ROOT = Path(__file__).resolve().parents[2]
PAGE = os.sysconf('SC_PAGE_SIZE')
MAX_PIXELS = dict(loader=16_000_000, inferencer=250_000)
"""Larger files would take more than their time without being broken."""


class Child:
    """Which files there are, where they lie and where lines go."""

    def __init__(self, folder, numbers, pipe):
        self.folder = folder
        self.numbers = numbers
        self.out = os.fdopen(pipe, 'w', buffering=1)
        self.since = time.process_time()

    def say(self, **fields):
        now = time.process_time()
        self.out.write(json.dumps(dict(fields, seconds=now - self.since)) + '\n')
        self.since = now

    def begin(self, number):
        """File ``number`` appears on disk."""
        mutated = case(number)
        path = self.folder / mutated.name
        path.write_bytes(mutated.data())
        self.say(number=number, begin=str(mutated))
        return path

    def end(self, number, path, result, flaw):
        path.unlink()
        with open('/proc/self/statm', encoding='ascii') as file:
            memory = int(file.read().split()[1]) * PAGE
        reason = result.reason if isinstance(result, Failure) else None
        files = len(os.listdir('/proc/self/fd'))
        self.say(number=number, reason=reason, flaw=flaw, memory=memory, files=files)


def run_loader(child):
    """One file after the other, by path or as bytes."""
    for number in child.numbers:
        path = child.begin(number)
        source = Source(str(path), path if number % 2 else path.read_bytes())
        sample = try_to_read(source, MAX_PIXELS['loader'])
        child.end(number, path, sample, flaw_of_sample(sample, source.name))


def flaw_of_sample(sample, name):
    if sample.source != name:
        return f'is called {sample.source}'
    if isinstance(sample, Failure):
        return None
    height, width = sample.image.shape[:2]
    if sample.image.dtype != np.uint8 or tuple(sample.planes.shape) != (5, height, width):
        return f'image {sample.image.dtype} {sample.image.shape}, planes {sample.planes.shape}'
    if not np.array_equal(sample.planes[:3].numpy().transpose(1, 2, 0), sample.image):
        return 'planes hold another picture'
    if int(sample.planes[3].max()) > 20 or sample.dct_source not in {'file', 'transcoded'}:
        return f'coefficients up to {sample.planes[3].max()} from {sample.dct_source}'
    return None


def run_inferencer(child):
    """All files in one stream; each appears on disk when its turn to be read comes."""
    inferencer = tiny_inferencer(child.folder)
    read = inferencer.pipeline

    def begin_and_read(source):
        child.begin(int(Path(source.name).stem))
        return read(source)

    inferencer.pipeline = begin_and_read
    paths = [child.folder / case(number).name for number in child.numbers]
    results = inferencer.stream(paths, batch_size=4)
    for number, path, result in zip(child.numbers, paths, results, strict=True):
        child.end(number, path, result, flaw_of_result(result, str(path)))


def tiny_inferencer(folder):
    """The whole method with few channels and random weights."""
    config = Config.fromfile(ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py')
    config.model.pop('auxiliary_head')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
    weights = folder / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), weights)
    return ManipulationInferencer(
        config, weights, 'cpu', trust_checkpoint=True, max_pixels=MAX_PIXELS['inferencer']
    )


def flaw_of_result(result, name):
    if result.source != name:
        return f'is called {result.source}'
    if not isinstance(result, Prediction):
        return None
    size, probability = result.image.shape[:2], result.probability
    if probability.shape != size or result.mask.shape != size:
        return f'image {size}, map {probability.shape}, mask {result.mask.shape}'
    if not (np.isfinite(probability).all() and 0 <= probability.min() <= probability.max() <= 1):
        return 'the map holds values that are no probabilities'
    return None if 0 <= result.score <= 1 else f'score {result.score}'


def main():
    target, folder, first, stop, pipe = sys.argv[1:]
    faulthandler.enable()
    warnings.simplefilter('ignore')
    torch.set_num_threads(1)
    child = Child(Path(folder), range(int(first), int(stop)), int(pipe))
    dict(loader=run_loader, inferencer=run_inferencer)[target](child)


if __name__ == '__main__':
    main()
