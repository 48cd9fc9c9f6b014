"""The mean of checkpoints that come from one long training (Wortsman et al., ICML 2022)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from mmengine.runner import save_checkpoint
from torch import Tensor

from .reading import TRAINING_ONLY, is_published, read_checkpoint, read_whole_training


def average(
    state_dicts: Mapping[str, Mapping[str, Tensor]], shares: Sequence[float]
) -> dict[str, Tensor]:
    """Mean of weights and statistics of norms; whole numbers (counts) are those of the first.

    The state dicts, by the names of their files, have a share each, whose sum is 1.

    Raises:
        ValueError: Names or shapes differ, or shares do not fit.
    """
    if len(shares) != len(state_dicts) or not abs(sum(shares) - 1) <= 1e-6:
        raise ValueError(f'expected {len(state_dicts)} shares whose sum is 1, got {list(shares)}')
    shapes = {name: {(n, t.shape) for n, t in each.items()} for name, each in state_dicts.items()}
    (first_name, first), *_ = state_dicts.items()
    for name, found in shapes.items():
        if differing := sorted({n for n, _ in found ^ shapes[first_name]}):
            raise ValueError(
                f'{name} is of another network than {first_name}: {differing[:5]} differ; '
                'only checkpoints of one config can be averaged'
            )
    averaged = dict(first)
    for name, tensor in first.items():
        if tensor.is_floating_point():
            pairs = zip(shares, state_dicts.values(), strict=True)
            averaged[name] = torch.stack([s * each[name].float() for s, each in pairs]).sum(dim=0)
    return averaged


def average_files(
    sources: Sequence[Path],
    out: Path,
    shares: Sequence[float] | None = None,
    trust: bool = False,
) -> None:
    """Write the mean of checkpoints, with the config of the first, which is one of a training.

    Others may be published. Heads of training are those of the first: another file that lacks one,
    as published ones do, counts with the first one's, and what it has beside is left out. The
    mean's ``meta['averaged']`` names each file, its share and its iterations, which end in the card
    when it is published. Shares, whose sum is 1, are equal by default. With ``trust``, files may
    hold more than weights and the records of a training, which can run any code.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: One is no checkpoint, the first one none of a training, one cannot be trusted or
            is named twice, they do not fit, or shares do not.
    """
    if twice := {str(path) for path in sources if sources.count(path) > 1}:
        raise ValueError(f'expected each checkpoint once, got again: {sorted(twice)}; use shares')
    shares = shares or [1 / len(sources)] * len(sources)
    first = read_whole_training(sources[0], trust)
    heads = {n: t for n, t in first['state_dict'].items() if n.startswith(TRAINING_ONLY)}
    loaded = {str(path): _part(path, heads, trust) for path in sources}
    averaged = average({name: part.state_dict for name, part in loaded.items()}, shares)
    parts = [
        dict(file=path.name, share=share, iterations=part.iterations)
        for path, share, part in zip(sources, shares, loaded.values(), strict=True)
    ]
    meta = dict(first['meta'], iter=None, averaged=parts)
    save_checkpoint(dict(state_dict=averaged, meta=meta), str(out))


class _Part(NamedTuple):
    state_dict: Mapping[str, Tensor]
    iterations: int | None


def _part(path: Path, heads: Mapping[str, Tensor], trust: bool) -> _Part:
    if is_published(path, trust):
        published = read_checkpoint(path)
        weights, iterations = published.state_dict, published.card['training']['iterations']
    else:
        content = read_whole_training(path, trust)
        weights, iterations = content['state_dict'], content['meta'].get('iter')
    left_out = {n for n in weights if n.startswith(TRAINING_ONLY) and n not in heads}
    return _Part({**heads, **{n: weights[n] for n in weights if n not in left_out}}, iterations)
