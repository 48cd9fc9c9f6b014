"""Writing in photographs: what is found of it, and signs cut out and put back."""

import cv2
import numpy as np
import pytest

from mmomni.synthesis.scene import enclosing
from mmomni.synthesis.scene_text.letters import find_letters
from mmomni.synthesis.scene_text.lines import find_lines
from mmomni.synthesis.scene_text.signs import find_signs, has_signs

# Of the board in the fixtures: STATION 48 and CAFE ROYAL.
LETTERS = [9, 9]
WORDS = [2, 2]


def test_letters_of_a_board_are_found(street):
    on_board = [one for one in find_letters(street) if one.dark and one.box[1] > 260]
    assert len([one for one in on_board if 22 <= one.height <= 32]) >= sum(LETTERS) - 1
    for one in on_board:
        assert one.mask.shape == (one.box[3] - one.box[1], one.box[2] - one.box[0])


@pytest.mark.parametrize('name', ['street', 'sloping_street'])
def test_lines_and_words_of_a_board(name, request):
    image = request.getfixturevalue(name)
    slope = 8.0 if name == 'sloping_street' else 0.0
    lines = find_lines(image)
    assert sorted(len(line.letters) for line in lines) == pytest.approx(LETTERS, abs=1)
    assert [line.angle for line in lines] == pytest.approx([-slope] * 2, abs=1)
    (sign,) = find_signs(image)
    assert len(sign.words) == sum(WORDS)
    assert sign.dark
    assert sign.is_level is (slope == 0)


def test_light_writing_is_found_and_cut_out_dark(street):
    (dark,), (light,) = find_signs(street), find_signs(255 - street)
    assert not light.dark
    assert len(light.words) == len(dark.words)
    assert np.array_equal(light.upright(255 - street), dark.upright(street))


@pytest.mark.parametrize('name', ['photo', 'other_photo'])
def test_a_photo_without_writing_has_no_signs(name, request):
    image = request.getfixturevalue(name)
    assert find_signs(image) == []
    assert not has_signs(image)


def test_railings_and_windows_are_no_writing(photo):
    image = cv2.resize(photo, None, fx=2, fy=2)
    image[300:400, 40:560] = (200, 190, 180)
    for x in range(60, 540, 30):
        image[310:350, x : x + 5] = 40  # bars
        image[360:390, x : x + 20] = 60  # panes, all alike
    assert find_lines(image) == []


def test_a_large_source_is_looked_at_shrunk(street):
    assert has_signs(cv2.resize(street, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC))


def test_words_are_tight_around_their_letters(street):
    (sign,) = find_signs(street)
    upright = sign.upright(street)
    grey = upright.mean(axis=2)
    for word in sign.words:
        x1, y1, x2, y2 = word.box
        assert (grey[y1:y2, x1:x2] < 120).mean() > 0.2
        for rim in (grey[y1 - 3, x1:x2], grey[y2 + 2, x1:x2], grey[y1:y2, x1 - 3]):
            assert rim.min() > 120


@pytest.mark.parametrize('name', ['street', 'sloping_street'])
def test_what_is_put_back_lies_where_it_was(name, request):
    image = request.getfixturevalue(name)
    (sign,) = find_signs(image)
    upright = sign.upright(image)
    changed = np.zeros(upright.shape[:2], bool)
    x1, y1, x2, y2 = enclosing(*(word.box for word in sign.words))
    changed[y1:y2, x1:x2] = True
    result, matte = sign.put_back(image, upright, changed)
    assert (matte > 0.5).sum() == pytest.approx(changed.sum(), rel=0.02)
    assert np.array_equal(result[matte == 0], image[matte == 0])
    difference = np.abs(result.astype(int) - image)
    if sign.is_level:
        assert difference.max() == 0
    else:  # resampled twice
        assert difference[matte > 0].mean() < 6
