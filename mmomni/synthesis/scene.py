"""What a forging operation gets and gives back."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import cv2
import numpy as np
from PIL import ImageFont

from mmomni.utils.regions import blend

from .geometry import size_of, warp_affine
from .jpeg_history import Generation

# (x1, y1, x2, y2) in pixels, right and bottom exclusive.
Box = tuple[int, int, int, int]


def within(box: Box, size: tuple[int, ...], border: int = 0) -> bool:
    """Whether a box keeps ``border`` pixels from the edges of an image of (H, W, ...)."""
    x1, y1, x2, y2 = box
    return min(x1, y1) >= border and x2 <= size[1] - border and y2 <= size[0] - border


def enclosing(*boxes: Box) -> Box:
    """The smallest box around some boxes, at least one."""
    x1, y1, x2, y2 = zip(*boxes, strict=True)
    return min(x1), min(y1), max(x2), max(y2)


class Word(NamedTuple):
    """A word on a page; on a scanned one, text and font are not known."""

    box: Box  # tight around the ink
    text: str | None = None  # what it says
    font: ImageFont.FreeTypeFont | None = None  # what it is printed in

    @property
    def width(self) -> int:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        return self.box[3] - self.box[1]


class Thing(NamedTuple):
    """A thing in its own photo, ``uint8`` (H, W, 3); the mask, ``bool`` (H, W), says where."""

    image: np.ndarray
    mask: np.ndarray


class Sign(NamedTuple):
    """Where writing is in an image, and how to get there and back."""

    warp: np.ndarray  # (2, 3), from points (x, y) of the image to those of the upright sign
    size: tuple[int, int]  # (H, W) of the upright sign
    words: tuple[Word, ...]  # with boxes in the upright sign
    dark: bool  # dark writing on lighter ground

    @property
    def is_level(self) -> bool:
        return bool(np.array_equal(self.warp[:, :2], np.eye(2)))

    def upright(self, image: np.ndarray) -> np.ndarray:
        """The sign cut out, its writing level and darker than its ground; ``uint8`` (h, w, 3)."""
        if self.is_level:  # the pixels as they are
            x, y = -self.warp[:, 2].astype(int)
            cut_out = image[y : y + self.size[0], x : x + self.size[1]].copy()
        else:
            cut_out = warp_affine(image, self.warp, self.size)
        return cut_out if self.dark else 255 - cut_out

    def put_back(
        self, image: np.ndarray, sign: np.ndarray, changed: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The image with what ``changed``, ``bool`` (h, w), of an upright sign, and the matte."""
        sign = sign if self.dark else 255 - sign
        matte = np.zeros(size_of(image), np.float32)
        if self.is_level:
            x, y = -self.warp[:, 2].astype(int)
            window = np.s_[y : y + self.size[0], x : x + self.size[1]]
            matte[window] = changed
            result = image.copy()
            result[window][changed] = sign[changed]
            return result, matte
        back = cv2.invertAffineTransform(self.warp)
        content = warp_affine(sign, back, size_of(image))
        cv2.warpAffine(
            changed.astype(np.float32), back, image.shape[1::-1], dst=matte, flags=cv2.INTER_LINEAR
        )
        return blend(image, content, matte), matte


@dataclass(frozen=True)
class Scene:
    """An image about to be forged. No operation writes into its arrays.

    Attributes:
        image: ``uint8`` (H, W, 3), RGB, with the first compression already in its pixels.
        donor: Another image, ``uint8`` (H', W', 3), or ``None``.
        words: Words of a document, or ``None``: the operation looks for them.
        face: Box of the face of a portrait, partly outside of an image that it fills, or
            ``None``: not known.
        donor_face: The same of the donor.
        thing: A thing cut out of another photo, what loads it, or ``None``.
        donor_words: Words of the donor, where it is a document.
        first: The compression that the image went through, or ``None``: none that is known.
        grey: Whether the image has no colour, and what is forged in it must not have any.
        clear: Whether all that is forged is to leave a trace: no region keeps its grid.
        signs: Writing in a photograph, or ``None``: the operation looks for it.
        donor_signs: The same of the donor.
        grain: Most noise that new ground of writing may have, in grey levels.
    """

    image: np.ndarray
    donor: np.ndarray | None = None
    words: Sequence[Word] | None = None
    face: Box | None = None
    donor_face: Box | None = None
    thing: Thing | Callable[[], Thing] | None = None
    donor_words: Sequence[Word] | None = None
    first: Generation | None = None
    grey: bool = False
    clear: bool = False
    signs: Sequence[Sign] | None = None
    donor_signs: Sequence[Sign] | None = None
    grain: float = np.inf

    def keeps_grid(self, rng: np.random.Generator, share: float) -> bool:
        """Whether a region stays on the image's 8x8 grid; always one draw."""
        return bool(rng.random() < share) and not self.clear


@dataclass(frozen=True)
class Edit:
    """What one operation made of a scene.

    Attributes:
        image: ``uint8`` (H, W, 3); equal to the scene's where the matte is 0.
        matte: Share of the forged content in a pixel, ``float32`` (H, W) in [0, 1], or ``bool``.
        details: Anything worth a place in the meta data; JSON types only.
        used_donor: Whether there is content of the donor in it.
        used_thing: Whether the thing is in it.
    """

    image: np.ndarray
    matte: np.ndarray
    details: dict[str, Any] = field(default_factory=dict)
    used_donor: bool = False
    used_thing: bool = False

    @cached_property
    def mask(self) -> np.ndarray:
        """``bool`` (H, W), true where tampered: the forged content prevails."""
        return self.matte > 0.5


# None: not possible with these draws (no room, no word, no donor); the caller draws again.
Operation = Callable[[Scene, np.random.Generator], Edit | None]
