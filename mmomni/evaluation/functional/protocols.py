"""The protocols of the field as tables of explicit choices."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, NoReturn

COUNT_SCORES = ('IoU', 'F1', 'precision', 'recall', 'mIoU', 'permuted_mIoU', 'pixel_accuracy')
RANKING_SCORES = ('AUC', 'AP', 'F1_best')
AVERAGES = ('per_image', 'pooled', 'doctamper')
EMPTY_GT = ('skip', 'zero', 'one_if_empty')


class Eps(NamedTuple):
    """What is added to the denominators of ``IoU``, ``p``, ``r`` and ``F1 = 2 p r / (p + r)``.

    With 0, the quotient 0 / 0 is 0.
    """

    iou: float = 0.0
    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0


@dataclass(frozen=True)
class Protocol:
    """All choices that change the score of the same prediction.

    Args:
        name: Prefix of the results.
        scores: Which of ``IoU``, ``F1``, ``precision``, ``recall`` (of the tampered class),
            ``mIoU`` (mean IoU of both classes), ``permuted_mIoU``, ``pixel_accuracy`` (always ONE
            pooled count), ``AUC``, ``AP``, ``F1_best`` (at the best threshold of each image).
        average: ``'per_image'``: means over images. ``'pooled'``: from the counts of all images
            together. ``'doctamper'``: IoU pooled, precision and recall are means over images,
            F1 comes from these two means. AUC, AP and F1_best are means over images always.
        empty_gt: What an image without tampered pixels does to means over images. ``'skip'``:
            nothing, it is counted as skipped. ``'zero'``: the tampered class scores 0, AUC and
            AP too. ``'one_if_empty'``: 1 if nothing is predicted, else 0; AUC and AP skip it.
            Pooled counts hold all images.
        eps: See :class:`Eps`.
        threshold: Tampered is what has a higher probability, in [0, 1); ``'best'``: that with
            the best F1, for each image its own.
        permute: Each score of an image is the higher of the prediction's and its inverse's.
        ignore_band: Sides of the erosion and dilation that leave out a band along outlines, see
            :func:`ignore_band`; None: no band.
        batch_size: With ``average='doctamper'``, means are taken over batches of so many images
            in the order of the dataset first, then over batches; None: over images.
        bins: AUC, AP and best thresholds come from a histogram with so many bins, for maps too
            large to sort; None: they are exact.

    Raises:
        ValueError: A choice that does not exist, or two that exclude each other.
    """

    name: str
    scores: tuple[str, ...]
    average: str
    empty_gt: str
    eps: Eps
    threshold: float | str = 0.5
    permute: bool = False
    ignore_band: tuple[int, int] | None = None
    batch_size: int | None = None
    bins: int | None = None

    def __post_init__(self) -> None:
        for score in self.scores:
            self._require_one_of('scores', score, (*COUNT_SCORES, *RANKING_SCORES))
        self._require_one_of('average', self.average, AVERAGES)
        self._require_one_of('empty_gt', self.empty_gt, EMPTY_GT)
        is_number = not isinstance(self.threshold, str) and 0 <= self.threshold < 1
        if not is_number and self.threshold != 'best':
            self._refuse(f"expected threshold to be in [0, 1) or 'best', got {self.threshold!r}")
        for choice, value, least in (('batch_size', self.batch_size, 1), ('bins', self.bins, 2)):
            if value is not None and value < least:
                self._refuse(f'expected {choice} of at least {least}, got {value}')
        band = (1, 1) if self.ignore_band is None else self.ignore_band
        if len(band) != 2 or any(side < 1 or side % 2 == 0 for side in band):
            self._refuse(f'ignore_band takes two odd sides, got {self.ignore_band}')
        if self.average != 'per_image' and (self.permute or self.threshold == 'best'):
            self._refuse(
                "permute and threshold='best' choose for each image and need average='per_image', "
                f'got {self.average!r}'
            )
        if self.batch_size is not None and self.average != 'doctamper':
            self._refuse(f"batch_size belongs to average='doctamper', got {self.average!r}")

    def _require_one_of(self, choice: str, value: str, known: tuple[str, ...]) -> None:
        if value not in known:
            self._refuse(f'expected {choice} to be of {known}, got {value!r}')

    def _refuse(self, problem: str) -> NoReturn:
        raise ValueError(f'protocol {self.name!r}: {problem}')

    @property
    def pooled(self) -> tuple[str, ...]:
        """Scores that come from the counts of all images together."""
        pooled = {
            'per_image': ('pixel_accuracy',),
            'doctamper': ('pixel_accuracy', 'IoU'),
            'pooled': COUNT_SCORES,
        }[self.average]
        return tuple(name for name in self.scores if name in pooled)

    @property
    def averaged_over_images(self) -> tuple[str, ...]:
        """Scores whose mean over images is taken."""
        names = [name for name in self.scores if name not in self.pooled]
        if self.average == 'doctamper':  # its F1 is that of the two means
            names = ['precision', 'recall', *(n for n in names if n in RANKING_SCORES)]
        return tuple(names)

    @property
    def needs_ranking(self) -> bool:
        """Whether the pixels of an image must be sorted by their probability."""
        return self.threshold == 'best' or not set(self.scores).isdisjoint(RANKING_SCORES)

    @property
    def needs_probability(self) -> bool:
        """Whether a decision at probability 0.5 is not enough."""
        return self.threshold != 0.5 or self.needs_ranking


_REGION = ('IoU', 'F1', 'precision', 'recall')
_DOCTAMPER = Protocol(
    'doctamper', _REGION, 'doctamper', empty_gt='skip', eps=Eps(precision=1e-8, f1=1e-8)
)
_IMDLBENCO = Protocol(
    'imdlbenco', (*_REGION, 'AUC'), 'per_image', empty_gt='zero', eps=Eps(1e-8, 1e-8, 1e-8, 1e-8)
)
_TABLE = (
    Protocol(
        'per_image', _REGION, 'per_image', empty_gt='zero', eps=Eps(1e-6, 1e-6, 1e-6, 1e-8)
    ),
    _DOCTAMPER,
    replace(_DOCTAMPER, name='doctamper_batch6', batch_size=6),
    Protocol('pooled', _REGION, 'pooled', empty_gt='skip', eps=Eps()),
    _IMDLBENCO,
    replace(_IMDLBENCO, name='imdlbenco_permuted', permute=True),
    Protocol(
        'trufor', ('F1', 'F1_best'), 'per_image', empty_gt='skip', eps=Eps(),
        permute=True, ignore_band=(15, 11),
    ),
    Protocol(
        'catnet', ('mIoU', 'permuted_mIoU', 'pixel_accuracy'), 'per_image',
        empty_gt='zero', eps=Eps(),
    ),
)
PROTOCOLS = {protocol.name: protocol for protocol in _TABLE}


def build_protocol(choices: str | Mapping[str, Any]) -> Protocol:
    """A protocol of the table by its name, or one of your own.

    Args:
        choices: A name in :data:`PROTOCOLS`; or a dict with a new ``name``, the changed choices of
            :class:`Protocol`, and ``base``, the protocol that they change (default
            ``'per_image'``).

    Raises:
        ValueError: No such protocol, no such choice, or a name that means another protocol.
    """
    if isinstance(choices, str):
        if choices not in PROTOCOLS:
            raise ValueError(f'expected a protocol of {tuple(PROTOCOLS)}, got {choices!r}')
        return PROTOCOLS[choices]
    own = dict(choices)
    base = build_protocol(own.pop('base', 'per_image'))
    if own.get('name', base.name) in PROTOCOLS:
        raise ValueError(
            f'a protocol of your own needs a name of its own (name=...), got {choices}; '
            f'{tuple(PROTOCOLS)} are taken'
        )
    known = [field.name for field in fields(Protocol)]
    unknown = sorted(set(own) - set(known))
    if unknown:
        raise ValueError(f'unknown choices {unknown} of a protocol; known are base, {known}')
    for choice in ('scores', 'ignore_band'):  # configs hold lists
        if own.get(choice) is not None:
            own[choice] = tuple(own[choice])
    if 'eps' in own:
        unknown = sorted(set(own['eps']) - set(Eps._fields))
        if unknown:
            raise ValueError(
                f'protocol {own.get("name")!r}: expected eps to be of {Eps._fields}, got {unknown}'
            )
        own['eps'] = Eps(**own['eps'])
    return replace(base, **own)
