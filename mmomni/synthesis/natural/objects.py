"""Cutting objects out of an image: GrabCut in a rectangle that stands out.

GrabCut (Rother et al., 2004) works on a small copy; its mask is brought to full size by a guided
filter (He et al., "Guided Image Filtering", TPAMI 2013), which draws it to the image's edges.
"""

import cv2
import numpy as np

from mmomni.synthesis.scene import Box

WORK_SIDE, GRABCUT_SIDE = 128, 72
RECTANGLES_TRIED = 16
OBJECTS_TRIED = 4
GRABCUT_ROUNDS = 1
# Lab distances across most of its outline: an object above the first is clear enough to stop
# looking, one below the second is none.
CLEAR, UNCLEAR = 38.0, 19.0


def find_object(
    image: np.ndarray, rng: np.random.Generator, area: tuple[float, float]
) -> np.ndarray | None:
    """GrabCut of what stands out in a random rectangle: the clearest of a few.

    Sets the seed of OpenCV's own generator, which GrabCut draws from. The image is ``uint8``
    (H, W, 3), ``area`` the smallest and largest share of it; the object is ``bool`` (H, W), or
    ``None``: nothing stands out clearly.
    """
    small = shrunk(image, WORK_SIDE)
    scale = max(image.shape[:2]) / max(small.shape[:2])
    best, best_score = None, UNCLEAR
    for _ in range(OBJECTS_TRIED):
        box = _salient_rectangle(small, rng, area)
        # With its surroundings, from which GrabCut learns the background.
        room = (box[2] - box[0]) * 2 // 5, (box[3] - box[1]) * 2 // 5
        y1, y2 = (int(v * scale) for v in (max(box[1] - room[1], 0), box[3] + room[1]))
        x1, x2 = (int(v * scale) for v in (max(box[0] - room[0], 0), box[2] + room[0]))
        window = np.s_[y1:y2, x1:x2]
        patch = shrunk(image[window], GRABCUT_SIDE)
        zoom = patch.shape[1] / image[window].shape[1]
        mask = _cut_out(patch, (np.array(box) * scale - [x1, y1, x1, y1]) * zoom, rng)
        score = _clarity(patch, mask)
        if score > best_score:
            best, best_score = (mask, window), score
        if score > CLEAR:
            break
    if best is None:
        return None
    mask = np.zeros(image.shape[:2], bool)
    mask[best[1]] = at_full_size(best[0], np.ascontiguousarray(image[best[1]]))
    return mask


def _cut_out(image: np.ndarray, box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """GrabCut, from an ellipse in a box (x1, y1, x2, y2) on; ``bool`` (h, w)."""
    x1, y1, x2, y2 = box
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    u, v = (2 * x - x1 - x2) / max(x2 - x1, 1), (2 * y - y1 - y2) / max(y2 - y1, 1)
    labels = np.full(u.shape, cv2.GC_BGD, np.uint8)
    labels[np.maximum(abs(u), abs(v)) <= 1.1] = cv2.GC_PR_BGD
    labels[u**2 + v**2 < 0.8] = cv2.GC_PR_FGD
    # Without a seed the shortest outline is none at all.
    labels[u**2 + v**2 < 0.2] = cv2.GC_FGD
    if not (labels == cv2.GC_FGD).any() or not (labels == cv2.GC_BGD).any():
        return np.zeros(image.shape[:2], bool)
    cv2.setRNGSeed(int(rng.integers(1, 2**31)))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(image, labels, (0, 0, 1, 1), *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    return whole((labels == cv2.GC_PR_FGD) | (labels == cv2.GC_FGD))


def _clarity(image: np.ndarray, mask: np.ndarray) -> float:
    """Mean Lab distance across the outline of a mask, a little inside from a little outside."""
    share = mask.mean()
    if not 0.05 < share < 0.75:
        return 0.0
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)
    weight = mask.astype(np.float32)
    reach = max(5, max(mask.shape) // 20) | 1
    window = (reach, reach)
    near_in = cv2.blur(weight, window)
    inside = cv2.blur(lab * weight[..., None], window)
    outside = cv2.blur(lab, window) - inside
    line = (near_in > 0.35) & (near_in < 0.65)
    if not line.any():
        return 0.0
    both = inside[line] / near_in[line][:, None] - outside[line] / (1 - near_in[line])[:, None]
    # A quarter of the outline may be lost in its surroundings, not more.
    return float(np.quantile(np.linalg.norm(both, axis=1), 0.25))


def _salient_rectangle(
    image: np.ndarray, rng: np.random.Generator, area: tuple[float, float]
) -> Box:
    """The one of some random rectangles whose colour differs most from that around it."""
    height, width = image.shape[:2]
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    sums = cv2.integral(lab)
    found: list[tuple[float, Box]] = []
    # An object fills about half of its rectangle.
    low, high = np.log(1.5 * area[0]), np.log(min(2.0 * area[1], 0.85))
    for _ in range(RECTANGLES_TRIED):
        share, aspect = np.exp(rng.uniform(low, high)), np.exp(rng.uniform(-0.6, 0.6))
        w = int(np.clip(np.sqrt(share * height * width * aspect), 6, width - 4))
        h = int(np.clip(np.sqrt(share * height * width / aspect), 6, height - 4))
        x, y = int(rng.integers(2, width - w - 1)), int(rng.integers(2, height - h - 1))
        box = (x, y, x + w, y + h)
        # Larger ones are less likely to be a detail of something.
        found.append((_contrast(sums, box) * share**0.25, box))
    return max(found, key=lambda each: each[0])[1]


def _contrast(sums: np.ndarray, box: Box) -> float:
    """Distance of the mean colours inside of a box and in a frame of a fifth around it."""
    x1, y1, x2, y2 = box
    dx, dy = max((x2 - x1) // 5, 2), max((y2 - y1) // 5, 2)
    rows, columns = sums.shape[:2]
    outer = max(x1 - dx, 0), max(y1 - dy, 0), min(x2 + dx, columns - 1), min(y2 + dy, rows - 1)
    # The corners of an object's box belong to its surroundings.
    inner = x1 + dx // 2, y1 + dy // 2, x2 - dx // 2, y2 - dy // 2
    (inside, n_inside), (around, n_around), (box_sum, n_box) = (
        (sums[b[3], b[2]] - sums[b[1], b[2]] - sums[b[3], b[0]] + sums[b[1], b[0]],
         (b[2] - b[0]) * (b[3] - b[1]))
        for b in (inner, outer, box)
    )  # fmt: skip
    frame = (around - box_sum) / max(n_around - n_box, 1)
    return float(np.linalg.norm(inside / max(n_inside, 1) - frame))


def shrunk(image: np.ndarray, side: int) -> np.ndarray:
    """An image of at most ``side`` pixels a side."""
    scale = min(1.0, side / max(image.shape[:2]))
    size = (max(16, round(image.shape[1] * scale)), max(16, round(image.shape[0] * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def whole(mask: np.ndarray) -> np.ndarray:
    """The largest connected region of a mask, smoothed, its holes filled; ``bool`` (h, w)."""
    smooth = cv2.medianBlur(mask.astype(np.uint8) * 255, 5)
    contours = cv2.findContours(smooth, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    filled = np.zeros_like(smooth)
    if contours:
        cv2.drawContours(filled, [max(contours, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled > 0


def at_full_size(mask: np.ndarray, image: np.ndarray) -> np.ndarray:
    """A mask of the small copy at the image's size, drawn to its edges; ``bool`` (H, W)."""
    height, width = image.shape[:2]
    rough = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    radius = 2 * max(1, round(max(height, width) / max(mask.shape)))
    guide = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    return whole(_guided(rough, guide, radius, 1e-3) > 0.5)


def _guided(rough: np.ndarray, guide: np.ndarray, radius: int, smoothness: float) -> np.ndarray:
    """The guided filter, equations 5 to 8; all ``float32`` (H, W)."""
    window = (2 * radius + 1, 2 * radius + 1)
    mean_guide, mean_rough = cv2.blur(guide, window), cv2.blur(rough, window)
    covariance = cv2.blur(guide * rough, window) - mean_guide * mean_rough
    variance = cv2.blur(guide * guide, window) - mean_guide * mean_guide
    slope = covariance / (variance + smoothness)
    offset = mean_rough - slope * mean_guide
    return cv2.blur(slope, window) * guide + cv2.blur(offset, window)
