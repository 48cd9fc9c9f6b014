"""Directories of TIFFs written by hand, and of files of Pillow."""

import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from tiff_bytes import Page, tiff_bytes

from mmomni.jpeg.tiff.directories import main_pictures, pages_of, with_first

FORMS = [('<', False), ('>', False), ('<', True), ('>', True)]


def grey(value, width=16, height=8, below=(), **tags):
    """A page of one grey; further tags by their numbers, as ``t254=1``."""
    more = {int(name[1:]): number for name, number in tags.items()}
    basic = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 277: 1, 278: height}
    return Page(basic | more, [bytes([value]) * (width * height)], below)


def values(data):
    """What a reader sees of each main picture, with Pillow, by their one grey."""
    greys = []
    for offset in main_pictures(data):
        with Image.open(BytesIO(with_first(data, offset))) as image:
            assert image.n_frames == 1
            pixels = np.array(image)
        assert pixels.min() == pixels.max()
        greys.append(int(pixels[0, 0]))
    return greys


@pytest.mark.parametrize(('order', 'big'), FORMS[:3], ids=str)
def test_all_pages_are_main_pictures_in_their_order(order, big):
    assert values(tiff_bytes(*map(grey, (5, 3, 9)), order=order, big=big)) == [5, 3, 9]


@pytest.mark.parametrize(('order', 'big'), FORMS, ids=str)
@pytest.mark.parametrize('kind', [dict(t254=1), dict(t254=3), dict(t254=0x10001), dict(t255=2),
                                  dict(t254=4), dict(t254=8), dict(t254=5)], ids=str)  # fmt: skip
def test_previews_and_maps_are_no_pages_wherever_they_are(kind, order, big):
    first, last = grey(1, 8, 4, **kind), grey(2, 8, 4, **kind)
    data = tiff_bytes(first, grey(7), last, grey(8, t254=2), order=order, big=big)
    groups = pages_of(data).groups
    assert len(groups) == 4
    assert main_pictures(data) == [groups[1][0].offset, groups[3][0].offset]


def test_the_full_picture_below_a_preview_is_taken():
    data = tiff_bytes(grey(1, 8, 4, t254=1, below=[grey(2, 12, 6, t254=1), grey(7, t254=0)]))
    assert values(data) == [7]


def test_a_preview_that_does_not_say_so_is_told_by_its_size():
    assert values(tiff_bytes(grey(1, 8, 4, below=[grey(7)]))) == [7]


def test_a_smaller_copy_below_a_picture_is_none_of_the_pages():
    assert values(tiff_bytes(grey(7, below=[grey(1, 8, 4), grey(2, 4, 2)]), grey(9))) == [7, 9]


def test_of_previews_alone_the_largest_counts():
    assert values(tiff_bytes(grey(1, 4, 4, t254=1), grey(2, 9, 9, t254=1))) == [2]


def test_pages_of_pillow():
    pages, buffer = [Image.new('L', (9, 5), value) for value in (4, 40, 99)], BytesIO()
    pages[0].save(buffer, 'TIFF', save_all=True, append_images=pages[1:])
    assert values(buffer.getvalue()) == [4, 40, 99]


@pytest.mark.parametrize('data', [b'', b'II*\0', b'MM\0*\0\0', b'\xff\xd8\xff', b'II+\0\0\0'])
def test_what_has_no_directory_has_no_pictures(data):
    assert main_pictures(data) == []


def test_a_circle_of_pages_ends():
    data = bytearray(tiff_bytes(grey(5), grey(6)))
    groups = pages_of(bytes(data)).groups
    struct.pack_into('<I', data, groups[1][0].end, groups[0][0].offset)
    assert values(bytes(data)) == [5, 6]
    assert pages_of(bytes(data)).is_broken


def test_a_circle_below_a_page_ends():
    data = tiff_bytes(grey(5, below=[grey(6, 4, 4, below=[grey(7, 2, 2)])]))
    first = pages_of(data).groups[0][0].offset
    bent = data.replace(struct.pack('<HHI', 330, 13, 1), struct.pack('<HHI', 330, 4, 1))
    bent = bytearray(bent)
    inner = pages_of(bytes(bent)).groups[0][1]
    struct.pack_into('<I', bent, inner.fields[330].start, first)
    assert main_pictures(bytes(bent)) == [first]
    assert pages_of(bytes(bent)).is_broken


@pytest.mark.parametrize('big', [False, True])
def test_every_cut_file_is_read_as_far_as_it_goes(big):
    data = tiff_bytes(grey(5), grey(6), big=big)
    whole = main_pictures(data)
    for length in range(len(data)):
        assert main_pictures(data[:length]) in (whole[:0], whole[:1], whole)


def test_directories_inside_each_other_take_no_time():
    """Each byte is a directory of 257 fields that is followed by another."""
    data = b'II*\0\x08\0\0\0' + b'\1\1\0\0' * 60_000
    pages = pages_of(data)
    assert sum(len(each.fields) for group in pages.groups for each in group) <= len(data)


@pytest.mark.parametrize('tag', [330, 256], ids=['SubIFDs', 'width'])
def test_directories_that_share_one_long_list_take_no_time(tag, monkeypatch):
    """Each of them may claim it for its own, though it lies in the file once."""
    number, step, read = 500, 18, 0
    data = struct.pack('<4sI', b'II*\0', 8)
    for index in range(1, number + 1):
        following = 8 + index * step if index < number else 0
        data += struct.pack('<HHHIII', 1, tag, 4, number, 8 + number * step, following)
    data += struct.pack('<I', 8) * number
    unpacked = struct.unpack_from

    def counting(form, *place):
        nonlocal read
        found = unpacked(form, *place)
        read += len(found)
        return found

    monkeypatch.setattr(struct, 'unpack_from', counting)
    assert len(pages_of(data).groups) == number
    assert main_pictures(data) == []
    assert 0 < read <= len(data)


def test_absurd_counts_are_no_fields():
    page = grey(5)
    page[330] = (4, [1 << 31])
    page[700] = (7, b'abcdefgh')
    data = bytearray(tiff_bytes(page))
    struct.pack_into('<I', data, data.index(struct.pack('<HH', 700, 7)) + 4, 0xFFFFFFFF)
    assert len(main_pictures(bytes(data))) == 1


def test_with_first_needs_a_directory():
    with pytest.raises(ValueError, match='lies outside'):
        with_first(tiff_bytes(grey(1)), 1 << 20)
