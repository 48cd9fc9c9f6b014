"""Which programs a file itself names as the ones that wrote it. No other module decides that."""

import re
from collections.abc import Iterator, Sequence

from .blocks import Blocks, iptc_texts
from .exif import Exif
from .sections import Fact
from .wording import NONE, shown
from .xmp import Xmp

EDITORS = (
    'photoshop', 'lightroom', 'gimp', 'snapseed', 'picsart', 'pixelmator', 'affinity', 'acdsee',
    'picasa', 'paint', 'facetune', 'faceapp', 'meitu', 'beautycam', 'canva', 'luminar', 'corel',
    'capture one', 'darktable', 'rawtherapee', 'photoscape', 'fotor', 'vsco', 'imagemagick',
    'krita', 'photoimpact', 'paintshop', 'polarr', 'remini', 'irfanview', 'dxo',
)  # fmt: skip
"""How names of programs that edit pictures begin, or a word in them."""
GENERATORS = ('midjourney', 'stable diffusion', 'dall-e', 'dall·e', 'dalle-', 'firefly', 'comfyui',
              'automatic1111', 'novelai', 'flux')  # fmt: skip
GENERATOR_TEXTS = ('parameters', 'prompt', 'workflow', 'dream', 'sd-metadata', 'invokeai_metadata')
"""Names of texts of a PNG in which programs that make pictures note how."""
COPIED = 'as written in the file; stays when another program saves it again and copies metadata'
_SOFTWARE_TEXTS = ('software', 'generator', 'encoder', 'creator tool', 'creatortool')
_PROGRAM = re.compile(
    r'(?i:^\s*(?:creator|software|generator|encoder|producer)\s*[:=])'
    r'|(?i:\b(?:created|written|made|saved|drawn|optimi[sz]ed|compressed|processed|generated'
    r'|edited|converted|encoded|resized)\s+(?:with|using))\s+(?:the\s+)?[A-Z0-9]'
    r'|(?i:\b(?:file|image|picture)\s+(?:created|written|saved|edited)\s+by\b)'
    r'|(?i:\b(?:optimi[sz]ed|compressed|processed|encoded)\s+by\b)'
    r'|(?i:^\s*(?:lavc\d|lead technologies|intel\(r\) jpeg|jpeg encoder|acd systems|adobe '
    r'photoshop|gimp\b))'
)
"""Comments in which programs sign; others speak of anything."""


def software_facts(exif: Exif, xmp: Xmp, blocks: Blocks) -> Iterator[Fact]:
    """Each program that is named, and where; or that none is."""
    named = list(dict.fromkeys(_named(exif, xmp, blocks)))
    if not named and not blocks.levels:
        yield _unnamed(blocks)
    for where, text in named:
        yield Fact(f'Software ({where})', text, software_note(text))
    for text in blocks.levels:
        yield Fact("Software (Photoshop's own data)", text, COPIED)


def is_software_text(name: object) -> bool:
    """Whether a text of this name names a program."""
    return str(name).lower() in _SOFTWARE_TEXTS


def quality_texts(blocks: Blocks) -> list[str]:
    """What programs wrote of the quality that they saved a JPEG with, in their words."""
    signed = (text for where, text in _of_texts(blocks) if where == 'comment')
    return [*blocks.levels, *(text for text in signed if re.search(r'(?i)quality\W*\d', text))]


def software_note(text: str) -> str:
    """What a program is that signed a file by this name; empty where it is not known."""
    if _is_named(GENERATORS, text):
        return 'a program that makes pictures'
    if _is_named(EDITORS, text):
        return 'a program that edits pictures; what it did, be it a crop, this does not tell'
    return ''


def _named(exif: Exif, xmp: Xmp, blocks: Blocks) -> Iterator[tuple[str, str]]:
    tool = xmp.text('xmp:CreatorTool')
    agents = [each['softwareAgent'] for each in xmp.events if each.get('softwareAgent')]
    of_tiff = xmp.text('tiff:Software')
    caption = exif.text('Image ImageDescription')
    of_iptc = [text for number in (65, 70) for text in iptc_texts(blocks.iptc, number)]
    found = (
        ('EXIF', exif.text('Image Software')),
        ('EXIF, by', exif.text('Image ProcessingSoftware')),
        ('EXIF, caption', caption if _PROGRAM.search(caption) else ''),
        ('XMP', tool),
        ('XMP, of TIFF', '' if of_tiff in (tool, exif.text('Image Software')) else of_tiff),
        ('XMP, last step', '' if agents[-1:] == [tool] else ''.join(agents[-1:])),
        ('IPTC', ' '.join(of_iptc)),
        *_of_texts(blocks),
    )
    yield from ((where, text) for where, text in found if text)


def _of_texts(blocks: Blocks) -> Iterator[tuple[str, str]]:
    for name, text in blocks.texts.items():
        if is_software_text(name):
            yield 'text', shown(text)
        elif re.match(r'(?i)comment', str(name)) and _PROGRAM.search(words := shown(text)):
            yield 'comment', words


def _unnamed(blocks: Blocks) -> Fact:
    """That none is, and what shows that one was at work nevertheless."""
    makers = [name for name in map(str, blocks.texts) if name.lower() in GENERATOR_TEXTS]
    if makers:
        note = f'its text “{makers[0]}” is one in which programs that make pictures note how'
        return Fact('Software', 'not named', note)
    return Fact('Software', NONE, 'no program names itself in EXIF, XMP, IPTC, texts or comments')


def _is_named(names: Sequence[str], text: str) -> bool:
    return bool(re.search(rf'\b({"|".join(map(re.escape, names))})', text.lower()))
