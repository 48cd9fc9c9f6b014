"""A JPEG that lacks its last marker alone, told from one that lacks more, with a marker or not."""

import pytest
from test_metadata import saved

from mmomni.jpeg import ImageReadError, decode
from mmomni.jpeg.damage.ending import decoded, missing_share, with_its_end
from mmomni.jpeg.damage.structure import structure_of

KINDS = {
    '4:4:4': dict(subsampling=0),
    '4:2:0': dict(subsampling=2),
    'progressive': dict(progressive=True),
    'optimised': dict(optimize=True, quality=60),
    'restart markers': dict(restart_marker_blocks=1),
    'RGB': dict(keep_rgb=True),
}


def ends_early(data):
    return missing_share(data, structure_of(data), decoded(data)) > 0


@pytest.mark.parametrize('missing', [1, 2])
@pytest.mark.parametrize('kind', KINDS)
def test_only_the_end_is_missing(kind, missing):
    data = saved(**KINDS[kind])
    assert with_its_end(data[:-missing]) == data
    with pytest.raises(ImageReadError, match='truncated'):  # whoever trains leaves it out
        decode(data[:-missing])


@pytest.mark.parametrize('missing', [*range(4, 12), 40, 200])
@pytest.mark.parametrize('kind', KINDS)
def test_more_than_the_end_is_missing(kind, missing):
    assert with_its_end(saved(**KINDS[kind])[:-missing]) is None


def test_a_progressive_jpeg_that_ends_between_two_scans():
    data = saved(progressive=True)
    parts = data.split(b'\xff\xda')
    assert len(parts) > 5
    for count in range(2, len(parts)):
        start = b'\xff\xda'.join(parts[:count])
        start = start[: start.rfind(b'\xff\xc4')]  # scans have their tables in front
        assert with_its_end(start) is None


@pytest.mark.parametrize('data', [b'', b'text', saved('PNG')[:-2], saved(), saved()[:100]])
def test_other_files(data):
    assert with_its_end(data) is None


@pytest.mark.parametrize('blocks', [1, 2, 3])
def test_a_jpeg_that_ends_between_two_restarts(blocks):
    data = saved(restart_marker_blocks=blocks)
    restarts = [at for at in range(len(data)) if data[at] == 0xFF and 0xD0 <= data[at + 1] < 0xD8]
    assert len(restarts) >= 1
    for at in restarts:
        assert with_its_end(data[:at]) is None
        assert with_its_end(data[: at + 2]) is None


@pytest.mark.parametrize('marker', [0xE5, 0xDB, 0xC4, 0x01])
def test_a_scan_that_ends_in_another_marker(marker):
    assert with_its_end(saved()[:-60] + bytes([0xFF, marker, 0, 16]) + bytes(80)) is None


@pytest.mark.parametrize('kind', KINDS)
def test_a_whole_picture_does_not_end_early(kind, capfd):
    data = saved(**KINDS[kind])
    assert not ends_early(data)
    assert capfd.readouterr().err == ''  # nothing calls a good file corrupt
    assert not ends_early(data + b'whatever stands behind it \xff\xd9')


@pytest.mark.parametrize('missing', [4, 8, 40])
@pytest.mark.parametrize('kind', KINDS)
def test_a_picture_whose_data_end_early_though_it_has_its_end(kind, missing):
    assert ends_early(saved(**KINDS[kind])[: -2 - missing] + b'\xff\xd9')


@pytest.mark.parametrize('data', [b'', b'\xff\xd8\xff', b'\x89PNG\r\n\x1a\n\xff\xd9', saved()[:-2]])
def test_what_has_no_end_or_is_no_jpeg_does_not_end_early(data):
    assert not ends_early(data)
