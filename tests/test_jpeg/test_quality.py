import io

import numpy as np
import pytest
from PIL import Image

from mmomni.jpeg import read_luma
from mmomni.jpeg.quality import estimate_quality, nearest_quality, standard_table


@pytest.fixture(scope='module')
def pixels():
    return np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.mark.parametrize('quality', range(1, 101))
def test_estimate_is_the_quality_pillow_saved_with(quality, pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'JPEG', quality=quality)
    assert estimate_quality(read_luma(buffer.getvalue()).table) == quality
    with Image.open(buffer) as image:
        assert estimate_quality(np.array(image.quantization[0])) == quality


def test_tables_with_sixteen_bit_steps_count_too():
    assert standard_table(5, 32767).max() > 255
    assert estimate_quality(standard_table(5, 32767)) == 5


def test_other_tables_have_no_quality(pixels):
    table = standard_table(75)
    table[3, 4] += 1
    assert estimate_quality(table) is None
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'JPEG', qtables=[table.ravel().tolist()] * 2)
    assert estimate_quality(read_luma(buffer.getvalue()).table) is None


@pytest.mark.parametrize('quality', range(1, 101))
def test_chroma_has_a_table_of_its_own(quality, pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'JPEG', quality=quality)
    with Image.open(buffer) as image:
        chroma = np.array(image.quantization[1])
    # The tables of 1 to 3 are the same: all steps are the largest.
    assert estimate_quality(chroma, chroma=True) == max(quality, 3)
    if 3 < quality < 100:  # where all steps are the largest, or 1, both tables are the same
        assert nearest_quality(chroma, chroma=True) == quality
        assert estimate_quality(chroma) is None


@pytest.mark.parametrize('chroma', [False, True])
@pytest.mark.parametrize('quality', [20, 50, 75, 90, 97])
def test_the_nearest_quality_of_a_table_that_differs_a_little(quality, chroma):
    table = standard_table(quality, chroma=chroma)
    table[3, 4] += 1
    assert estimate_quality(table, chroma=chroma) is None
    assert nearest_quality(table, chroma=chroma) == quality
