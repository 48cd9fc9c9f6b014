"""Second opinions: what was done to a picture shows where it was done."""

import re
import subprocess
import sys

import cv2
import numpy as np
import pytest

from mmomni.cli import predict
from mmomni.evidence.views import (
    VIEWS,
    compression,
    copy_move_matches,
    error_level_analysis,
    jpeg_ghosts,
    matching,
    noise_residual,
)
from mmomni.evidence.views.drawing import turned
from mmomni.evidence.views.matching import find_copies
from mmomni.jpeg import decode, encode

PLACE = np.s_[32:80, 40:96]


@pytest.fixture
def texture():
    """Blurred noise with as many corners as a photo of leaves; (H, W, 3)."""

    def make(height=128, width=160, seed=0, sigma=1.5, contrast=300):
        noise = np.random.default_rng(seed).normal(128, contrast, (height, width, 3))
        return cv2.GaussianBlur(noise, (0, 0), sigma).clip(0, 255).astype(np.uint8)

    return make


def inside_and_outside(picture):
    """Mean brightness of the place, and of all else."""
    inside = np.zeros(picture.shape[:2], bool)
    inside[PLACE] = True
    return picture[inside].mean(), picture[~inside].mean()


def saved(image, quality):
    return decode(encode(image, quality))


@pytest.mark.parametrize('view', VIEWS)
@pytest.mark.parametrize(
    'shape', [(1, 1), (1, 40), (40, 1), (7, 9), (16, 16), (17, 33)], ids=lambda s: f'{s[0]}x{s[1]}'
)
@pytest.mark.parametrize('fill', ['flat', 'noise'])
def test_any_image_has_a_picture_of_its_size(view, shape, fill):
    image = np.full((*shape, 3), 255, np.uint8)
    if fill == 'noise':
        image = np.random.default_rng(0).integers(0, 256, image.shape, dtype=np.uint8)
    before = image.copy()
    picture = VIEWS[view].function(image)
    assert (picture.shape, picture.dtype) == (image.shape, np.uint8)
    assert np.array_equal(image, before)


@pytest.mark.parametrize('view', VIEWS)
def test_the_picture_is_turned_upright(view, texture):
    assert VIEWS[view].function(texture(40, 64), orientation=6).shape == (64, 40, 3)


@pytest.mark.parametrize('view', VIEWS)
def test_the_decoder_s_view_of_bgr_makes_the_same_picture(view, texture):
    image = texture()
    reversed_view = np.ascontiguousarray(image[..., ::-1])[..., ::-1]
    function = VIEWS[view].function
    assert np.array_equal(function(reversed_view), function(image))


@pytest.mark.parametrize('view', VIEWS)
@pytest.mark.parametrize(
    'image',
    [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
    ids=['grey', 'float', 'empty'],
)
def test_another_kind_of_image_is_refused(view, image):
    with pytest.raises(ValueError, match=r'expected RGB, uint8 \(H, W, 3\), got'):
        VIEWS[view].function(image)


def test_the_command_offers_all_views():
    assert tuple(VIEWS) == predict.VIEWS


@pytest.mark.parametrize('view', VIEWS)
def test_a_view_is_explained_in_one_sentence(view):
    _, title, explanation = VIEWS[view]
    assert title
    assert re.fullmatch(r'[A-Z][^.]*\.', explanation)


def test_no_network_is_loaded():
    code = "import sys, mmomni.evidence.views; print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=True
    )
    assert answer.stdout.strip() == 'False'


@pytest.mark.parametrize(('width', 'is_written'), [(60, False), (160, True), (2000, True)])
def test_words_are_written_where_they_can_be_read(width, is_written):
    grey = np.full((120, width, 3), 128, np.uint8)
    before = grey.copy()
    picture = turned(grey, 1, 'copy-move: none found')
    is_letter = (picture > 200).all(axis=2)
    assert is_letter.any() == is_written
    assert not is_letter[60:].any()
    if not is_written:
        assert np.array_equal(picture, before)


# ---- what a save changes ----------------------------------------------------------------------


def test_error_levels_show_what_was_not_saved_before(texture):
    image = saved(saved(texture(), 90), 90)
    image[PLACE] = texture(seed=1)[PLACE]
    inside, outside = inside_and_outside(error_level_analysis(image))
    assert inside > 2 * outside


def test_error_levels_are_the_difference_to_a_save(texture):
    image = texture()
    difference = cv2.absdiff(image, saved(image, 75))
    picture = error_level_analysis(image, quality=75)
    is_between = (picture > 0) & (picture < 255)
    assert np.ptp(picture[is_between] / difference[is_between]) < 0.6  # one factor, and rounding
    assert not picture[difference == 0].any()


@pytest.mark.parametrize('view', ['ela', 'ghosts'])
def test_tiles_change_nothing(view, texture, monkeypatch):
    image = texture(70, 90)
    whole = VIEWS[view].function(image)
    monkeypatch.setattr(compression, 'TILE', 32)
    assert np.array_equal(VIEWS[view].function(image), whole)


@pytest.fixture
def words(monkeypatch):
    """What is written on pictures of JPEG ghosts, instead of them."""
    written = []

    def note(picture, orientation, text):
        written.append(text)
        return picture

    monkeypatch.setattr(compression, 'turned', note)
    return written


@pytest.mark.parametrize('before', [60, 70, 80])
def test_a_ghost_is_dark_where_it_was_saved_before(before, texture, words):
    image = texture(160, 200, sigma=1, contrast=100)
    forged = image.copy()
    forged[PLACE] = saved(image, before)[PLACE]
    inside, outside = inside_and_outside(jpeg_ghosts(saved(forged, 93)))
    assert words == [f'JPEG ghosts at quality {before}']
    assert inside < 80
    assert outside > 180


def test_a_part_with_a_history_stands_out_at_the_quality_of_the_whole(texture):
    image = texture(160, 200, sigma=1, contrast=100)
    forged = image.copy()
    forged[PLACE] = saved(image, 70)[PLACE]
    inside, outside = inside_and_outside(jpeg_ghosts(saved(forged, 95)))
    assert abs(inside - outside) > 100


def test_without_a_ghost_none_stands_out(texture, words):
    assert jpeg_ghosts(texture()).mean() > 200
    assert words == ['JPEG ghosts: none at 50 to 95']


@pytest.mark.parametrize('qualities', [(), (70, 80), (80, 70, 90), (70, 70, 80)])
def test_qualities_that_cannot_be_compared_are_refused(qualities, texture):
    with pytest.raises(ValueError, match='expected three ascending qualities or more, got'):
        jpeg_ghosts(texture(), qualities)


@pytest.mark.parametrize('quality', [-5, 0, 101])
def test_a_quality_that_libjpeg_lacks_is_refused(quality, texture):
    with pytest.raises(ValueError, match=f'quality of 1 to 100, got {quality}'):
        error_level_analysis(texture(), quality)
    with pytest.raises(ValueError, match=f'quality of 1 to 100, got {quality}'):
        jpeg_ghosts(texture(), sorted([50, 60, quality]))


# ---- noise ------------------------------------------------------------------------------------


def test_noise_shows_what_was_smoothed(texture):
    noise = np.random.default_rng(0).normal(0, 8, (128, 160, 3))
    image = (128 + noise).clip(0, 255).astype(np.uint8)
    image[PLACE] = cv2.GaussianBlur(image, (0, 0), 1.5)[PLACE]
    inside, outside = inside_and_outside(noise_residual(image))
    assert inside < outside / 3


# ---- copies -----------------------------------------------------------------------------------


def grey_of(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def centre(points):
    return points.real.mean(), points.imag.mean()


@pytest.fixture
def copied(texture):
    """A texture in which a square of 80 pixels is there twice, the second turned and scaled."""

    def make(angle=0, scale=1.0):
        image = texture(240, 320, sigma=2)
        turn = cv2.getRotationMatrix2D((80, 80), angle, scale)
        turn[:, 2] += (150, 60)
        place = np.zeros((240, 320), np.uint8)
        place[40:120, 40:120] = 1
        size = (320, 240)
        moved = cv2.warpAffine(image, turn, size, flags=cv2.INTER_CUBIC)
        return np.where(cv2.warpAffine(place, turn, size)[..., None] > 0, moved, image)

    return make


@pytest.mark.parametrize(('angle', 'scale'), [(0, 1), (25, 1), (90, 1), (0, 0.8), (10, 1.25)])
def test_a_copy_is_found_with_its_place(copied, angle, scale):
    (copy,), searched = find_copies(grey_of(copied(angle, scale)))
    assert searched == 1
    places = sorted([centre(copy.source), centre(copy.target)])
    np.testing.assert_allclose(places, [(80, 80), (230, 140)], atol=12)


def test_a_copy_is_drawn(copied):
    picture = copy_move_matches(copied())
    assert (picture == [255, 210, 0]).all(axis=2).sum() > 300


def test_where_nothing_was_copied_none_is_found(texture):
    assert find_copies(grey_of(texture(240, 320, sigma=2))) == ([], 1)


def test_what_is_found_is_the_same_each_time(copied):
    first, second = copy_move_matches(copied(25)), copy_move_matches(copied(25))
    assert np.array_equal(first, second)


def test_a_large_image_is_searched_smaller_and_its_copies_lie_in_place(copied, monkeypatch):
    monkeypatch.setattr(matching, 'SEARCHED_PIXELS', 240 * 320 // 2)
    (copy,), searched = find_copies(grey_of(copied()))
    assert searched == pytest.approx(0.5**0.5)
    places = sorted([centre(copy.source), centre(copy.target)])
    np.testing.assert_allclose(places, [(80, 80), (230, 140)], atol=12)


@pytest.mark.parametrize(
    ('copies', 'scale', 'words'),
    [
        ([], 1, 'copy-move: none found'),
        ([], 0.354, 'copy-move: none found (searched at 35 %)'),
        ([9], 1, 'copy-move: 1 pair of places, 9 matches'),
        ([9, 8], 0.5, 'copy-move: 2 pairs of places, 17 matches (searched at 50 %)'),
    ],
)
def test_the_words_on_the_picture(copies, scale, words):
    from mmomni.evidence.views.copy_move import _words

    found = [matching.Copy(np.zeros(many), np.zeros(many)) for many in copies]
    assert _words(found, scale) == words


def test_repeated_tiles_end_soon_and_are_bounded():
    tile = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    copies, _ = find_copies(np.tile(tile, (24, 24)))
    assert len(copies) <= matching.MOST_COPIES
