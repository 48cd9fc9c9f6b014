"""What is told of compressions, on files that are made here and whose history is known."""

import io
import struct
import sys

import cv2
import numpy as np
import pytest
from hostile_files import many_scans, png_that_says
from image_bytes import written
from PIL import Image, JpegPresets

from mmomni.evidence import evidence_of, metadata_section
from mmomni.evidence.compression import HISTOGRAMS, compression_section
from mmomni.jpeg import SUBSAMPLING, decode, encode

SAME, OTHER = 'Compressed before, same grid', 'Earlier grid of 8x8 blocks, other than its own'
GRID = 'Earlier grid of 8x8 blocks'


def scene(seed=0, side=128):
    """Colours whose spectrum falls like that of photos; ``uint8`` (side, side, 3)."""
    rng = np.random.default_rng(seed)
    waves = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    waves[0, 0] = 1
    planes = []
    for _ in range(3):
        noise = np.fft.fft2(rng.normal(size=(side, side)))
        plane = np.fft.ifft2(noise / waves**1.1).real
        planes.append(plane / plane.std())
    grey = planes[0]
    values = np.stack([grey, grey + 0.2 * planes[1], grey + 0.2 * planes[2]], axis=2)
    return (128 + 40 * values).clip(0, 255).astype(np.uint8)


def told(data):
    return {fact.term: fact for fact in compression_section(data).facts}


def saved_again(pixels, first, last, cut=(0, 0)):
    once = decode(encode(pixels, first))
    return encode(np.ascontiguousarray(once[cut[1] :, cut[0] :]), last)


@pytest.mark.parametrize('quality', [50, 75, 90, 98])
@pytest.mark.parametrize('seed', range(3))
def test_a_picture_compressed_once_shows_no_earlier_compression(quality, seed):
    facts = told(encode(scene(seed), quality))
    assert facts[SAME].value == 'no trace'
    assert facts[OTHER].value == 'cannot tell'
    assert 'Earlier steps' not in facts


@pytest.mark.parametrize(('first', 'last'), [(60, 85), (75, 90), (75, 95)])
def test_an_earlier_compression_on_the_same_grid_is_found_with_its_quality(first, last):
    facts = told(saved_again(scene(), first, last))
    assert facts[SAME].value == 'yes'
    low, *high = map(int, facts['Earlier quality'].value.split(' to '))
    assert low <= first <= (high or [low])[0]
    assert facts[OTHER].value == 'cannot tell'


def test_the_same_quality_twice_leaves_no_trace_and_that_is_said():
    fact = told(saved_again(scene(), 75, 75))[SAME]
    assert fact.value == 'no trace'
    assert 'no proof' in fact.note


@pytest.mark.parametrize('cut', [(3, 5), (0, 2), (4, 4)])
def test_an_earlier_grid_of_a_cropped_jpeg_is_found_where_it_lies(cut):
    facts = told(saved_again(scene(side=160), 70, 95, cut))
    across, down = (-shift % 8 for shift in cut)
    assert facts[OTHER].value.startswith(f'at ({across}, {down}) px')
    assert 'confidence' in facts[OTHER].note


@pytest.mark.parametrize('image_format', ['PNG', 'TIFF', 'BMP'])
@pytest.mark.parametrize('cut', [(0, 0), (6, 1)])
def test_pixels_of_an_earlier_jpeg_show_its_grid_in_any_format(image_format, cut):
    once = decode(encode(scene(side=160), 75))[cut[1] :, cut[0] :]
    facts = told(written(np.ascontiguousarray(once), image_format))
    assert facts['Format'].value.startswith('no JPEG')
    across, down = (-shift % 8 for shift in cut)
    assert facts[GRID].value.startswith(f'at ({across}, {down}) px')


def test_pixels_that_never_were_a_jpeg_show_no_grid():
    section = compression_section(written(scene(side=160), 'PNG'))
    assert {fact.term: fact for fact in section.facts}[GRID].value == 'cannot tell'
    assert not section.pictures


@pytest.mark.parametrize('side', [2, 8, 16, 40])
def test_of_a_small_picture_nothing_is_claimed(side):
    for data in (encode(scene(side=side), 75), written(scene(side=side), 'PNG')):
        facts = told(data)
        assert facts.get(SAME, facts['Format']).value != 'yes'
        assert 'at (' not in (facts.get(OTHER) or facts[GRID]).value


def test_of_a_flat_picture_nothing_can_be_told():
    facts = told(encode(np.full((128, 128, 3), 90, np.uint8), 80))
    assert facts[SAME].value == facts[OTHER].value == 'cannot tell'


@pytest.mark.parametrize('last', [85, 95])
def test_histograms_are_drawn_with_what_was_found(last):
    section = compression_section(saved_again(scene(), 60, last))
    picture = section.pictures[HISTOGRAMS]
    once = compression_section(encode(scene(), last)).pictures[HISTOGRAMS]
    assert picture.dtype == np.uint8
    assert picture.shape == once.shape == (260, 1000, 3)
    red = [((each[..., 0] > 150) & (each[..., 1] < 60)).sum() for each in (picture, once)]
    assert red[0] > 100 > red[1]


@pytest.mark.parametrize('quality', [30, 75, 92])
@pytest.mark.parametrize('subsampling', SUBSAMPLING)
def test_tables_and_form_of_a_standard_jpeg(quality, subsampling):
    facts = told(encode(scene(side=32), quality, subsampling))
    assert facts['Luma quality'].value == facts['Chroma quality'].value == str(quality)
    assert facts['Whose tables'].value.startswith('libjpeg')
    assert facts['Subsampling'].value == subsampling
    assert facts['Process'].value == 'baseline'
    assert facts['Markers in order'].value.startswith('SOI APP0(JFIF) DQT')
    for term in ('Adobe marker', 'Restart interval', 'Bytes behind the end'):
        assert facts[term].value == 'none', term


@pytest.mark.parametrize('name', ['web_high', 'medium', 'maximum'])
def test_tables_of_photoshop_are_named(name):
    preset = JpegPresets.presets[name]['quantization']
    facts = told(written(scene(side=32), 'JPEG', qtables=preset))
    level = name.removeprefix('web_').replace('_', ' ')
    assert f"'{level}' of {'Save for Web' if 'web' in name else 'Save As'}" in (
        facts['Whose tables'].value
    )
    assert facts['Luma quality'].value.startswith('about ')


def test_other_tables_are_not_standard():
    tables = [[7 + at % 5 for at in range(64)], [9 + at % 3 for at in range(64)]]
    facts = told(written(scene(side=32), 'JPEG', qtables=tables))
    assert facts['Whose tables'].value.startswith('not standard')


def test_chroma_with_a_table_of_luma_is_told():
    table = [list(np.asarray(values)) for values in _tables(encode(scene(side=32), 80))]
    facts = told(written(scene(side=32), 'JPEG', qtables=[table[0], table[0]]))
    assert facts['Chroma quality'].value == '80'
    assert facts['Chroma quality'].note == "libjpeg's table of luma, used for chroma"


def _tables(data):
    with Image.open(io.BytesIO(data)) as image:
        return list(image.quantization.values())


def test_a_progressive_jpeg_with_bytes_behind_its_end():
    data = written(scene(side=64), 'JPEG', progressive=True)
    facts = told(data + b'PK\3\4' + bytes(6))
    assert facts['Process'].value == 'progressive'
    assert facts['Bytes behind the end'].value == '10'
    assert 'archive' in facts['Bytes behind the end'].note


def test_restarts_are_told():
    ok, data = cv2.imencode('.jpg', scene(side=64), [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])
    assert ok
    assert told(data.tobytes())['Restart interval'].value == '2 units'


def _with_segment(data, marker, content):
    return data[:2] + marker + struct.pack('>H', len(content) + 2) + content + data[2:]


def test_what_photoshop_wrote_of_its_levels_is_told():
    plain = encode(scene(side=32), 75)
    ducky = b'Ducky\0\1\0\4' + struct.pack('>I', 60) + bytes(2)
    level = b'Photoshop 3.0\x008BIM\4\6\0\0' + struct.pack('>Ihhhbb', 7, 4, 0, 1, 1, 0)
    says = 'Quality in its own words'
    assert told(plain)[says].value == 'none'
    value = told(_with_segment(plain, b'\xff\xec', ducky))[says].value
    assert value == "Photoshop's Save for Web, quality 60"
    value = told(_with_segment(plain, b'\xff\xed', level))[says].value
    assert value == "Photoshop's Save As, level 8 of 12"
    section = metadata_section(_with_segment(plain, b'\xff\xec', ducky))
    assert "Photoshop's Save for Web, quality 60" in {each.value for each in section.facts}
    assert ('Software', 'none') not in {each[:2] for each in section.facts}


def test_an_adobe_marker_and_colours_without_luma_are_told():
    data = written(Image.fromarray(scene(side=64)).convert('CMYK'), 'JPEG')
    facts = told(data)
    assert facts['Adobe marker'].value.startswith('version 100')
    assert facts['Subsampling'].value == 'of 4 components'
    assert facts[SAME].value == 'cannot tell'
    assert OTHER in facts


def test_second_pictures_are_told():
    images = [Image.fromarray(scene(seed, 32)) for seed in range(2)]
    buffer = io.BytesIO()
    images[0].save(buffer, 'MPO', save_all=True, append_images=images[1:])
    facts = told(buffer.getvalue())
    assert facts['Other pictures in the file (MPF)'].value == '1 listed'
    assert 'announces' in facts['Bytes behind the end'].note


@pytest.mark.parametrize('data', [b'', b'\xff', b'\xff\xd8\xff', b'GIF89a', bytes(100), b'text'])
def test_what_is_no_image_ends_in_a_fact(data):
    assert any(fact.value in ('no', 'cannot tell') for fact in compression_section(data).facts)


@pytest.mark.parametrize('make', [many_scans, lambda: png_that_says(60_000, 60_000)])
def test_files_that_cost_too_much_are_not_examined(make):
    (fact,) = compression_section(make()).facts
    assert fact.value == 'no'
    assert 'expected at most' in fact.note


@pytest.mark.parametrize('progressive', [False, True])
def test_broken_jpegs_end_in_facts(progressive):
    whole = written(scene(side=48), 'JPEG', quality=85, progressive=progressive)
    rng = np.random.default_rng(3)
    for _ in range(150):
        broken = bytearray(whole)
        for at in rng.integers(2, len(broken) if rng.random() < 0.3 else 700, 3):
            broken[at] = rng.integers(0, 256)
        section = compression_section(bytes(broken[: rng.integers(10, len(broken) + 1)]))
        assert section.facts
        assert sys.getsizeof(str(section.as_record())) < 100_000


@pytest.mark.parametrize('value', [0, 255])
def test_steps_of_zero_or_of_the_largest_end_in_facts(value):
    data = encode(scene(side=64), 75)
    at = data.index(b'\xff\xdb') + 5
    assert compression_section(data[:at] + bytes([value]) * 64 + data[at + 64 :]).facts


def test_what_a_decoder_made_up_is_no_picture_without_a_trace():
    whole = encode(scene(side=256), 90)
    cut = whole[: len(whole) // 2]
    facts = {fact.term: fact for section in evidence_of(cut) for fact in section.facts}
    assert facts[SAME].value == 'cannot tell'
    assert 'made up' in facts['Looked at'].note
    facts = {fact.term: fact for section in evidence_of(whole) for fact in section.facts}
    assert facts[SAME].value == 'no trace'
    assert 'made up' not in facts['Looked at'].note


def test_libjpeg_has_one_table_for_cmyk():
    buffer = io.BytesIO()
    Image.fromarray(scene()).convert('CMYK').save(buffer, 'JPEG', quality=75)
    facts = told(buffer.getvalue())
    assert facts['Luma quality'].value == '75'
    assert facts['Whose tables'].value == 'libjpeg (IJG) or a program with the same'
