"""The domains: what is forged, how, and in which images. A domain more is an entry more.

Commands, tools and the mini-benchmark take the domains from here. Training and evaluation take any
name of a domain; those of the paper are in :mod:`mmomni.evaluation.published`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .authentic import View
from .documents.pasting import block_copy, page_splice, stamp
from .documents.text import char_copy, text_copy, text_edit, text_insert, text_removal
from .documents.words import find_words
from .faces.blending import face_blend, region_swap
from .faces.boxes import find_face
from .faces.retouching import face_retouch
from .natural.captions import write_text
from .natural.local_edits import local_filter, recolour
from .natural.moving import copy_move, object_jitter, removal
from .natural.retouching import local_resave, regenerate
from .natural.splicing import backdrop, paste_thing, splice
from .natural.strokes import retouch
from .scene import Operation, Scene
from .scene_text.editing import word_copy, word_edit, word_insert, word_removal, word_splice
from .scene_text.signs import find_signs, has_signs

# Images in a row in which nothing can be forged, until the whole folder is given up.
VIEWS_TRIED = 20


def _nothing_is_looked_for(scene: Scene) -> Scene:
    return scene


def _nothing_is_lacking(_: Scene) -> bool:
    return False


@dataclass(frozen=True)
class Unfound:
    """How the images are counted that were forged without what their domain looks for.

    Attributes:
        key: In the meta data of an operation.
        value: What it has there in such an image.
        text: What is said of them; ``{}`` is their number.
    """

    key: str
    value: Any
    text: str

    def __call__(self, meta: Mapping[str, Any]) -> bool:
        """Whether an image with this meta data is one of them."""
        return bool(self.key in meta and meta[self.key] == self.value)


@dataclass(frozen=True)
class Domain:
    """What is forged in images of one kind, and what they must have for it.

    Attributes:
        operations: By name, and how often each is tried first; names differ over all domains.
        look: The scene with what the operations need looked for, once for all tries.
        lacks: Whether there is nothing of that in a scene.
        patience: So many views in a row that lack it are passed over, the next is taken. Authentic
            images are chosen alike, or what they lack would tell them from the forged.
        prefers: Which sources are taken first, of some drawn at random, or ``None``: any.
        unfound: How those forged without it are counted, or ``None``: there are none.
        again: How often what was forged is forged in a second place.
        view: What random views of the sources are like.
        sources: The domain whose authentic images are forged, or ``None``: it has its own.
        renders: Whether pages can be drawn to be forged.
        takes_things: Whether things of other photos are put in.
    """

    operations: Mapping[str, tuple[Operation, float]]
    look: Callable[[Scene], Scene] = _nothing_is_looked_for
    lacks: Callable[[Scene], bool] = _nothing_is_lacking
    patience: int = 0
    prefers: Callable[[np.ndarray], bool] | None = None
    unfound: Unfound | None = None
    again: float = 0.0
    view: View = field(default_factory=View)
    sources: str | None = None
    renders: bool = False
    takes_things: bool = False


def _with_words(scene: Scene) -> Scene:
    if scene.words is None:
        scene = replace(scene, words=find_words(scene.image))
    if scene.words and scene.donor is not None and scene.donor_words is None:
        scene = replace(scene, donor_words=find_words(scene.donor))
    return scene


def _with_faces(scene: Scene) -> Scene:
    if scene.face is None:
        scene = replace(scene, face=find_face(scene.image))
    if scene.face is not None and scene.donor is not None and scene.donor_face is None:
        scene = replace(scene, donor_face=find_face(scene.donor))
    return scene


def _with_signs(scene: Scene) -> Scene:
    if scene.signs is None:
        scene = replace(scene, signs=find_signs(scene.image))
    if scene.signs and scene.donor is not None and scene.donor_signs is None:
        scene = replace(scene, donor_signs=find_signs(scene.donor))
    return scene


DOMAINS: Mapping[str, Domain] = {
    'natural': Domain(
        operations={
            'copy_move': (copy_move, 0.14),
            'splice': (splice, 0.17),
            'paste_thing': (paste_thing, 0.14),
            'backdrop': (backdrop, 0.06),
            'removal': (removal, 0.1),
            'object_jitter': (object_jitter, 0.07),
            'retouch': (retouch, 0.08),
            'recolour': (recolour, 0.07),
            'local_filter': (local_filter, 0.05),
            'regenerate': (regenerate, 0.04),
            'local_resave': (local_resave, 0.04),
            'write_text': (write_text, 0.04),
        },
        again=0.12,
        takes_things=True,
    ),
    'document': Domain(
        operations={
            'text_edit': (text_edit, 0.2),
            'text_copy': (text_copy, 0.15),
            'char_copy': (char_copy, 0.1),
            'text_removal': (text_removal, 0.12),
            'text_insert': (text_insert, 0.11),
            'page_splice': (page_splice, 0.16),
            'block_copy': (block_copy, 0.1),
            'stamp': (stamp, 0.06),
        },
        look=_with_words,
        lacks=lambda scene: not scene.words,
        patience=VIEWS_TRIED,
        view=View(page=True, flips=False),
        renders=True,
    ),
    'face': Domain(
        operations={
            'face_blend': (face_blend, 0.6),
            'region_swap': (region_swap, 0.22),
            'face_retouch': (face_retouch, 0.18),
        },
        look=_with_faces,
        lacks=lambda scene: scene.face is None,
        patience=4,
        unfound=Unfound('face_box', 'centre', 'no face was found in {}, whose middle was blended'),
        view=View(smallest=0.85, whole=True),
    ),
    'scene_text': Domain(
        operations={
            'word_edit': (word_edit, 0.4),
            'word_copy': (word_copy, 0.12),
            'word_removal': (word_removal, 0.18),
            'word_insert': (word_insert, 0.18),
            'word_splice': (word_splice, 0.12),
        },
        look=_with_signs,
        lacks=lambda scene: not scene.signs,
        patience=3,
        prefers=has_signs,
        unfound=Unfound(
            'signs', 0, 'no writing was found in {}, on whose plain surfaces words were painted'
        ),
        view=View(smallest=0.75, flips=False),
        sources='natural',
    ),
}
