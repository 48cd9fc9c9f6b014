"""Times of interleaved rounds, and what the machine can do at most."""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate
from math import comb
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.logging import print_log

from .subjects import DTYPES, OWN, Case, Failures, Subject, in_precision


class Reading(NamedTuple):
    """Seconds of one call.

    Attributes:
        wall: By the clock.
        busy: Without those that other programs had the processor: on the CPU the processor time
            of all threads where that is less (exact with one thread); on CUDA the same as ``wall``.
    """

    wall: float
    busy: float


def synchronise(device: torch.device) -> None:
    """Wait for a GPU to finish."""
    if device.type == 'cuda':
        torch.cuda.synchronize(device)


def read(run: Callable[[], object], device: torch.device) -> Reading:
    """Time one call; the result is dropped."""
    synchronise(device)
    wall, processor = time.perf_counter(), time.process_time()
    run()
    synchronise(device)
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return Reading(wall, min(wall, processor) if device.type == 'cpu' else wall)


Prepare = Callable[[Subject, Case, torch.device], Callable[[], object]]
Readings = dict[tuple[str, Case], list[Reading]]


def interleaved(
    prepare: Prepare,
    subjects: Sequence[Subject],
    cases: Iterable[Case],
    rounds: int,
    device: torch.device,
    failures: Failures,
) -> Readings:
    """Time every model in every case, the models taking turns in every round.

    A round more than asked for comes first and warms up. What fails is left out from then on.
    """
    readings: Readings = {}
    for number in range(rounds + 1):
        print_log(f'round {number} of {rounds}' if number else 'warming up')
        for case in cases:
            for subject in subjects:
                what = describe(case)
                if failures.has(subject.name, what):
                    continue
                with failures.naming(subject.name, what):
                    run = prepare(subject, case, device)
                    reading = read(run, device)
                    if number:
                        readings.setdefault((subject.name, case), []).append(reading)
    return readings


def describe(case: Case) -> str:
    """A case in words."""
    return f'{case.size} px, batch {case.batch}, {case.precision}, {variant(case)}'


def variant(case: Case) -> str:
    """Form, and layout and form of the frequency head where they are not the usual ones."""
    layout = f', {case.layout} maps' if case.layout != OWN else ''
    frequency = f', frequency head {case.frequency}' if case.frequency != 'auto' else ''
    return f'{case.form}{layout}{frequency}'


def median_ratio(values: Sequence[float], baseline: Sequence[float]) -> tuple[float, float, float]:
    """Median of the ratios within a round, between the bounds of its 95 % interval.

    The bounds are ratios of rounds: each lies as likely above as below the true median, so that
    how many lie below is a number of heads. With fewer than six rounds least and largest.
    The interval is of the rounds of one run: another run may meet other neighbours.
    """
    ratios = sorted(value / base for value, base in zip(values, baseline, strict=False))
    count = len(ratios)
    tails = accumulate(comb(count, heads) for heads in range(count))
    outside = max(0, sum(tail <= 0.025 * 2**count for tail in tails) - 1)  # at each end
    return ratios[outside], float(np.median(ratios)), ratios[-1 - outside]


def name_of_bounds(rounds: int) -> str:
    """What the bounds of :func:`median_ratio` are."""
    return '95 %' if rounds >= 6 else 'least to most'


def peak_flops(precision: str, device: torch.device, repeats: int = 10) -> float:
    """Floating-point operations a second, the best of some runs.

    Of a large square matrix product or of a large 3x3 convolution, whichever is faster: they may
    come from different libraries.
    """
    size, channels, side = (8192, 1024, 256) if device.type == 'cuda' else (2048, 512, 64)
    dtype = DTYPES[precision]
    left = torch.randn(size, size, device=device).to(dtype)
    x = torch.randn(1, channels, side, side, device=device).to(dtype)
    kernel = torch.randn(channels, channels, 3, 3, device=device).to(dtype)
    with in_precision('tf32' if precision == 'tf32' else 'fp32', device):
        product = 2 * size**3 / _best(lambda: left @ left, device, repeats)
        seconds = _best(lambda: F.conv2d(x, kernel, padding=1), device, repeats)
    return max(product, 2 * side**2 * 9 * channels**2 / seconds)


def peak_bandwidth(device: torch.device, repeats: int = 10) -> float:
    """Bytes a second, read and written, of a copy far larger than the caches."""
    source = torch.ones(2**30 if device.type == 'cuda' else 2**28, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / _best(lambda: target.copy_(source), device, repeats)


def _best(run: Callable[[], Any], device: torch.device, repeats: int) -> float:
    return min(read(run, device).busy for _ in range(repeats + 1))
