"""What can be wrong with one sample: small functions of a record, all of them in ``CHECKS``."""

from collections.abc import Callable

from .records import Fault, Finding, ImageFacts, MaskFacts, Record

LEAST_SIDE = 32
LARGEST_STEP = 63
"""The largest quantisation step that the frequency head tells apart."""
DEEPEST = 8
INVERTED_SHARE = 0.6
INVERTED_BORDER = 0.5
INVERTED_WHOLE_BORDER = 0.95
INVERTED_WHOLE_SHARE = 0.9

Check = Callable[[Record], list[Finding]]


def check_image_file(record: Record) -> list[Finding]:
    """The image is there and can be decoded."""
    if not isinstance(record.image, Fault):
        return []
    kind = 'image-missing' if record.image.missing else 'image-unreadable'
    return [_of_image(record, kind, record.image.reason)]


def check_mask_file(record: Record) -> list[Finding]:
    """The mask is there and can be decoded."""
    if not isinstance(record.mask, Fault):
        return []
    kind = 'mask-missing' if record.mask.missing else 'mask-unreadable'
    return [_of_mask(record, kind, record.mask.reason)]


def check_mask_size(record: Record) -> list[Finding]:
    """The mask covers its image pixel by pixel."""
    image, mask = record.image, record.mask
    if not isinstance(image, ImageFacts) or not isinstance(mask, MaskFacts):
        return []
    if (image.width, image.height) == (mask.width, mask.height):
        return []
    message = f'{mask.width}x{mask.height} instead of {image.width}x{image.height}'
    if (image.width, image.height) == (mask.height, mask.width):
        message += ': the sides are swapped'
        if image.orientation > 1:
            message += f', as EXIF orientation {image.orientation} of the image suggests'
    return [_of_mask(record, 'mask-size', message)]


def check_mask_area(record: Record) -> list[Finding]:
    """Nothing, everything, or the wrong way round.

    Forgeries seldom take most of a picture and its frame as well. Inverted-looking is a mask with
    95 % of the outermost pixels tampered, or half of them and 60 % of all, or 90 % of all.
    """
    mask = record.mask
    if not isinstance(mask, MaskFacts):
        return []
    if mask.tampered == 0:
        return [_of_mask(record, 'mask-empty', mask.why_nothing or 'every pixel is 0')]
    if mask.tampered == 1:
        return [_of_mask(record, 'mask-full', 'no pixel is 0')]
    inverted = (
        mask.border >= INVERTED_WHOLE_BORDER
        or mask.tampered >= INVERTED_WHOLE_SHARE
        or (mask.tampered > INVERTED_SHARE and mask.border >= INVERTED_BORDER)
    )
    message = f'{mask.tampered:.0%} of all pixels and {mask.border:.0%} of the border are tampered'
    return [_of_mask(record, 'mask-inverted', message)] if inverted else []


def check_mask_values(record: Record) -> list[Finding]:
    """The mask has two values, but for anti-aliased edges."""
    mask = record.mask
    if not isinstance(mask, MaskFacts):
        return []
    if mask.jpeg:
        return [_of_mask(record, 'mask-jpeg', 'a file saved with loss holds no exact values')]
    if mask.soft == 0:
        return []
    if mask.stray == 0:
        message = f'{mask.soft:.2%} of the pixels, along its edges only'
        return [_of_mask(record, 'mask-soft-edge', message)]
    message = f'{mask.soft:.2%} of the pixels have a third value or more'
    return [_of_mask(record, 'mask-not-binary', message)]


def check_mask_source(record: Record) -> list[Finding]:
    """What was read is what the set says, or what every mask has: its colours."""
    mask = record.mask
    if not isinstance(mask, MaskFacts) or record.sample.rule.channel != 'auto':
        return []
    where = {'alpha': 'what is not transparent', 'indices': 'what has not index 0'}
    if mask.source not in where:
        return []
    message = f'{where[mask.source]} counts as tampered, {mask.tampered:.1%} of the pixels'
    return [_of_mask(record, 'mask-elsewhere', message)]


def check_image_pixels(record: Record) -> list[Finding]:
    """The image is no mask."""
    image = record.image
    if not isinstance(image, ImageFacts) or not image.like_mask:
        return []
    message = 'black and one other colour, as a mask has them'
    return [_of_image(record, 'image-is-mask', message, 'warning')]


def check_image_size(record: Record) -> list[Finding]:
    """The network can see something in it."""
    image = record.image
    if not isinstance(image, ImageFacts) or min(image.width, image.height) >= LEAST_SIDE:
        return []
    return [_of_image(record, 'image-tiny', f'{image.width}x{image.height} px')]


def check_orientation(record: Record) -> list[Finding]:
    """A warning where there is a mask to mismatch, else a note."""
    image = record.image
    if not isinstance(image, ImageFacts) or image.orientation == 1:
        return []
    level = 'note' if record.sample.mask is None else None
    return [_of_image(record, 'image-rotated', f'orientation {image.orientation}', level)]


def check_pixel_format(record: Record) -> list[Finding]:
    """Eight bits, three channels, no transparency."""
    image = record.image
    if not isinstance(image, ImageFacts):
        return []
    oddities = (
        ('alpha', image.alpha, f'mode {image.mode}'),
        ('deep', image.bits > DEEPEST, f'{image.bits} bits'),
        ('cmyk', image.mode == 'CMYK', f'{image.format} file'),
    )
    return [_of_image(record, kind, message) for kind, found, message in oddities if found]


def check_assumptions(record: Record) -> list[Finding]:
    """The file says which of its pictures is meant, and what is white."""
    image = record.image
    if not isinstance(image, ImageFacts):
        return []
    return [_of_image(record, 'image-assumed', assumed) for assumed in image.assumed]


def check_quantisation(record: Record) -> list[Finding]:
    """The network knows all its quantisation steps."""
    image = record.image
    if not isinstance(image, ImageFacts) or image.jpeg is None:
        return []
    if image.jpeg.largest_step <= LARGEST_STEP:
        return []
    quality = image.jpeg.quality
    table = 'a table of its own' if quality is None else f'quality {quality}'
    message = f'the largest is {image.jpeg.largest_step} ({table})'
    return [_of_image(record, 'large-steps', message)]


def check_integrity(record: Record) -> list[Finding]:
    """A JPEG is nothing but its picture; damage that changes pixels is none of a readable image."""
    image = record.image
    if not isinstance(image, ImageFacts):
        return []
    return [_of_image(record, 'image-odd', oddity) for oddity in image.oddities]


def check_name(record: Record) -> list[Finding]:
    """Its suffix says what it is."""
    image = record.image
    if not isinstance(image, ImageFacts) or not image.untold:
        return []
    message = f'it is {image.untold} by its content, and read as that'
    return [_of_image(record, 'image-misnamed', message, 'note')]


CHECKS: tuple[Check, ...] = (
    check_image_file, check_mask_file, check_mask_size, check_mask_area, check_mask_values,
    check_mask_source, check_image_pixels, check_image_size, check_orientation,
    check_pixel_format, check_quantisation, check_assumptions, check_integrity,
    check_name,
)  # fmt: skip


def check_record(record: Record) -> list[Finding]:
    """Everything that is wrong with one sample."""
    return [finding for check in CHECKS for finding in check(record)]


def _of_image(record: Record, kind: str, message: str, level: str | None = None) -> Finding:
    sample = record.sample
    related = () if sample.mask is None else (sample.mask,)
    return Finding.of(sample, kind, sample.image, message, related, level)


def _of_mask(record: Record, kind: str, message: str) -> Finding:
    sample = record.sample
    return Finding.of(sample, kind, sample.mask or '', message, (sample.image,))
