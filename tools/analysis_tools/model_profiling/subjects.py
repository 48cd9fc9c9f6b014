"""The models that are measured, and the batches that they are measured on."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from mmcv.cnn import fuse_conv_bn
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData, PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from torch import Tensor, nn

from mmomni.models import fast
from mmomni.models.layers import FrequencyPerceptionHead
from mmomni.utils.cuda_math import CudaMath, allowed, current

DTYPES = {'fp32': torch.float32, 'tf32': torch.float32, 'bf16': torch.bfloat16}
OWN = 'own'
LAYOUTS = {OWN: None, 'contiguous': torch.contiguous_format, 'channels_last': torch.channels_last}
FORMS = ('plain', 'eager', 'fused', 'channels_last', 'compile')


class Case(NamedTuple):
    """How a model is run.

    Attributes:
        size: Height and width of the input.
        batch: Images at once.
        precision: ``'fp32'``; ``'tf32'``, in which CUDA may multiply; or ``'bf16'`` for autocast.
        form: ``'eager'``; ``'plain'`` (eager without the networks' speed-ups), ``'fused'`` (batch
            norms in the convolutions before them, as the inferencer has them),
            ``'channels_last'`` (weights and input) or ``'compile'``.
        layout: Of our networks' maps, whatever that of the weights: ``'own'`` is the device's.
        frequency: Form of the frequency head, one of ``fast.FREQUENCY_FORMS``.
    """

    size: int
    batch: int
    precision: str = 'fp32'
    form: str = 'eager'
    layout: str = OWN
    frequency: str = fast.FREQUENCY_FORMS[0]


@dataclass
class Subject:
    """A segmentor of mmseg with its name in tables."""

    name: str
    path: Path
    cfg: Config
    model: Any
    fused: Any = field(default=None, repr=False)
    compiled: Callable | None = field(default=None, repr=False)


class Failure(NamedTuple):
    """What could not be measured, and why."""

    name: str
    what: str
    error: str


class Failures(list[Failure]):
    """Collects what went wrong, so that one bad config or lack of memory stops nothing else."""

    @contextmanager
    def naming(self, name: str, what: str) -> Iterator[None]:
        """Swallow what goes wrong within, and note it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (whatever it is, it is named, and we go on)
            first = str(error).strip().split('\n')[0]
            self.append(Failure(name, what, f'{type(error).__name__}: {first}'))
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def has(self, name: str, what: str) -> bool:
        """Whether this has failed before."""
        return any((failure.name, failure.what) == (name, what) for failure in self)


def short_name(path: Path) -> str:
    """``omni-iml_convnext-base`` of ``omni-iml_convnext-base_8xb2-370k_iml-512x512.py``."""
    return re.sub(r'_\d+xb\d+-.*', '', path.stem)


def load_subject(path: Path, device: torch.device, cfg: Config | None = None) -> Subject:
    """Build a config's model with random weights: nothing is downloaded or read.

    ``cfg`` is what has been read of it, and changed, already.
    """
    cfg = Config.fromfile(path) if cfg is None else cfg
    _forget_weights(cfg.model)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg.model).to(device).eval()
    return Subject(short_name(path), path, cfg, model)


def _forget_weights(node: Any) -> None:
    """Drop every ``init_cfg`` and ``pretrained`` that would read a checkpoint."""
    if isinstance(node, dict):
        if node.get('type') == 'Pretrained':
            raise ValueError('a Pretrained init_cfg must be a single dict, not one of a list')
        for key in ('init_cfg', 'pretrained'):
            value = node.get(key)
            if isinstance(value, str) or (
                isinstance(value, dict) and value.get('type') == 'Pretrained'
            ):
                node[key] = None
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, (dict, list, tuple)):
            _forget_weights(child)


def parameters_of(model: nn.Module) -> dict[str, int]:
    """Parameters of every direct child, of the whole, and of what inference needs."""
    counts = {
        name: sum(p.numel() for p in child.parameters()) for name, child in model.named_children()
    }
    whole = sum(p.numel() for p in model.parameters())
    inference = whole - counts.get('auxiliary_head', 0)
    return {**counts, 'training': whole, 'inference': inference}


def random_planes(batch: int, size: int) -> Tensor:
    """(batch, 5, size, size), uint8, the same for every model: RGB, ``|q|``, quantisation steps.

    Most ``|q|`` are small, as in a JPEG: look-ups by value must not gain from a flat histogram.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (batch, 1, size, size)
    rgb = torch.randint(0, 256, (batch, 3, size, size), generator=generator)
    values = torch.empty(shape).exponential_(1.0, generator=generator).long().clamp(max=20)
    steps = torch.randint(1, 64, (batch, 1, 8, 8), generator=generator)
    steps = steps.repeat(1, 1, -(-size // 8), -(-size // 8))[..., :size, :size]
    return torch.cat([rgb, values, steps], dim=1).to(torch.uint8)


def training_batch(batch: int, size: int) -> dict:
    """What a dataloader gives: planes and samples with two tampered rectangles each."""
    near, middle, far = size // 8, size // 2, size - size // 8
    boxes = torch.tensor([[near, near, middle, middle], [middle, middle, far, far]])
    mask = torch.zeros(1, size, size, dtype=torch.long)
    for left, top, right, bottom in boxes.tolist():
        mask[:, top:bottom, left:right] = 1
    samples = []
    for _ in range(batch):
        shape = (size, size)
        sample = SegDataSample(metainfo=dict(img_shape=shape, ori_shape=shape, pad_shape=shape))
        sample.gt_sem_seg = PixelData(data=mask)
        sample.gt_instances = InstanceData(
            bboxes=boxes.float(), labels=torch.zeros(len(boxes), dtype=torch.long)
        )
        samples.append(sample)
    return dict(inputs=list(random_planes(batch, size)), data_samples=samples)


def lay_out(model: Any, form: str) -> torch.memory_format:
    """Put the weights into the memory layout of a form; returns the layout."""
    layout = torch.channels_last if form == 'channels_last' else torch.contiguous_format
    model.to(memory_format=layout)
    return layout


def take_frequency_form(model: nn.Module, case: Case) -> None:
    """Let the frequency head of a model, if it has one, take the form of a case."""
    for module in model.modules():
        if isinstance(module, FrequencyPerceptionHead):
            module.form = cast(Any, case.frequency)


def inference(subject: Subject, case: Case, device: torch.device) -> Callable[[], Tensor]:
    """A function that predicts one batch: planes to full-size logits (B, 2, H, W)."""
    model = subject.model.eval()
    if case.form == 'fused':
        subject.fused = subject.fused or fuse_conv_bn(deepcopy(model))
        model = subject.fused
    layout = lay_out(model, case.form)
    take_frequency_form(model, case)
    inputs, metas = _arguments(case, layout, device)
    predict = model.encode_decode
    if case.form == 'compile':
        # All models share this method, and each shape of each is compiled: beyond a limit torch
        # would silently run what it was given.
        torch._dynamo.config.cache_size_limit = 1024
        subject.compiled = subject.compiled or torch.compile(predict, dynamic=False)
        predict = subject.compiled
    manner = fast.disabled if case.form == 'plain' else nullcontext

    def run() -> Tensor:
        with torch.no_grad(), in_manner_of(case, device), manner():
            return predict(inputs, metas)

    return run


def _arguments(
    case: Case, layout: torch.memory_format, device: torch.device
) -> tuple[Tensor, list[dict]]:
    """What a segmentor's ``encode_decode`` takes."""
    inputs = random_planes(case.batch, case.size).to(device).float()
    shape = (case.size, case.size)
    metas = [dict(img_shape=shape, pad_shape=shape)] * case.batch
    return inputs.contiguous(memory_format=layout), metas


def graph_breaks(subject: Subject, case: Case, device: torch.device) -> int:
    """In how many places ``torch.compile`` cannot follow the prediction of one batch."""
    model = subject.model.eval()
    arguments = _arguments(case, lay_out(model, 'eager'), device)
    take_frequency_form(model, case)
    half = case.precision == 'bf16'

    def run() -> Tensor:  # without what torch.compile need not follow
        with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=half):
            return model.encode_decode(*arguments)

    torch._dynamo.reset()
    with in_precision(case.precision, device), fast.layout(LAYOUTS[case.layout]):
        return torch._dynamo.explain(run)().graph_break_count


@contextmanager
def in_precision(precision: str, device: torch.device) -> Iterator[None]:
    """Autocast to bfloat16, or none; on CUDA with TF32 where that is the precision."""
    tf32 = precision == 'tf32'
    math = CudaMath(tf32, tf32, current().autotune) if device.type == 'cuda' else current()
    half = torch.autocast(device.type, torch.bfloat16, enabled=precision == 'bf16')
    with allowed(math), half:
        yield


@contextmanager
def in_manner_of(case: Case, device: torch.device) -> Iterator[None]:
    """In the precision and layout of a case."""
    with in_precision(case.precision, device), fast.layout(LAYOUTS[case.layout]):
        yield
