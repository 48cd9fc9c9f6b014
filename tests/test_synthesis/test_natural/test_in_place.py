import numpy as np
import pytest

from mmomni.synthesis.natural import in_place
from mmomni.synthesis.natural.in_place import put_back, random_region
from test_natural.shapes import mask_of, rectangle

SIZE = (48, 64)
BLANK = np.zeros((*SIZE, 3), np.uint8)


@pytest.mark.parametrize(
    'outline',
    [rectangle(10, 20, 16, 30), rectangle(1, 1, 24, 9, 'shape'), rectangle(30, 40, 16, 22)],
    ids=['middle', 'top left', 'bottom right'],
)
def test_a_region_lies_where_its_outline_was_found(outline, found):
    found(in_place, outline)
    for seed in range(8):
        matte, kind = random_region(BLANK, np.random.default_rng(seed), (0.02, 0.3))
        assert kind == outline.kind
        assert matte.dtype == np.float32
        expected = mask_of(outline, SIZE)
        # A soft border rounds off the corners, and moves nothing.
        corners = 4 * 2
        assert ((matte > 0.5) ^ expected).sum() <= corners


def test_borders_of_regions_are_hard_or_soft(found):
    found(in_place, rectangle(6, 8, 36, 48))
    rng = np.random.default_rng(0)
    levels = [len(np.unique(random_region(BLANK, rng, (0.1, 0.9))[0])) for _ in range(30)]
    assert min(levels) == 2
    assert max(levels) > 4


def test_without_an_outline_there_is_no_region(found):
    found(in_place, None)
    assert random_region(BLANK, np.random.default_rng(0), (0.1, 0.2)) is None


def test_area_and_kinds_are_handed_on(monkeypatch):
    asked = []
    monkeypatch.setattr(in_place, 'random_outline', lambda *args: asked.append(args))
    rng = np.random.default_rng(0)
    random_region(BLANK, rng, (0.1, 0.2), {'shape': 1.0})
    random_region(BLANK, rng, (0.3, 0.4))
    assert [args[2:] for args in asked] == [
        ((0.1, 0.2), {'shape': 1.0}),
        ((0.3, 0.4), in_place.SHARES),
    ]


def test_a_patch_is_blended_in_at_its_window():
    image = np.full((6, 8, 3), 100, np.uint8)
    matte = np.zeros((6, 8), np.float32)
    matte[2, 3], matte[2, 4], matte[3, 4] = 1, 0.5, 0.25
    patch = np.full((2, 4, 3), 200, np.uint8)
    patch[..., 2] = 20
    edit = put_back(image, patch, np.s_[2:4, 2:6], matte, {'kind': 'test'})
    expected = image.copy()
    expected[2, 3], expected[2, 4], expected[3, 4] = (200, 200, 20), (150, 150, 60), (125, 125, 80)
    np.testing.assert_array_equal(edit.image, expected)
    np.testing.assert_array_equal(edit.matte, matte)
    assert edit.details == {'kind': 'test'}
    assert (image == 100).all(), 'the source was written into'


def test_a_window_that_ends_beyond_the_image_is_cut_off_there():
    image = np.full((5, 5, 3), 10, np.uint8)
    patch = np.full((2, 3, 3), 90, np.uint8)
    edit = put_back(image, patch, np.s_[3:17, 2:17], np.ones((5, 5), np.float32), {})
    assert (edit.image[3:, 2:] == 90).all()
    assert (edit.image[:3] == 10).all()
    assert (edit.image[:, :2] == 10).all()
