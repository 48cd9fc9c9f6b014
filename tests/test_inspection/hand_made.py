"""Facts, records, findings and sets that no file stands behind."""

from mmomni.inspection.records import (
    Finding,
    ImageFacts,
    JPEGFacts,
    ListedImage,
    MaskFacts,
    Record,
)
from mmomni.inspection.summary import SetSummary

IMAGE = ImageFacts(
    width=64, height=48, format='PNG', mode='RGB', alpha=False, bits=8, orientation=1,
    digest='0', appearance=None, jpeg=None,
)  # fmt: skip
MASK = MaskFacts(
    width=64, height=48, jpeg=False, tampered=0.1, border=0.0, soft=0.0, stray=0.0
)  # fmt: skip
SAMPLE = ListedImage('set', 'face', 'train', 'a.jpg', 'a.png')


def image(**facts):
    """A sound image but for what is given."""
    return IMAGE._replace(**facts)


def jpeg(quality=90, largest_step=20, **facts):
    return image(format='JPEG', jpeg=JPEGFacts(quality, largest_step), **facts)


def mask(**facts):
    """A sound mask but for what is given."""
    return MASK._replace(**facts)


def record(image=IMAGE, mask=MASK, file=SAMPLE.image, **sample):
    """A pair, or an authentic image where ``mask`` is ``None``."""
    listed = SAMPLE._replace(image=file, **sample)
    return Record(listed if mask is not None else listed._replace(mask=None), image, mask)


def finding(kind, file='a.png', message='so it is', **about):
    return Finding.of(SAMPLE, kind, file, message)._replace(**about)


def summary(name='set', domain='face', split='train', images=5, tampered=3, **counts):
    counts = dict(authentic=images - tampered, unreadable=0) | counts
    return SetSummary(name, domain, split, images, tampered, **counts)
