"""Forging operations on faces: another face, or the same one blended onto itself.

Self-blending follows the idea of Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended
Images", CVPR 2022: the forgery shows blending traces, but no traces of a generator.
"""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from .jpeg_history import compress, with_foreign_history
from .regions import blend, matte_of
from .scene import Edit, Scene

Box = tuple[int, int, int, int]
# Longest side at which faces are looked for, in pixels.
DETECTION_SIDE = 400
# Longest half-axis of a face's matte, as a share of the image's side.
LARGEST_AXIS = 0.42
CASCADE = 'haarcascade_frontalface_alt2.xml'


def face_blend(scene: Scene, rng: np.random.Generator) -> Edit | None:
    """Blend the donor's face, or an altered copy of the same face, over the face.

    Both need a face that the detector finds; without one, the middle of the image is blended
    with itself. The mask is where the matte exceeds 0.5, that is where the forged content
    prevails. The details say whether the box was ``'found'`` or is put in the ``'centre'``.
    """
    found = find_face(scene.image)
    box = found or centre_box(scene.image)
    other = scene.donor if found and rng.random() < 0.5 else None
    donor_box = None if other is None else find_face(other)
    swap = other is not None and donor_box is not None
    if other is not None and donor_box is not None:
        content = _other_face(scene.image, box, other, donor_box, rng)
    else:
        content = _same_face(scene.image, box, rng)
    matte = _face_matte(scene.image.shape[:2], box, rng)
    details = {
        'variant': 'swap' if swap else 'self_blend',
        'face_box': 'found' if found else 'centre',
    }
    return Edit(blend(scene.image, content, matte), matte > 0.5, details, used_donor=swap)


@lru_cache(maxsize=1)
def _cascade() -> cv2.CascadeClassifier | None:
    folder = getattr(getattr(cv2, 'data', None), 'haarcascades', '')
    path = Path(folder) / CASCADE
    if not path.is_file():
        return None
    cascade = cv2.CascadeClassifier(str(path))
    return None if cascade.empty() else cascade


def find_face(image: np.ndarray) -> Box | None:
    """The largest frontal face.

    Args:
        image: ``uint8`` (H, W, 3).

    Returns:
        (x1, y1, x2, y2) in pixels, partly outside of an image that the face fills, or
        ``None``: no face found, or no cascade file in this OpenCV.
    """
    cascade = _cascade()
    if cascade is None:
        return None
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    # Faces that fill the image are found only with some room around them.
    pad = min(grey.shape) // 4
    grey = cv2.copyMakeBorder(grey, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    scale = min(1.0, DETECTION_SIDE / max(grey.shape))
    grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    least = max(24, min(grey.shape) // 8)
    boxes = cascade.detectMultiScale(grey, 1.1, 3, minSize=(least, least))
    faces = []
    for x, y, side, _ in boxes:
        x1, y1, x2, y2 = (round(float(v) / scale) - pad for v in (x, y, x + side, y + side))
        if 0 <= x1 + x2 < 2 * image.shape[1] and 0 <= y1 + y2 < 2 * image.shape[0]:
            faces.append((x1, y1, x2, y2))
    return max(faces, key=lambda box: (box[2] - box[0], box), default=None)


def centre_box(image: np.ndarray) -> Box:
    """Where a portrait has its face: 0.7 of the shorter side, a little above the middle."""
    height, width = image.shape[:2]
    half = round(min(height, width) * 0.35)
    x, y = width // 2, max(int(height * 0.45), half)
    return x - half, y - half, x + half, y + half


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


def _other_face(
    image: np.ndarray, box: Box, donor: np.ndarray, donor_box: Box, rng: np.random.Generator
) -> np.ndarray:
    """The donor moved and scaled so that its face covers ``box``, in the colours of ``image``."""
    donor = with_foreign_history(donor, rng)
    scale = (box[2] - box[0]) / (donor_box[2] - donor_box[0])
    flip = -1 if rng.random() < 0.5 else 1
    warp = np.diag([flip * scale, scale])
    content = _move(donor, warp, _centre(donor_box), _centre(box), image.shape)
    return _colours_of(content, image, box)


def _same_face(image: np.ndarray, box: Box, rng: np.random.Generator) -> np.ndarray:
    """The face slightly warped, its colours and its sharpness changed, resampled."""
    content = _jitter_colours(image, rng)
    content = _change_sharpness(content, rng)
    if rng.random() < 0.4:
        content = compress(content, int(rng.integers(40, 98)))
    angle = np.radians(rng.uniform(-3, 3))
    scale = rng.uniform(0.95, 1.05, 2)
    warp = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * scale
    drift = rng.uniform(-0.03, 0.03, 2) * (box[2] - box[0])
    return _move(content, warp, _centre(box), _centre(box) + drift, image.shape)


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
    return cv2.warpAffine(
        image,
        np.column_stack([warp, target - warp @ source]),
        (size[1], size[0]),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT_101,
    )


def _jitter_colours(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    gain, offset = rng.uniform(0.9, 1.1), rng.uniform(-12, 12, 3)
    changed = (image.astype(np.float32) - 128) * gain + 128 + offset
    return np.round(changed).clip(0, 255).astype(np.uint8)


def _change_sharpness(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    kind = rng.integers(3)
    if kind == 0:
        return cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.5))
    if kind == 1:
        soft = cv2.GaussianBlur(image, (0, 0), 1.2)
        return cv2.addWeighted(image, 1.6, soft, -0.6, 0)
    height, width = image.shape[:2]
    factor = rng.uniform(0.4, 0.9)
    small = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def _colours_of(content: np.ndarray, image: np.ndarray, box: Box) -> np.ndarray:
    """Give ``content`` the mean and deviation, in Lab, that ``image`` has within ``box``."""
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) // 5, (y2 - y1) // 5
    inner = np.s_[max(y1 + dy, 0) : y2 - dy, max(x1 + dx, 0) : x2 - dx]
    ours = cv2.cvtColor(content, cv2.COLOR_RGB2LAB).astype(np.float32)
    theirs = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)[inner]
    mean, deviation = ours[inner].mean(axis=(0, 1)), ours[inner].std(axis=(0, 1)) + 1e-3
    gain = (theirs.std(axis=(0, 1)) / deviation).clip(0.6, 1.6)
    matched = (ours - mean) * gain + theirs.mean(axis=(0, 1))
    lab = np.round(matched).clip(0, 255).astype(np.uint8)
    return cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
