import dataclasses

import numpy as np
import pytest

from mmomni.synthesis.scene import Edit, Scene, Word

BLACK = np.zeros((8, 8, 3), np.uint8)


def test_words_measure_their_half_open_box():
    word = Word((10, 20, 45, 32))
    assert (word.width, word.height) == (35, 12)


@pytest.mark.parametrize(
    ('share', 'clear', 'expected'),
    [(0.25, False, (0.2, 0.3)), (1, False, (1, 1)), (0, False, (0, 0)), (1, True, (0, 0))],
)
def test_the_grid_is_kept_as_often_as_asked_unless_all_is_to_leave_a_trace(share, clear, expected):
    scene, rng = Scene(BLACK, clear=clear), np.random.default_rng(0)
    kept = np.mean([scene.keeps_grid(rng, share) for _ in range(1000)])
    assert expected[0] <= kept <= expected[1]


def test_a_clear_scene_draws_as_any_other():
    following = []
    for clear in (False, True):
        rng = np.random.default_rng(0)
        Scene(BLACK, clear=clear).keeps_grid(rng, 0.5)
        following.append(rng.random())
    assert following[0] == following[1]


def test_a_pixel_is_tampered_where_the_forged_content_prevails():
    matte = np.array([[0, 0.25, 0.5], [0.501, 0.75, 1]], np.float32)
    edit = Edit(BLACK[:2, :3], matte)
    assert edit.mask.dtype == bool
    assert edit.mask.tolist() == [[False, False, False], [True, True, True]]
    assert edit.mask is edit.mask, 'made once'


def test_a_mask_in_place_of_a_matte_is_itself():
    mask = np.eye(8, dtype=bool)
    assert np.array_equal(Edit(BLACK, mask).mask, mask)


@pytest.mark.parametrize('made', [Scene(BLACK), Edit(BLACK, np.zeros((8, 8)))])
def test_no_operation_changes_what_others_see(made):
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.image = BLACK


def test_details_of_edits_are_not_shared():
    one, other = (Edit(BLACK, np.zeros((8, 8))) for _ in range(2))
    one.details['angle'] = 3
    assert other.details == {}
