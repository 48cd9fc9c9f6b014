"""What is known of one image and its mask: plain values that travel between processes."""

from dataclasses import dataclass, field
from typing import NamedTuple

from mmomni.datasets.mask_rules import GENERAL_RULE, MaskRule

from .kinds import KINDS
from .similarity import Appearance

HELD_OUT = ('val', 'test')
"""Words of a split that no training image may be in."""


class Finding(NamedTuple):
    """One thing found.

    Attributes:
        kind: Key of :data:`~mmomni.inspection.kinds.KINDS`.
        dataset: Name of the set.
        split: Its split.
        file: Path of the file, or of the set where no file is to blame.
        message: The facts of this case.
        related: Other files it concerns: the mask, or copies of an image.
        level: Of :data:`~mmomni.inspection.kinds.LEVELS`.
    """

    kind: str
    dataset: str
    split: str
    file: str
    message: str
    related: tuple[str, ...] = ()
    level: str = ''

    @classmethod
    def of(
        cls, where: 'ListedImage | DataSet', kind: str, file: str, message: str,
        related: tuple[str, ...] = (), level: str | None = None,
    ) -> 'Finding':
        """A finding in the set and split of ``where``, at the usual level of its kind."""
        dataset = where.name if isinstance(where, DataSet) else where.dataset
        level = level or KINDS[kind].level
        return cls(kind, dataset, where.split, file, message, related, level)  # fmt: skip


class ListedImage(NamedTuple):
    """An image, and the mask it is paired with if it is tampered."""

    dataset: str
    domain: str
    split: str
    image: str
    mask: str | None
    rule: MaskRule = GENERAL_RULE

    @property
    def held_out(self) -> bool:
        """Whether it is for validation or testing."""
        return self.split.split('/')[0] in HELD_OUT


@dataclass
class DataSet:
    """One set: its pairs, and what was wrong before any image was opened."""

    name: str  # what tables call it
    domain: str  # whatever the set calls it, or '-' if unknown
    split: str  # 'train', 'val', 'test' or 'val/test'
    root: str  # the folder or list file
    pairs: list[tuple[str, str | None]] = field(default_factory=list)  # (image, mask or None)
    findings: list[Finding] = field(default_factory=list)
    rule: MaskRule = GENERAL_RULE  # how its masks are to be read

    def add(
        self, kind: str, file: str, message: str, related: tuple[str, ...] = (),
        level: str | None = None,
    ) -> None:
        self.findings.append(Finding.of(self, kind, file, message, related, level))  # fmt: skip

    def samples(self) -> list[ListedImage]:
        about = self.name, self.domain, self.split
        return [ListedImage(*about, image, mask, self.rule) for image, mask in self.pairs]


class Fault(NamedTuple):
    """Why there is nothing to know of a file."""

    missing: bool  # there is no such file; else it cannot be read
    reason: str  # in words


class JPEGFacts(NamedTuple):
    """What the luma quantisation table of a JPEG says."""

    quality: int | None  # libjpeg quality, 1 to 100, or None for a table of other making
    largest_step: int  # its largest entry


class ImageFacts(NamedTuple):
    """What is known of a readable image."""

    width: int  # in pixels, as stored
    height: int  # the same
    format: str  # Pillow's name of the file format
    mode: str  # Pillow's mode
    alpha: bool  # whether it has transparency
    bits: int  # bits a channel
    orientation: int  # EXIF orientation, 1 to 8; 1 is upright
    digest: str  # of the bytes of the file
    appearance: Appearance | None  # what it looks like, None for a flat image
    jpeg: JPEGFacts | None  # None for other formats
    assumed: tuple[str, ...] = ()  # what was taken for its picture, or for white
    oddities: tuple[str, ...] = ()  # what is odd in a JPEG and changes no pixel
    like_mask: bool = False  # whether its pixels are those of a mask
    untold: str = ''  # its format, where its suffix says another


class MaskFacts(NamedTuple):
    """What is known of a readable mask, seen as :class:`mmomni.LoadManipulationMask` sees it."""

    width: int  # in pixels
    height: int  # in pixels
    jpeg: bool  # whether it was saved with loss
    tampered: float  # share of tampered pixels
    border: float  # share of tampered pixels in the outermost rows and columns
    soft: float  # share of pixels that are neither 0 nor the most frequent other colour
    stray: float  # share of such pixels more than two pixels away from an edge
    source: str = 'colours'  # what of the file says it, as MaskValues has it
    labels: str = ''  # digest of what is tampered, the same for equal masks in other files
    why_nothing: str = ''  # why no pixel is tampered though not all are 0


class Record(NamedTuple):
    """Everything known of one sample; ``mask`` is ``None`` for an authentic image."""

    sample: ListedImage
    image: ImageFacts | Fault
    mask: MaskFacts | Fault | None
