"""The mean of checkpoints that come from one long training (Wortsman et al., ICML 2022)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from mmengine.runner import save_checkpoint
from torch import Tensor

from .reading import TRAINING_ONLY, Whole, read_whole


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
            averaged[name] = torch.stack([s * _whole(each[name]) for s, each in pairs]).sum(dim=0)
    return averaged


def _whole(weights: Tensor) -> Tensor:
    """Of half precision, in which published weights are, in single."""
    return weights.float() if weights.dtype in (torch.half, torch.bfloat16) else weights


def average_files(
    sources: Sequence[Path],
    out: Path,
    shares: Sequence[float] | None = None,
    trust: bool = False,
    heads_of_first: bool = False,
) -> None:
    """Write the mean of checkpoints, with the config of the first, which is one of a training.

    Others may be published, and count with the first one's heads of training, which they lack. The
    mean's ``meta['averaged']`` names each file, its share and its iterations, which end in the card
    when it is published.

    Args:
        sources: Checkpoints of one network.
        out: Where the mean goes.
        shares: Their sum is 1; ``None``: equal ones.
        trust: Files may hold more than weights and the records of a training, which can run code.
        heads_of_first: Trainings, too, count with the first one's heads of training, and their own
            are left out; else those with other heads are of another network.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: One is no checkpoint, the first one none of a training, one cannot be trusted or
            is named twice, they do not fit, or shares do not.
    """
    if twice := {str(path) for path in sources if sources.count(path) > 1}:
        raise ValueError(f'expected each checkpoint once, got again: {sorted(twice)}; use shares')
    shares = shares or [1 / len(sources)] * len(sources)
    first, *others = (read_whole(path, trust) for path in sources)
    if first.card is not None:
        raise ValueError(f'{sources[0]}: expected a checkpoint of a training, got a published one')
    heads = {n: t for n, t in first.state_dict.items() if n.startswith(TRAINING_ONLY)}
    state_dicts = [first.state_dict]
    for other in others:
        is_bare = heads_of_first or other.card is not None
        state_dicts.append(heads | _without_heads(other) if is_bare else other.state_dict)
    named = {str(path): weights for path, weights in zip(sources, state_dicts, strict=True)}
    parts = [
        dict(file=path.name, share=share, iterations=_iterations(each))
        for path, share, each in zip(sources, shares, (first, *others), strict=False)
    ]
    meta = dict(first.meta, iter=None, averaged=parts)
    save_checkpoint(dict(state_dict=average(named, shares), meta=meta), str(out))


def _without_heads(whole: Whole) -> dict[str, Tensor]:
    return {n: t for n, t in whole.state_dict.items() if not n.startswith(TRAINING_ONLY)}


def _iterations(whole: Whole) -> int | None:
    """After which a file was made, if it says so; its card may be anybody's."""
    if whole.card is None:
        return whole.meta.get('iter')
    training = whole.card.get('training')
    return training.get('iterations') if isinstance(training, Mapping) else None
