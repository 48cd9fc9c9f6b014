"""Forging operations on faces: another face, the same one blended onto itself, other features.

Self-blending follows the idea of Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended
Images", CVPR 2022: the forgery shows blending traces, but no traces of a generator.
"""

import cv2
import numpy as np

from mmomni.synthesis.colour import change_sharpness, jitter_colours, reinhard
from mmomni.synthesis.geometry import size_of, warp_affine
from mmomni.synthesis.jpeg_history import compress, with_foreign_history
from mmomni.synthesis.scene import Box, Edit, Scene, within
from mmomni.utils.regions import blend, matte_of, poisson

from .boxes import centre_box

# Longest half-axis of a face's matte, as a share of the image's side.
LARGEST_AXIS = 0.42
# Where another face's hair or background meets this one's skin, nobody would leave it like that.
FACE_MISFIT, FEATURE_MISFIT = 55.0, 35.0
# Features of a face as centre and half-axes (x, y, x, y), in shares of the detector's box.
FEATURES = {
    'eyes': (0.5, 0.40, 0.32, 0.13),
    'mouth': (0.5, 0.78, 0.23, 0.13),
    'nose_and_mouth': (0.5, 0.69, 0.26, 0.24),
}


def face_blend(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Blend the donor's face, or an altered copy of the same face, over the face.

    Another face needs both boxes of the scene. Without a box, the middle of the image is blended
    with itself; the details say whether the box was ``'found'`` or is put in the ``'centre'``.
    """
    box = scene.face or centre_box(scene.image)
    matte = _face_matte(scene.image.shape[:2], box, rng)
    swap = scene.face is not None and scene.donor_face is not None and rng.random() < 0.5
    if swap:
        content = _other_face(scene, box, rng)
        if _misfit(scene.image, content, matte) > FACE_MISFIT:
            return None
        if rng.random() < 0.3:
            content = poisson(scene.image, content, matte > 0)
    else:
        content = _same_face(scene.image, box, rng)
    details = {
        'variant': 'swap' if swap else 'self_blend',
        'face_box': 'found' if scene.face else 'centre',
    }
    return Edit(blend(scene.image, content, matte), matte, details, used_donor=swap)


def region_swap(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Put the donor's eyes, mouth, or nose and mouth into the face; needs both faces' boxes."""
    if scene.face is None or scene.donor_face is None or scene.donor is None:
        return None
    if not _inside(scene.face, scene.image) or not _inside(scene.donor_face, scene.donor):
        return None
    name = str(rng.choice(list(FEATURES)))
    x, y, half_width, half_height = FEATURES[name]
    x1, y1, x2, y2 = scene.face
    side = np.array([x2 - x1, y2 - y1])
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    # Between an ellipse and a rectangle, as a lasso around a feature is.
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points = np.sign(circle) * np.abs(circle) ** 0.7 * rng.uniform(0.92, 1.08, (24, 1))
    points = points * side * [half_width, half_height] + [x1, y1] + side * [x, y]
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    matte = matte_of(hull, size_of(scene.image), max(2, round(side[0] * rng.uniform(0.02, 0.045))))
    content = _other_face(scene, scene.face, rng)
    rim = _rim(matte)
    content = reinhard(content, rim, scene.image, rim)
    if _misfit(scene.image, content, matte) > FEATURE_MISFIT:
        return None
    if rng.random() < 0.5:
        content = poisson(scene.image, content, matte > 0)
    return Edit(blend(scene.image, content, matte), matte, {'feature': name}, used_donor=True)


def _inside(box: Box, image: np.ndarray) -> bool:
    """Whether all features of a face are in the image."""
    return within(box, image.shape, -((box[2] - box[0]) // 10))


def _face_matte(size: tuple[int, ...], box: Box, rng: np.random.Generator) -> np.ndarray:
    """A soft convex matte: the hull of a jittered ellipse over eyes, nose and mouth."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radius = rng.uniform(0.9, 1.1, angle.shape)
    points = np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]
    axes = np.array([width * rng.uniform(0.33, 0.44), height * rng.uniform(0.42, 0.54)])
    # Around the face, something authentic stays.
    points *= np.minimum(axes, LARGEST_AXIS * np.array(size[1::-1]))
    points += [(x1 + x2) / 2, y1 + height * rng.uniform(0.53, 0.58)]
    hull = cv2.convexHull(points.astype(np.float32))[:, 0]
    return matte_of(hull, (size[0], size[1]), max(1, round(width * rng.uniform(0.02, 0.1))))


def _other_face(scene: Scene, box: Box, rng: np.random.Generator) -> np.ndarray:
    """The donor moved and scaled so that its face covers ``box``, in the colours of the image."""
    donor, donor_box = scene.donor, scene.donor_face
    if donor is None or donor_box is None:
        raise ValueError('expected a donor with the box of its face, got none')
    donor = with_foreign_history(donor, rng)
    scale = (box[2] - box[0]) / (donor_box[2] - donor_box[0])
    flip = -1 if rng.random() < 0.5 else 1
    warp = np.diag([flip * scale, scale])
    content = _move(donor, warp, _centre(donor_box), _centre(box), scene.image.shape)
    dx, dy = (box[2] - box[0]) // 5, (box[3] - box[1]) // 5
    inner = np.s_[max(box[1] + dy, 0) : box[3] - dy, max(box[0] + dx, 0) : box[2] - dx]
    return reinhard(content, inner, scene.image, inner)


def _same_face(image: np.ndarray, box: Box, rng: np.random.Generator) -> np.ndarray:
    """The face slightly warped, its colours and its sharpness changed, resampled."""
    content = jitter_colours(image, rng)
    content = change_sharpness(content, rng)
    if rng.random() < 0.4:
        content = compress(content, int(rng.integers(40, 98)))
    angle = np.radians(rng.uniform(-3, 3))
    scale = rng.uniform(0.95, 1.05, 2)
    warp = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    drift = rng.uniform(-0.03, 0.03, 2) * (box[2] - box[0])
    return _move(content, warp, _centre(box), _centre(box) + drift, image.shape)


def _rim(matte: np.ndarray) -> np.ndarray:
    return (matte > 0.02) & (matte < 0.98)


def _misfit(image: np.ndarray, content: np.ndarray, matte: np.ndarray) -> float:
    """Mean difference along the outline of a matte, in grey levels, of what meets there."""
    difference = cv2.absdiff(image, content)[_rim(matte)]
    return float(difference.mean()) if difference.size else 0.0


def _centre(box: Box) -> np.ndarray:
    return np.array([box[0] + box[2], box[1] + box[3]]) / 2


def _move(
    image: np.ndarray,
    warp: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    size: tuple[int, ...],
) -> np.ndarray:
    """Warp an image by a (2, 2) matrix so that the point ``source`` comes to ``target``."""
    return warp_affine(image, np.column_stack([warp, target - warp @ source]), (size[0], size[1]))
