"""The mean of checkpoints that come from one long training (Wortsman et al., ICML 2022)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import save_checkpoint
from torch import Tensor

from .reading import read_whole_training


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
            averaged[name] = torch.stack([s * each[name] for s, each in pairs]).sum(dim=0)
    return averaged


def average_files(
    sources: Sequence[Path],
    out: Path,
    shares: Sequence[float] | None = None,
    trust: bool = False,
) -> None:
    """Write the mean of training checkpoints, with the config of the first.

    Its ``meta['averaged']`` names each file, its share and its iterations, which end in the card
    when it is published. Their shares, whose sum is 1, are equal by default. With ``trust``, they
    may hold more than weights and the records of a training, which can run any code.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: One is no checkpoint of a training, cannot be trusted or is named twice, they do
            not fit, or shares do not.
    """
    if twice := {str(path) for path in sources if sources.count(path) > 1}:
        raise ValueError(f'expected each checkpoint once, got again: {sorted(twice)}; use shares')
    shares = shares or [1 / len(sources)] * len(sources)
    loaded = {str(path): read_whole_training(path, trust) for path in sources}
    state_dicts = {name: content['state_dict'] for name, content in loaded.items()}
    metas: list[Mapping[str, Any]] = [content['meta'] for content in loaded.values()]
    parts = [
        dict(file=path.name, share=share, iterations=meta.get('iter'))
        for path, share, meta in zip(sources, shares, metas, strict=False)
    ]
    meta = dict(metas[0], iter=None, averaged=parts)
    save_checkpoint(dict(state_dict=average(state_dicts, shares), meta=meta), str(out))
