"""Pretrained weights, strictly: whatever does not fit is an error that names it."""

from collections.abc import Callable, Mapping, Sequence

import torch
from mmengine.logging import print_log
from mmengine.model import BaseModule
from mmengine.model.weight_init import PretrainedInit
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from .trusting import reading_by_trust

RGB = 3
OwnNames = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
"""Weights by whatever names their publisher gave them -> by the module's, heads left out."""
BACKBONE = 'backbone.'
"""Prefix of the backbone in OpenMMLab's checkpoints; beside it stand heads and necks."""
LEVEL_NORMS = ('norm0.', 'norm1.', 'norm2.', 'norm3.')
"""Of the levels, as OpenMMLab names them. Classifiers have none, so those of pretrained ones start
new."""
SHOWN = 5
"""Names that a message lists of each kind."""


def pretrained_entries(init_cfg: dict | Sequence[dict] | None) -> list[dict]:
    """Those of an ``init_cfg`` that load a file."""
    entries = [init_cfg] if isinstance(init_cfg, Mapping) else init_cfg or ()
    return [entry for entry in entries if entry['type'] in ('Pretrained', PretrainedInit)]


def pretrained_part(init_cfg: dict | Sequence[dict] | None) -> dict | None:
    """The ``init_cfg`` if it loads a file, else ``None``.

    Raises:
        ValueError: It loads a file and does other things, which the file would undo.
    """
    found = pretrained_entries(init_cfg)
    number = 1 if isinstance(init_cfg, Mapping) else len(init_cfg or ())
    if found and number > 1:
        raise ValueError(
            f'expected Pretrained as the only entry of init_cfg, got {number} entries: the '
            'file holds all weights'
        )
    return found[0] if found else None


def draw_or_load(
    module: BaseModule,
    draw: Callable[[], None],
    own_names: OwnNames = dict,
    stem: str | None = None,
    optional: tuple[str, ...] = (),
) -> None:
    """Load what a module's ``init_cfg`` names by :func:`load_pretrained`, or draw its weights."""
    pretrained = pretrained_part(module.init_cfg)
    if pretrained is None:
        draw()
    else:
        load_pretrained(module, pretrained, own_names, stem, optional)
        module._is_init = True


def load_pretrained(
    module: nn.Module,
    init_cfg: dict,
    own_names: OwnNames = dict,
    stem: str | None = None,
    optional: tuple[str, ...] = (),
) -> None:
    """Do what ``init_cfg=dict(type='Pretrained', ...)`` says, and accept nothing that is not meant.

    Args:
        module: To be loaded.
        init_cfg: mmengine's: ``checkpoint`` and, if need be, ``prefix``. Without it, a prefix
            ``backbone.`` is seen by itself.
        own_names: Translates the file's names.
        stem: Name of the stem's kernel, which may have more planes than a file's of RGB; the
            further ones start at zero.
        optional: Beginnings of names that the file may lack.

    Raises:
        ValueError: The file lacks weights, has others, or some of another shape; or it holds what
            could be code, and no tool runs that was told to trust it.
    """
    arguments = {key: value for key, value in init_cfg.items() if key != 'type'}
    source = PretrainedInit(**arguments)
    where = source.map_location
    with reading_by_trust():  # or as the tool says that runs this
        content = CheckpointLoader.load_checkpoint(source.checkpoint, where, 'current')
    weights = own_names(_tensors(content, source))
    own = module.state_dict()
    # Files older than torch 0.4.1 count no batches.
    lacking = [n for n in own if n not in weights and not n.endswith('.num_batches_tracked')]
    new = [name for name in lacking if name.startswith(optional)]
    missing = [name for name in lacking if name not in new]
    _refuse_misfits(source.checkpoint, module, weights, missing, stem)
    # mmseg's Swin says that it would, when it is built without an init_cfg
    told = f'{type(module).__name__} does not start from scratch: '
    told += f'{len(weights)} weights of {source.checkpoint} loaded'
    if stem is not None and weights[stem].shape != own[stem].shape:
        weights[stem] = inflate(weights[stem], own[stem].shape[1])
        told += f'; {stem} got further planes, which start at zero'
    module.load_state_dict(weights, strict=False)
    print_log(told + (f'; left as they were drawn: {_some(new)}' if new else ''), 'current')


def _tensors(content: object, source: PretrainedInit) -> dict[str, Tensor]:
    """Weights of the backbone, by the file's names without prefix."""
    for key in ('state_dict', 'model'):  # OpenMMLab's, facebookresearch's
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(map(torch.is_tensor, content.values())):
        raise ValueError(
            f'{source.checkpoint}: expected a dict of tensors, or one under state_dict or model, '
            f'got {_some(map(str, content)) if isinstance(content, Mapping) else type(content)}'
        )
    weights = {name.removeprefix('module.'): tensor for name, tensor in content.items()}
    prefix = source.prefix
    if prefix is None:
        prefix = BACKBONE if any(name.startswith(BACKBONE) for name in weights) else ''
    elif prefix and not prefix.endswith('.'):
        prefix += '.'
    chosen = {n.removeprefix(prefix): t for n, t in weights.items() if n.startswith(prefix)}
    if not chosen:
        raise ValueError(
            f'{source.checkpoint}: no weight begins with the prefix {prefix!r}, it has '
            f'{_some(weights)}; leave the prefix out of init_cfg or set the right one'
        )
    return chosen


def inflate(kernel: Tensor, planes: int) -> Tensor:
    """A stem's kernel of RGB (C', 3, h, w) for more planes, which have no influence.

    Any other stays as it is, because nothing tells which of its planes are which.
    """
    if kernel.ndim != 4 or not kernel.shape[1] == RGB < planes:
        return kernel
    further = kernel.new_zeros(kernel.shape[0], planes - RGB, *kernel.shape[2:])
    return torch.cat([kernel, further], dim=1)


def _refuse_misfits(
    file: str,
    module: nn.Module,
    weights: Mapping[str, Tensor],
    missing: Sequence[str],
    stem: str | None,
) -> None:
    own = module.state_dict()
    unexpected = [name for name in weights if name not in own]
    shapes = [
        f'{name} {tuple(weights[name].shape)} instead of {tuple(tensor.shape)}'
        for name, tensor in own.items()
        if name in weights and not _fits(weights[name], tensor, name == stem)
    ]
    kinds = (('missing', missing), ('unexpected', unexpected), ('of another shape', shapes))
    if any(names for _, names in kinds):
        told = '; '.join(f'{kind}: {_some(names)}' for kind, names in kinds if names)
        raise ValueError(
            f'{file} does not fit {type(module).__name__}: {told}. Is it of this kind of network, '
            'and of its size?'
        )


def _fits(loaded: Tensor, own: Tensor, is_stem: bool) -> bool:
    """Equal shapes; a stem may have planes beside RGB."""
    return (inflate(loaded, own.shape[1]) if is_stem else loaded).shape == own.shape


def _some(names: object) -> str:
    listed = list(names)  # type: ignore[call-overload]
    more = len(listed) - SHOWN
    return ', '.join(listed[:SHOWN]) + (f' and {more} more' if more > 0 else '')
