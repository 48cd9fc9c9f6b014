"""A folder of forgeries: written in order, by any number of processes."""

import json
import logging
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from mmomni.utils.files import Contents, closed_text, replacing
from mmomni.utils.workers import in_order, worker_pool

from .authentic import survey_sources
from .domains import DOMAINS
from .faces.boxes import demand_detector
from .jpeg_history import FIRST_QUALITY, HISTORIES, SECOND_QUALITY
from .natural.things import Donors, survey_donors
from .publishing import POST_PROBABILITY
from .resuming import HEADER, META, checked_free, header_of, mask_of, resumed
from .synthesizer import GREY_SHARE, PNG_SHARE, RENDERED, MadeImage, Synthesizer

LIST = 'list.txt'
# Images given out to the workers before the next one is written, per worker.
AHEAD = 4

logger = logging.getLogger(__name__)

# An image, and why, by path, sources turned out to be unreadable while it was made.
_ImageAndFaults = tuple[MadeImage, dict[str, str]]


class Summary(NamedTuple):
    """What :func:`synthesize_folder` made.

    Attributes:
        num: Number of images in the folder.
        operations: How many of them per operation, ``'authentic'`` among them.
        unreadable: Why, by path, sources were left out.
        unfound: How many were forged without what their domain looks for (``Domain.unfound``).
        not_images: How many other files there were in the folders, by kind.
    """

    num: int
    operations: Counter[str]
    unreadable: dict[str, str]
    unfound: int
    not_images: Counter[str]


def synthesize_folder(
    sources: Sequence[Path] | Path | str,
    out_dir: Path | str,
    domain: str,
    num: int,
    seed: int,
    max_side: int = 512,
    first_quality: tuple[int, int] = FIRST_QUALITY,
    second_quality: tuple[int, int] = SECOND_QUALITY,
    progress: Callable[[int, int], None] | None = None,
    post_probability: float = POST_PROBABILITY,
    authentic: float = 0.0,
    workers: int = 1,
    resume: bool = False,
    donors: Path | str | None = None,
    histories: str = HISTORIES[0],
    png: float = PNG_SHARE,
    grey: float = GREY_SHARE,
) -> Summary:
    """Write ``num`` images, their masks, ``meta.jsonl``, ``list.txt`` and ``synthesis.json``.

    Sources that cannot be read are logged and left out. ``list.txt`` pairs images with masks in
    the form that the datasets read (``-``: authentic). The number of workers changes no byte.

    Args:
        sources: Folders and files of authentic images, or ``'rendered'``: documents made here.
        out_dir: A new or empty folder, or one to resume.
        domain: A key of ``DOMAINS``.
        num: How many, 1 or more.
        seed: 0 or more; the same seed and sources give the same files.
        max_side: Longest side in pixels, 64 or more.
        first_quality: Lowest and highest libjpeg quality before the tampering.
        second_quality: The same after it.
        progress: Called with (made, num) after each image.
        post_probability: Share of the images that are post-processed (see ``publishing``), 0 to 1.
        authentic: Share of the images that pass through all this without a forgery, 0 to 1.
        workers: Processes, 1 or more; 1: this one.
        resume: Go on with what an interrupted run left in ``out_dir``; ``num`` may have grown.
        donors: A folder with ``images/`` and ``masks/`` of things to put into photos, or ``None``.
        histories: ``'varied'`` or ``'double'``; see :class:`Synthesizer`.
        png: Share of the images saved as PNG instead of a second generation, 0 to 1.
        grey: Share of the images without colour, 0 to 1.

    Raises:
        FileExistsError: ``out_dir`` holds something that is not to be, or cannot be resumed.
        FileNotFoundError: A source does not exist or holds no images.
        ImportError: Faces are to be found, and scikit-image is not installed.
        OSError: A worker died.
        ValueError: An argument is out of range or not that of the run to resume, or no source
            can be read or forged.
    """
    _refuse_none(num=num, workers=workers)
    if domain == 'face':
        demand_detector()
    found = _find(sources, donors)
    make = Synthesizer(
        found.paths, domain, seed, max_side, first_quality, second_quality, post_probability,
        authentic, histories, png, grey, found.things,
    )  # fmt: skip
    out, header = Path(out_dir), header_of(make)
    metas = resumed(out, header, num) if resume else checked_free(out)
    operations = Counter(meta['operation'] for meta in metas)
    is_unfound = DOMAINS[domain].unfound or _never
    unfound = sum(map(is_unfound, metas))
    unreadable: dict[str, str] = {}
    _note(unreadable, found.closed)
    with closing(_samples(make, range(len(metas), num), workers)) as samples:
        for sample, faults in samples:  # before any folder exists: a failure leaves nothing behind
            _write(out, header, sample)
            operations[sample.meta['operation']] += 1
            unfound += is_unfound(sample.meta)
            _note(unreadable, faults)
            if progress is not None:
                progress(sum(operations.values()), num)
    _write_list(out)
    return Summary(num, operations, unreadable, unfound, found.not_images)


def _refuse_none(**counts: int) -> None:
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f'{name} must be 1 or more, got {value}')


def _never(_: dict[str, Any]) -> bool:
    return False


class _Found(NamedTuple):
    """What sources and donors hold: ``closed`` are folders, and why they cannot be entered."""

    paths: list[Path] | None
    things: list[tuple[Path, Path]]
    closed: dict[str, str]
    not_images: Counter[str]


def _find(sources: Sequence[Path] | Path | str, donors: Path | str | None) -> _Found:
    rendered = sources == RENDERED
    survey = Contents([], {}, {}) if rendered else survey_sources(_as_sequence(sources))
    things = Donors([], {}) if donors is None else survey_donors(Path(donors))
    return _Found(
        None if rendered else survey.images,
        things.pairs,
        {str(path): closed_text(path, why) for path, why in survey.closed.items()},
        Counter((survey.others | things.others).values()),
    )


def _as_sequence(sources: Sequence[Path] | Path | str) -> Sequence[Path]:
    return [Path(sources)] if isinstance(sources, str | Path) else sources


# What is made, one after the other


def _samples(
    make: Synthesizer, indices: range, workers: int
) -> Generator[_ImageAndFaults, None, None]:
    """The samples in order, made by this process or by others."""
    if workers == 1 or len(indices) < 2:
        yield from (_make(make, index) for index in indices)
        return
    pool = worker_pool(workers, _start_worker, (make,))
    try:
        yield from in_order(pool, _make_here, indices, AHEAD * workers)
    except BrokenProcessPool as error:
        raise OSError(
            'expected all workers to live, but one was killed (out of memory?); start again with '
            'fewer workers, and with --resume to keep what is made'
        ) from error
    finally:  # an interrupted run does not wait for what is being made
        pool.leave()


def _make(make: Synthesizer, index: int) -> _ImageAndFaults:
    known = len(make.unreadable)
    sample = make(index)
    return sample, dict(list(make.unreadable.items())[known:])


_synthesizer: Synthesizer


def _start_worker(make: Synthesizer) -> None:
    global _synthesizer  # noqa: PLW0603  (sent to a process once, not with each index)
    _synthesizer = make


def _make_here(index: int) -> _ImageAndFaults:
    return _make(_synthesizer, index)


# What is written


def _write(out: Path, header: dict[str, Any], sample: MadeImage) -> None:
    """Write a sample, its line of the meta data last: what has a line is whole."""
    name = Path(sample.meta['file'])
    for folder in ('images', 'masks'):
        (out / folder).mkdir(parents=True, exist_ok=True)
    if not (out / HEADER).exists():
        with replacing(out / HEADER) as unfinished:
            unfinished.write_text(json.dumps(header, indent=2) + '\n', encoding='utf-8')
    (out / 'images' / name).write_bytes(sample.image)
    if sample.mask is not None:
        (out / 'masks' / name.with_suffix('.png')).write_bytes(sample.mask)
    with open(out / META, 'a', encoding='utf-8') as lines:
        lines.write(json.dumps(sample.meta, ensure_ascii=False) + '\n')


def _write_list(out: Path) -> None:
    with open(out / META, encoding='utf-8') as lines:
        rows = [_row(json.loads(line)) for line in lines]
    (out / LIST).write_text('\n'.join([*rows, '']), encoding='utf-8')


def _row(meta: dict[str, Any]) -> str:
    return f'images/{meta["file"]}\t{mask_of(meta) or "-"}'


def _note(unreadable: dict[str, str], faults: dict[str, str]) -> None:
    for path, reason in faults.items():
        if path not in unreadable:
            unreadable[path] = reason
            logger.warning('left out: %s', reason)
