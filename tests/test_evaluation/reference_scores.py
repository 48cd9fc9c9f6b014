"""The protocols a second time: one image after another in float64, from their equations alone."""

import math

import numpy as np
from scipy.ndimage import maximum_filter, minimum_filter

LARGEST = 20
KINDS = (
    'noise', 'ties', 'constant', 'half', 'perfect', 'inverted', 'empty', 'full', 'one_pixel',
    'ignored', 'all_ignored', 'soft',
)  # fmt: skip


def random_map(seed):
    """A probability map and a mask; ``seed`` runs through all degenerate kinds."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    target = random_mask(rng, kind, *rng.integers(1, LARGEST, 2))
    noise = rng.random(target.shape)
    probability = {
        'ties': (noise * 5).round() / 5,
        'constant': np.full(target.shape, rng.choice([0, 0.5, 0.7, 1])),
        'half': np.where(rng.random(target.shape) < 0.5, 0.5, noise),
        'perfect': target,
        'inverted': 1 - target,
        'soft': 0.3 * noise + 0.6 * target,
    }.get(kind, noise)
    return probability.astype(np.float32), target


def random_mask(rng, kind, height, width):
    target = np.zeros((height, width), np.uint8)
    top, left = rng.integers(0, height), rng.integers(0, width)
    if kind in {'empty', 'full', 'all_ignored'}:
        target[:] = {'empty': 0, 'full': 1, 'all_ignored': 255}[kind]
    elif kind == 'one_pixel':
        target[top, left] = 1
    elif rng.random() < 0.7:
        bottom, right = top + rng.integers(1, height + 1), left + rng.integers(1, width + 1)
        target[top:bottom, left:right] = 1
    else:
        target[rng.random((height, width)) < rng.random()] = 1
    if kind == 'ignored':
        target[rng.random((height, width)) < 0.3] = 255
    return target


def divide(part, whole):
    return part / whole if whole else math.nan


def auc(scores, labels):
    """Share of (positive, negative) pairs in the right order, ties one half."""
    positive, negative = scores[labels][:, None], scores[~labels][None]
    pairs = (positive > negative).sum() + 0.5 * (positive == negative).sum()
    return divide(pairs, positive.size * negative.size)


def average_precision(scores, labels):
    """Area under the steps of precision over recall, one step a distinct score."""
    total, area, before = labels.sum(), 0.0, 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        called = scores >= np.float32(threshold)
        recall = divide((called & labels).sum(), total)
        area += (recall - before) * (called & labels).sum() / called.sum()
        before = recall
    return area if total else math.nan


def f1(called, labels):
    """2 TP / (2 TP + FP + FN), and 0 where that is 0 / 0, as in TruFor's script; (..., N)."""
    both = (called & labels).sum(-1)
    return 2 * both / np.maximum(called.sum(-1) + labels.sum(), 1e-32)


def thresholds(scores):
    """Below all scores and at each of them, (K, 1)."""
    return np.array([-1, *np.unique(scores)])[:, None]


def region(called, labels, eps):
    i, p, g = int((called & labels).sum()), int(called.sum()), int(labels.sum())
    u = int((called | labels).sum())
    precision, recall = i / (p + eps), i / (g + eps)
    return {
        'IoU': i / (u + eps),
        'F1': 2 * precision * recall / (precision + recall + 1e-8),
        'precision': precision,
        'recall': recall,
    }


def mean_iou(called, labels):
    """Mean of both classes' IoU, whose union counts at least 1."""
    both = ((called, labels), (~called, ~labels))
    return sum((c & g).sum() / max(1, (c | g).sum()) for c, g in both) / 2


def per_image(probability, target):
    valid = target != 255
    return region((probability > 0.5)[valid], target[valid] == 1, 1e-6)


def imdlbenco(probability, target, permute=False):
    valid = target != 255
    scores, labels = probability[valid], target[valid] == 1
    called = scores > 0.5
    found = region(called, labels, 1e-8) | {'AUC': auc(scores, labels)}
    if permute:
        other = region(~called, labels, 1e-8) | {'AUC': auc(-scores, labels)}
        found = {key: max(found[key], other[key]) for key in found}
    return found if labels.any() else dict.fromkeys(found, 0.0)


def imdlbenco_permuted(probability, target):
    return imdlbenco(probability, target, permute=True)


def trufor(probability, target):
    tampered = target == 1
    inside = minimum_filter(tampered, 15)
    outside = ~maximum_filter(tampered, 11)
    keep = (inside | outside) & (target != 255)
    scores, labels = probability[keep], inside[keep]
    if not tampered.any() or not keep.any():
        return {'F1': math.nan, 'F1_best': math.nan}
    called, swept = scores > 0.5, scores > thresholds(scores)
    return {
        'F1': max(f1(called, labels), f1(~called, labels)),
        'F1_best': max(f1(swept, labels).max(), f1(~swept, labels).max()),
    }


def catnet(probability, target):
    valid = target != 255
    called, labels = (probability > 0.5)[valid], target[valid] == 1
    direct = mean_iou(called, labels)
    return {'mIoU': direct, 'permuted_mIoU': max(direct, mean_iou(~called, labels))}


def nanmean(values):
    defined = [value for value in values if not math.isnan(value)]
    return divide(sum(defined), len(defined))


def average(images, score):
    """Mean of the scores of all images, each score over the images that define it."""
    rows = [score(*image) for image in images]
    return {key: nanmean([row[key] for row in rows]) for key in rows[0]}


def catnet_set(images):
    right = pixels = 0
    for probability, target in images:
        valid = target != 255
        right += ((probability > 0.5) == (target == 1))[valid].sum()
        pixels += valid.sum()
    return average(images, catnet) | {'pixel_accuracy': divide(right, pixels)}


def doctamper_set(images, batch_size=None):
    """Pooled IoU; P and R over tampered images, in batches or not; F1 of the two means."""
    i_sum = u_sum = 0
    rows = []
    for probability, target in images:
        valid = target != 255
        called, real = (probability > 0.5)[valid], target[valid] == 1
        i, p, g = (called & real).sum(), called.sum(), real.sum()
        i_sum, u_sum = i_sum + i, u_sum + (called | real).sum()
        rows.append((i / (p + 1e-8), i / g) if g else (math.nan, math.nan))
    size = batch_size or len(rows)
    batches = [rows[start : start + size] for start in range(0, len(rows), size)]
    precision = nanmean([nanmean([p for p, _ in batch]) for batch in batches])
    recall = nanmean([nanmean([r for _, r in batch]) for batch in batches])
    return {
        'IoU': divide(i_sum, u_sum),
        'precision': precision,
        'recall': recall,
        'F1': 2 * precision * recall / (precision + recall + 1e-8),
    }


def pooled_set(images):
    """All pixels that count as one image."""
    called, real = (
        np.concatenate([each[target != 255] for each, target in maps])
        for maps in (
            [(probability > 0.5, target) for probability, target in images],
            [(target == 1, target) for _, target in images],
        )
    )
    i = (called & real).sum()
    precision, recall = (i / each.sum() if each.any() else 0.0 for each in (called, real))
    return {
        'IoU': i / (called | real).sum(),
        'precision': precision,
        'recall': recall,
        'F1': 2 * i / (called.sum() + real.sum()),
    }


SETS = {
    'per_image': lambda images: average(images, per_image),
    'doctamper': doctamper_set,
    'doctamper_batch6': lambda images: doctamper_set(images, batch_size=6),
    'pooled': pooled_set,
    'imdlbenco': lambda images: average(images, imdlbenco),
    'imdlbenco_permuted': lambda images: average(images, imdlbenco_permuted),
    'trufor': lambda images: average(images, trufor),
    'catnet': catnet_set,
}
"""By protocol: images (probability, target) in the order of the dataset -> scores."""
IMAGES = {
    'per_image': per_image,
    'imdlbenco': imdlbenco,
    'imdlbenco_permuted': imdlbenco_permuted,
    'trufor': trufor,
    'catnet': catnet,
}
"""By protocol: the scores of one image."""
