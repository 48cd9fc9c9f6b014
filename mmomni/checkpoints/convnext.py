"""ADE20K weights of ConvNeXt, by the names of either of their two publishers, as a start."""

from collections.abc import Mapping
from pathlib import Path

import torch
from mmengine.config import Config
from torch import Tensor, nn

from mmomni.models.backbones import ConvNeXt
from mmomni.models.pretrained import openmmlab_names
from mmomni.models.stagewise import Stagewise

from .inference import build_model, inference_config
from .loading import LoadReport, load_partly
from .reading import read_weights

BACKBONE = 'backbone.'
"""Prefix of the ConvNeXt in checkpoints of segmentors, ours included."""


def convert_convnext(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of the backbone by OpenMMLab's names, with the prefix ``backbone.``.

    They are of a segmentor: OpenMMLab's (``backbone.stages.0.0.depthwise_conv.weight``) or the
    original one (``backbone.stages.0.0.dwconv.weight``).

    Raises:
        ValueError: It has no ConvNeXt as backbone.
    """
    backbone = {
        name.removeprefix(BACKBONE): tensor
        for name, tensor in state_dict.items()
        if name.startswith(BACKBONE)
    }
    converted = {BACKBONE + name: tensor for name, tensor in openmmlab_names(backbone).items()}
    if f'{BACKBONE}stages.0.0.depthwise_conv.weight' not in converted:
        raise ValueError(
            'expected weights of a segmentor with a ConvNeXt as backbone '
            '(backbone.stages.0.0.dwconv.weight or ...depthwise_conv.weight), got '
            f'{", ".join(list(state_dict)[:3])}, ...'
        )
    return converted


def load_convnext(model: nn.Module, state_dict: Mapping[str, Tensor]) -> LoadReport:
    """Load weights of :func:`convert_convnext` into the ConvNeXt inside of a model.

    Returns:
        Names of the whole model; ``new`` is all of it that these weights are no start for. Inside
        of a :class:`ModalGateEncoder`, ``norm1`` starts new and that of the file is unused, as in
        training.

    Raises:
        ValueError: The model has no ConvNeXt, or one of another size.
    """
    places = [name for name, module in model.named_modules() if isinstance(module, ConvNeXt)]
    if len(places) != 1:
        raise ValueError(f'expected a model with one mmomni.ConvNeXt, it has {len(places)}')
    weights = {name.removeprefix(BACKBONE): tensor for name, tensor in state_dict.items()}
    owner = model.get_submodule(places[0].rpartition('.')[0])
    taken = owner.own_names(weights) if isinstance(owner, Stagewise) else weights
    report = load_partly(model, {f'{places[0]}.{name}': each for name, each in taken.items()})
    left = tuple(f'{places[0]}.{name}' for name in weights if name not in taken)
    return report._replace(unused=report.unused + left)


def convert_file(source: Path, out: Path, config: Path, trust: bool = False) -> LoadReport:
    """Write the weights that ``init_cfg=dict(type='Pretrained', prefix='backbone.')`` can load.

    They are a start for a config, and are tried on its model. With ``trust``, a source may hold
    more than weights, which can run any code.

    Returns:
        What fitted, over the model and the whole source.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: The source has no ConvNeXt, or one that does not fit the config.
    """
    weights = read_weights(source, trust)
    converted = convert_convnext(weights)
    report = load_convnext(build_model(inference_config(Config.fromfile(config))), converted)
    out.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(state_dict=converted), out)
    others = tuple(name for name in weights if not name.startswith(BACKBONE))
    return report._replace(unused=report.unused + others)
