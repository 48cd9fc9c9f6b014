"""What the frequency head's fast form saves against its reference form: time and memory.

    python tools/analysis_tools/benchmark_frequency_head.py [--size 512] [--rounds 9]

Both forms live in one module and take turns. Prints a table; see docs/performance.md.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from mmomni.utils.needed import what_is_missing

if line := what_is_missing():
    sys.exit(line)

import numpy as np
import torch
from torch import Tensor

from mmomni.models import fast
from mmomni.models.layers import FrequencyPerceptionHead
from mmomni.utils.allocator import keep_freed_memory
from model_profiling.memory import peak_memory
from model_profiling.subjects import random_planes
from model_profiling.timing import median_ratio, name_of_bounds, read

Manner = Callable[[], AbstractContextManager]
HEADER = (
    '| | reference (ms) | fast (ms) | faster ({}) | reference (MiB) | fast (MiB) | leaner |\n'
    '|---|---|---|---|---|---|---|'
)


def run_of(
    head: FrequencyPerceptionHead, manner: Manner, inputs: Sequence[Tensor], training: bool
) -> Callable[[], None]:
    """A function that runs a form once; in training forward and backward."""

    def run() -> None:
        head.train(training)
        with torch.set_grad_enabled(training), manner():
            features = head(inputs[0], inputs[1])
        if training:
            features.sum().backward()
            head.zero_grad()

    return run


def compare(
    reference: Callable[[], None], sooner: Callable[[], None], rounds: int, device: torch.device
) -> str:
    """Cells of the table: medians, the median ratio, peaks and theirs."""
    times: list[list[float]] = [[], []]
    for _ in range(rounds + 1):  # the first warms up
        for run, found in zip((reference, sooner), times, strict=True):
            found.append(read(run, device).busy)
    slow, quick = (found[1:] for found in times)
    faster = median_ratio(slow, quick)
    peaks = [peak_memory(run, device) / 2**20 for run in (reference, sooner)]
    return (
        f'{1e3 * np.median(slow):.0f} | {1e3 * np.median(quick):.0f} | '
        f'{faster[1]:.1f}x ({faster[0]:.1f} to {faster[2]:.1f}) | '
        f'{peaks[0]:.1f} | {peaks[1]:.1f} | {peaks[0] / peaks[1]:.1f}x'
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description='Benchmark the frequency head')
    parser.add_argument('--size', type=int, default=512, help='height and width, a multiple of 8')
    parser.add_argument('--rounds', type=int, default=9, help='after a warm-up (default: 9)')
    cuda = torch.cuda.is_available()
    parser.add_argument('--device', default='cuda' if cuda else 'cpu')
    args = parser.parse_args(arguments)
    if args.size < 8 or args.size % 8:
        parser.error(f'expected --size as a multiple of 8, got {args.size}')
    if args.rounds < 1:
        parser.error(f'expected at least one of --rounds, got {args.rounds}')
    device = torch.device(args.device)
    if device.type == 'cuda' and not cuda:
        parser.error(f'--device {args.device}: there is no CUDA here; leave it out for the CPU')
    if device.type == 'cpu':
        keep_freed_memory()
    planes = random_planes(1, args.size).to(device).float()
    inputs = planes[:, 3], planes[:, 4, :8, :8]
    heads = (
        ('up to stride 8', FrequencyPerceptionHead(num_blocks=0).to(device)),
        ('with the MBConv blocks', FrequencyPerceptionHead().to(device)),
    )
    manners: tuple[Manner, Manner] = (fast.disabled, nullcontext)
    binding = os.environ.get('OMP_PROC_BIND', 'unset')
    threads = f'{torch.get_num_threads()} threads (OMP_PROC_BIND {binding})'
    print(f'{args.size} px, one image, {threads}, {device}\n')
    print(HEADER.format(name_of_bounds(args.rounds)))
    for training in (False, True):
        for where, head in heads:
            runs = [run_of(head, manner, inputs, training) for manner in manners]
            name = 'forward and backward' if training else 'inference'
            print(f'| {name}, {where} | {compare(runs[0], runs[1], args.rounds, device)} |')


if __name__ == '__main__':
    main()
