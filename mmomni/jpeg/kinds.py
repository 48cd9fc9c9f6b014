"""JPEGs of which few programs know that they are any, by their names."""

from .stream import START, BareStream, bare_stream, segments

ARITHMETIC = {b'\xc9', b'\xca', b'\xcb', b'\xcd', b'\xce', b'\xcf'}
LOSSLESS = {b'\xc3', b'\xc7', b'\xcb', b'\xcf'}
HIERARCHICAL = {b'\xc5', b'\xc6', b'\xc7', b'\xcd', b'\xce', b'\xcf'}
JPEG_LS = b'\xf7'


def unusual_kind(data: bytes) -> str:
    """What a rare kind of JPEG is, as ``a lossless JPEG``; empty for any other file."""
    if not data.startswith(START):
        return ''
    try:
        if next(segments(data)).marker == JPEG_LS:
            return 'a JPEG-LS'
        stream = bare_stream(data)
    except ValueError:
        return ''
    return _kind_of_frame(stream) if len(stream.frame) >= 9 else ''


def has_coefficients(stream: BareStream) -> bool:
    """Whether a JPEG is made of DCT coefficients, which lossless ones are not."""
    return stream.process not in LOSSLESS


def has_coarse_luma(stream: BareStream) -> bool:
    """Whether another component is sampled more finely than the first."""
    factors = stream.factors()
    return any(max(axis) > axis[0] for axis in zip(*factors, strict=True))


def _kind_of_frame(stream: BareStream) -> str:
    precision, components = stream.frame[0], stream.frame[5]
    names = [
        (precision != 8, f'of {precision} bits a sample'),
        (stream.frame[1:3] == bytes(2), 'without a height in its header (it comes later, as DNL)'),
        (components not in (1, 3, 4), f'of {components} components'),
        (stream.process in ARITHMETIC, 'with arithmetic coding'),
        (has_coarse_luma(stream), 'whose chroma is finer than its luma'),
    ]  # fmt: skip
    found = [name for holds, name in names if holds]
    lossless, hierarchical = not has_coefficients(stream), stream.process in HIERARCHICAL
    if not (found or lossless or hierarchical):
        return ''
    nature = ('lossless ' if lossless else '') + ('hierarchical ' if hierarchical else '')
    return f'a {nature}JPEG {", ".join(found)}'.rstrip()
