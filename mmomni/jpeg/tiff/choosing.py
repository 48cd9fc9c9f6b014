"""Which picture of a TIFF is examined, and what a person should know of the choice."""

from collections import Counter
from collections.abc import Callable

from .directories import Directory, Pages, main_pictures, pages_of
from .layout import PLAIN_MEANINGS, Layout, UnreadableTIFFError
from .tags import DEPTH, MASK, MEANINGS, Tag

MOST_PREVIEWS = 100
"""So many are tried, the largest first: a file may list thousands, each of which takes time."""


def layout_of(data: bytes, is_readable: Callable[[Layout], bool]) -> Layout:
    """Which picture of a TIFF is examined: the first whole one, or its largest readable preview.

    Args:
        data: A whole TIFF.
        is_readable: Whether a picture can be decoded, as far as its directory tells.

    Raises:
        UnreadableTIFFError: None can.
        ValueError: It is damaged.
    """
    pages, mains = pages_of(data), main_pictures(data)
    if not mains:
        raise ValueError('image file is truncated, or is a TIFF without any picture')
    group = next(group for group in pages.groups if mains[0] in [each.offset for each in group])
    main = next(each for each in group if each.offset == mains[0])
    notes = [f'its list of pages is damaged: {len(mains)} were found'] if pages.is_broken else []
    chosen = _laid_out(main, group, len(mains) > 1)
    if not is_readable(chosen):
        every = [each for other in pages.groups for each in other]
        previews = [each for each in every if each in group or each.is_preview]
        chosen, note = _preview_of(chosen, group, previews, is_readable)
        notes.append(note)
    notes += [*_assumed(chosen), *_left_aside(pages, {chosen.directory.offset, *mains})]
    return chosen._replace(notes=tuple(notes))


def _laid_out(directory: Directory, group: list[Directory], has_more: bool) -> Layout:
    orientation = directory.number(Tag.ORIENTATION) or group[0].number(Tag.ORIENTATION)
    return Layout(directory, orientation if orientation in range(1, 9) else 1, has_more, ())


def _preview_of(
    main: Layout, group: list[Directory], previews: list[Directory],
    is_readable: Callable[[Layout], bool],
) -> tuple[Layout, str]:  # fmt: skip
    """The largest readable preview, and the note that it is one."""
    largest = sorted(previews, key=lambda each: each.area, reverse=True)[:MOST_PREVIEWS]
    found = (_laid_out(each, group, main.has_more) for each in largest if each.area)
    chosen = next((each for each in found if each.is_picture and is_readable(each)), None)
    if chosen is None:
        raise UnreadableTIFFError(f'it has {main.kind}')
    (width, height), whole = chosen.size, main.size
    return chosen, (
        f'only a preview of {width} x {height} in this file was looked at: its picture of '
        f'{whole[0]} x {whole[1]} ({main.kind}) cannot be read'
    )


def _assumed(layout: Layout) -> list[str]:
    """What the picture does not say, or has besides its colours, in words."""
    notes = []
    if Tag.PHOTOMETRIC not in layout.directory.fields:
        meaning = MEANINGS[layout.photometric]
        notes.append(f'this TIFF does not say what its values mean: they were taken for {meaning}')
    more = layout.samples - layout.colours - layout.has_alpha
    if more > 0 and layout.photometric in PLAIN_MEANINGS:
        notes.append(
            f'{more} of the {layout.samples} values of each pixel are neither its colour nor its '
            'transparency: not looked at'
        )
    return notes


def _left_aside(pages: Pages, looked_at: set[int]) -> list[str]:
    """What else the file has besides whole pages, in words."""
    kinds: Counter[str] = Counter()
    for directory in (each for group in pages.groups for each in group):
        kind = directory.number(Tag.NEW_SUBFILE_TYPE)
        if directory.area and directory.offset not in looked_at:
            name = 'mask' if kind & MASK else 'depth map' if kind & DEPTH else ''
            kinds[name or ('preview' if directory.is_preview else 'further picture')] += 1
    if not kinds:
        return []
    listed = ', '.join(f'{n} {kind}{"s" * (n > 1)}' for kind, n in sorted(kinds.items()))
    return [f'besides the picture, this TIFF has {listed}: not looked at']
