"""Notes on damaged JPEGs, and none on whole ones."""

import re
from io import BytesIO

import jpeg_damage
import numpy as np
import pytest
from PIL import Image
from test_metadata import photo, saved

from mmomni.jpeg import ImageReadError, decode
from mmomni.jpeg.damage import integrity, structure
from mmomni.jpeg.damage.integrity import check_whole, examined, flaws_of, whole_but_odd

PHOTO = np.tile(photo(), (2, 2, 1))


def written(pixels=PHOTO, **options):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, 'JPEG', **options)
    return buffer.getvalue()


WHOLE = {
    '4:4:4': written(subsampling=0, quality=90),
    '4:2:0': written(subsampling=2),
    'grey': written(PHOTO[..., 0], quality=90),
    'optimised': written(optimize=True),
    'progressive': written(progressive=True, quality=90),
    'restarts': written(restart_marker_blocks=2, quality=90),
    'restarts, progressive': written(progressive=True, restart_marker_blocks=5),
    'RGB': written(keep_rgb=True),
    'coarse': written(quality=2),
    'odd size': written(PHOTO[:43, :61], subsampling=2),
    'thin': written(PHOTO[:3]),
    'a pixel': written(PHOTO[:1, :1]),
}
FLAT = {
    f'{value}, {options}': written(np.full((70, 90, 3), value, np.uint8), **options)
    for value in (0, 127, 128, 255)
    for options in ({}, dict(optimize=True), dict(progressive=True), dict(restart_marker_blocks=3))
}


def texts(data):
    return [flaw.text for flaw in examined(data)[1]]


def is_refused(data):
    try:
        check_whole(data, 'a.jpg', decode(data))
    except ImageReadError as error:
        return is_clear(str(error))
    return False


def is_clear(reason):
    return bool(
        re.match(r'a\.jpg: expected a whole image, got a damaged one: ', reason)
        and reason.endswith('; replace or remove the file')
    )


@pytest.mark.parametrize('data', (WHOLE | FLAT).values(), ids=(WHOLE | FLAT).keys())
def test_of_a_whole_jpeg_nothing_is_noted(data):
    assert examined(data) == (data, [])
    assert not is_refused(data)


@pytest.mark.parametrize('data', [b'', b'text', saved('PNG'), b'\xff\xd8\xff', b'\xff\xd8\xff\xd9'])
def test_of_what_is_no_jpeg_nothing_is_noted(data):
    assert flaws_of(data) == []
    check_whole(data, 'a', PHOTO)


@pytest.mark.parametrize('kind', jpeg_damage.ALL)
def test_each_kind_of_damage_has_its_note(kind):
    count = 0
    for number, data in enumerate(WHOLE.values()):
        damage = jpeg_damage.ALL[kind](data, np.random.default_rng(number))
        if damage is None or kind == 'exif_alien':  # tested with metadata
            continue
        found = texts(damage[0])
        assert any(re.search(damage[1], text) for text in found) or 'decoded' in damage[1], found
        count += 1
    assert count >= (0 if kind == 'exif_alien' else 2)


def test_coefficients_that_came_in_few_bits_are_not_said_to_be_in_no_scan():
    parts, tail = jpeg_damage.parts_of(WHOLE['progressive'])
    first = [part for part in parts if part[0] != jpeg_damage.SOS or part[1][-1] % 16]
    (note,) = texts(jpeg_damage.put_together(first, tail))
    assert note.startswith('scans are missing: 64 of the 64 coefficients of each block are not')


@pytest.mark.parametrize(
    'kind', sorted(jpeg_damage.ALL.keys() - {'end_missing', 'stray_marker_in_scan'})
)
def test_training_and_doctor_leave_out_whose_pixels_were_made_up_and_no_others(kind):
    for number, name in enumerate(('4:4:4', 'grey', 'progressive', 'restarts')):
        damage = jpeg_damage.ALL[kind](WHOLE[name], np.random.default_rng(number))
        if damage is None or kind == 'sector_of_ones':
            continue
        harmless = kind in jpeg_damage.HARMLESS
        assert is_refused(damage[0]) == (not harmless), name
        if harmless:
            assert len(whole_but_odd(damage[0], 'a')) == (kind != 'exif_alien')
        else:
            with pytest.raises(ImageReadError, match='got a damaged one: '):
                whole_but_odd(damage[0], 'a')


@pytest.mark.parametrize('kept', [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize('kind', ['4:4:4', '4:2:0', 'grey', 'restarts'])
def test_the_share_that_was_made_up(kept, kind):
    """Of a picture that is alike everywhere, data and blocks are missing in equal parts."""
    data = WHOLE[kind]
    start = data.index(b'\xff\xda') + 14
    cut = start + int(kept * (len(data) - start))
    cut += data[cut - 1] == 0xFF
    told = next(text for text in texts(data[:cut] + b'\xff\xd9') if 'made up in decoding' in text)
    share = int(re.search(r'about (\d+) %', told)[1]) / 100
    assert share == pytest.approx(1 - kept, abs=0.13)


@pytest.mark.parametrize('rows', [1, 2])
def test_detail_that_is_all_zero_is_no_missing_detail(rows):
    means = np.repeat(np.repeat(photo(8 * rows, 24)[::8, ::8], 8, axis=0), 8, axis=1)
    for options in ({}, dict(progressive=True), dict(optimize=True)):
        assert texts(written(means, subsampling=0, **options)) == []


@pytest.mark.parametrize('count', [1, 2, 8, 300])
def test_fill_bytes_in_front_of_a_marker_are_allowed(count):
    for data in WHOLE.values():
        filled = b'\xff' * count
        assert texts(data[:-2] + filled + data[-2:]) == []
        at = data.index(b'\xff\xdb')
        assert texts(data[:at] + filled + data[at:]) == []


def test_zeros_behind_the_last_block_are_no_lost_sector():
    """Some cameras fill their buffer up."""
    padded = WHOLE['4:4:4'][:-2] + bytes(600) + b'\xff\xd9'
    (flaw,) = flaws_of(padded)
    assert re.match('at least 512 bytes of its coded data are left over', flaw.text)
    assert not flaw.falsifies
    assert not is_refused(padded)


def test_a_restart_in_front_of_the_end_is_none_too_many():
    data = WHOLE['restarts']
    numbers = jpeg_damage.RESTART.findall(data[data.index(b'\xff\xda') :])
    following = bytes([0xFF, 0xD0 + len(numbers) % 8])
    assert texts(data[:-2] + following + data[-2:]) == []


# ---- what phones add -------------------------------------------------------------------------


def with_xmp(data, text):
    content = b'http://ns.adobe.com/xap/1.0/\0' + text
    return data[:2] + b'\xff\xe1' + (len(content) + 2).to_bytes(2, 'big') + content + data[2:]


def multi_picture(count):
    buffer = BytesIO()
    images = [Image.fromarray(np.roll(PHOTO, 8 * i, axis=0)) for i in range(count)]
    images[0].save(buffer, 'MPO', save_all=True, append_images=images[1:])
    return buffer.getvalue()


MOVIE = b'\0\0\0\x18ftypmp42\0\0\0\0mp42isom' + bytes(range(256))


@pytest.mark.parametrize(
    'data',
    [
        multi_picture(2),
        multi_picture(3),
        multi_picture(2) + bytes(100),
        with_xmp(WHOLE['4:2:0'], b'<x Camera:MotionPhoto="1"/>') + MOVIE,
        with_xmp(WHOLE['4:2:0'], b'<x GCamera:MicroVideo="1"/>') + MOVIE,
        with_xmp(WHOLE['4:2:0'], b'<x hdrgm:Version="1.0"/>') + WHOLE['grey'],
        with_xmp(multi_picture(2), b'<x Camera:MotionPhoto="1"/>') + MOVIE,
    ],
)
def test_pictures_and_videos_that_a_file_announces_are_no_trailing_data(data):
    assert texts(data) == []


@pytest.mark.parametrize('before', [multi_picture(2), with_xmp(WHOLE['grey'], b'hdrgm'), saved()])
@pytest.mark.parametrize(
    ('tail', 'kind'), [(WHOLE['4:4:4'], 'another JPEG'), (MOVIE, 'a video'), (b'PK\3\4', 'an arch')]
)
def test_what_a_file_does_not_announce_is_named(before, tail, kind):
    (text,) = texts(before + tail)
    assert text.startswith(f'{len(tail):,} bytes follow its end (at byte {len(before):,}), {kind}')


# ---- cost and hostility ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ('kind', 'decodings'), [('4:4:4', 0), ('grey', 0), ('progressive', 2), ('restarts', 2)]
)
def test_training_decodes_a_file_again_once_at_most(kind, decodings, monkeypatch):
    calls = []
    decoded = integrity.decoded

    def counted(data):
        calls.append(data)
        return decoded(data)

    monkeypatch.setattr(integrity, 'decoded', counted)
    monkeypatch.setattr('mmomni.jpeg.damage.ending.decoded', counted)
    monkeypatch.setattr(integrity, '_known_whole', set())
    for _ in range(3):
        check_whole(WHOLE[kind], 'a', decode(WHOLE[kind]))
    assert len(calls) == decodings


@pytest.mark.parametrize(
    'part', [b'\xff\x01', b'\xff\xd0', b'\xff\xfe\0\2', b'\xffz', b'\0\xff\xd1']
)
@pytest.mark.parametrize('place', ['header', 'scan'])
def test_many_odd_parts_are_not_all_gone_through(part, place, monkeypatch):
    monkeypatch.setattr(structure, '_MOST_PARTS', 1000)
    data = WHOLE['4:2:0']
    at = data.index(b'\xff\xdb') if place == 'header' else len(data) - 40
    assert len(texts(data[:at] + part * 3000 + data[at:])) < 5


@pytest.mark.parametrize('seed', range(3))
def test_no_bytes_make_it_raise(seed):
    rng = np.random.default_rng(seed)
    for data in WHOLE.values():
        for _ in range(6):
            broken = np.frombuffer(data, np.uint8).copy()
            at = rng.integers(2, len(broken), 5)
            broken[at] = rng.choice([0, 1, 255, 0xC4, 0xDA, 0xDD, 128], 5)
            examined(broken.tobytes())
            examined(data[: int(rng.integers(2, len(data)))])
