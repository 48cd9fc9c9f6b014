"""Write checkpoints that are safe to load and say what they are."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from mmengine.config import Config
from safetensors.torch import save
from torch import Tensor

from mmomni.datasets.configured import sets_of
from mmomni.utils.classes import METAINFO
from mmomni.utils.digests import DESCRIPTION, named_by_digest
from mmomni.utils.files import file_sha256
from mmomni.version import __version__

from .description import Description, description_text
from .inference import inference_config
from .reading import read_training_checkpoint

SUFFIXES = ('.pth', '.safetensors')
CALIBRATION_FIELDS = (
    'threshold', 'pooling', 'fpr', 'expected_fpr', 'expected_fpr_std', 'num_images',
    'checkpoint_sha256',
)  # fmt: skip
"""What is published of a calibration: not the paths of whoever made it."""
PRECISION = 0.01
"""A number of a vector may change by this share of itself in half precision."""
NOT_STATED = 'not stated'
"""The licence of weights of which nobody has said any."""
INTENDED_USE = (
    'Localise manipulated regions in photographs, documents and faces, as a help to a person who '
    'examines an image.'
)
LIMITS = (
    'A probability map is a hint, not a proof. Resizing and recompression destroy the traces that '
    'it rests on; kinds of manipulation and sources of images that were not trained on may go '
    'unseen. A threshold holds for images like those it was calibrated on.'
)


def publish(
    source: Path,
    out: Path,
    *,
    config: Path | None = None,
    calibrations: Sequence[Path] = (),
    results: Path | None = None,
    name: str | None = None,
    licence: str = NOT_STATED,
    half: bool = False,
    trust: bool = False,
    started_from: Path | None = None,
) -> Path:
    """Write the published form of a checkpoint of one's own training.

    Args:
        source: Checkpoint of a training.
        out: ``NAME.pth`` or ``NAME.safetensors``; the file will be ``NAME-xxxxxxxx.pth``, with the
            first eight digits of its SHA-256.
        config: Its config file; default: the one that the checkpoint holds.
        calibrations: Files of ``mmomni calibrate``, made with this checkpoint.
        results: ``results.json`` of ``tools/test.py``, made with this checkpoint.
        name: Of the model; default: that of ``out``.
        licence: Of the weights.
        half: Write weights in half precision, but for tensors with numbers too large for it, and
            vectors (of norms above all) with numbers that it would change by more than 1 %. They
            are used in single precision all the same.
        trust: Read a source that holds more than weights and the records of a training, too, which
            can run any code.
        started_from: File of the weights that the training began with, for the card to name by its
            digest; default: the name in the config.

    Returns:
        Path of the published file.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: Something does not belong to the checkpoint, or cannot be published.
    """
    if out.suffix not in SUFFIXES:
        raise ValueError(f'{out}: expected a name ending with one of {SUFFIXES}')
    state_dict, whole, iterations, averaged = read_training_checkpoint(source, trust)
    if config is not None:
        whole = Config.fromfile(config)
    if whole is None:
        raise ValueError(f'{source} does not hold its config; name the file with --config')
    digest = file_sha256(source)
    card = dict(
        name=name or out.stem,
        licence=licence,
        mmomni_version=__version__,
        date=datetime.now(timezone.utc).date().isoformat(),
        training=_training(whole, iterations, averaged) | _beginning(started_from),
        metrics=_metrics(results, source) if results else [],
        intended_use=INTENDED_USE,
        limits=LIMITS,
        source=source.name,
        source_sha256=digest,
    )
    thresholds = tuple(_calibration(path, source, digest) for path in calibrations)
    description = Description(inference_config(whole).to_dict(), thresholds, card)
    if half:
        state_dict = {name: _halved(tensor) for name, tensor in state_dict.items()}
    return _write(state_dict, description_text(description), out)


# ---- what the file says ----------------------------------------------------------------------


def _training(config: Config, iterations: int | None, averaged: Sequence[Mapping]) -> dict:
    """Of this run: ``started_from`` has seen others before."""
    loader = config.get('train_dataloader') or {}
    sets = [
        (entry.get('domain'), entry.get('name') or Path(entry.get('data_root') or '').name)
        for entry in sets_of(config, 'train_dataloader')
    ]
    return dict(
        sets=['/'.join(filter(None, parts)) for parts in sets if any(parts)],
        batch_size=loader.get('batch_size'),
        iterations=iterations,  # not those of the config, before which the training may have ended
        started_from=Path(config.get('load_from') or '').name or None,
        averaged=[dict(part) for part in averaged],
        seed=(config.get('randomness') or {}).get('seed'),
    )


def _beginning(path: Path | None) -> dict[str, str]:
    if path is None:
        return {}
    return dict(started_from=path.name, started_from_sha256=file_sha256(path))


def _metrics(path: Path, source: Path) -> list[dict]:
    """Rows of the tables of ``tools/test.py``, without the paper's figures, and of each set."""
    content = _read_json(path)
    tested = Path(str(content.get('checkpoint'))).name
    if tested != source.name:
        raise ValueError(f'{path}: expected results of {source.name}, got those of {tested}')
    try:
        rows = [
            {key: row[key] for key in ('name', 'domain', 'protocol', 'test_input', 'scores')}
            | dict(images=sum(row['counts'].get(kind, 0) for kind in ('tampered', 'authentic')))
            for table in content['tables']
            for row in table['rows']
            if row['scores']
        ]
    except KeyError as error:
        raise ValueError(
            f'{path}: expected results.json of tools/test.py, it has no {error}'
        ) from error
    selection = content.get('selection', {})
    threshold = dict(threshold=selection.get('average', {}).get('threshold'))
    return rows + [
        _selection_row(domain, name, scores | threshold, content['test_input'])
        for domain, sets in selection.get('datasets', {}).items()
        for name, scores in sets.items()
    ]


def _selection_row(domain: str, name: str, scores: Mapping[str, Any], test_input: str) -> dict:
    """What :class:`mmomni.SelectionMetric` says of a set, in the form of the other rows.

    ``threshold`` is that of its ``_fixed`` scores, the same for all sets.
    """
    counts = {kind: scores[kind] for kind in ('tampered', 'authentic')}
    values = {
        key: value for key, value in scores.items()
        if key not in (*counts, 'unreadable') and value is not None
    }  # fmt: skip
    return dict(
        name=name, domain=domain, protocol='selection', test_input=test_input, scores=values,
        images=sum(counts.values()),
    )  # fmt: skip


def _calibration(path: Path, source: Path, digest: str) -> dict:
    content = _read_json(path)
    missing = [field for field in CALIBRATION_FIELDS if field not in content]
    if missing:
        raise ValueError(f'{path}: expected a file of `mmomni calibrate`, it has no {missing}')
    if content['checkpoint_sha256'] != digest:
        raise ValueError(
            f'{path} was made with another checkpoint ({content["checkpoint_sha256"][:8]}...) than '
            f'{source} ({digest[:8]}...); run `mmomni calibrate` with this one'
        )
    optional = {field: content[field] for field in ('precision', 'domain') if field in content}
    return {field: content[field] for field in CALIBRATION_FIELDS} | optional


def _read_json(path: Path) -> dict:
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise ValueError(f'{path}: expected a JSON file: {error}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path}: expected a JSON object, got a {type(content).__name__}')
    return content


# ---- the file --------------------------------------------------------------------------------


def _halved(tensor: Tensor) -> Tensor:
    """A tensor in half precision, if its numbers are real and all fit.

    Below 6.1e-5 it has fewer digits, below 3e-8 none. In a kernel such numbers are lost among the
    others, which a norm's variance, scale or shift of a channel is not.
    """
    if not tensor.is_floating_point():
        return tensor
    half = tensor.half()
    fits = half.isfinite().all()
    if tensor.ndim <= 1:
        fits &= ((half.to(tensor) - tensor).abs() <= PRECISION * tensor.abs()).all()
    return half if fits else tensor


def _write(state_dict: Mapping[str, Tensor], text: str, out: Path) -> Path:
    """Write, then name the file after its content; nothing half-written is left behind."""
    # Copies, because a view would take its whole storage along.
    weights = {name: tensor.detach().cpu().clone() for name, tensor in state_dict.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent) as folder:
        path = Path(folder) / out.name
        if out.suffix == '.safetensors':
            contiguous = {name: tensor.contiguous() for name, tensor in weights.items()}
            metadata = {'format': 'pt', DESCRIPTION: text}
            path.write_bytes(save(contiguous, metadata))  # save_file makes it private to the user
        else:
            meta = {DESCRIPTION: text, 'dataset_meta': dict(METAINFO)}
            torch.save(dict(meta=meta, state_dict=weights), path)
        return path.replace(named_by_digest(out, path))
