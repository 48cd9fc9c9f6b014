import cv2
import numpy as np
import pytest

from mmomni.synthesis.documents import pasting
from mmomni.synthesis.documents.pages import render_page
from mmomni.synthesis.documents.pasting import block_copy, page_splice, stamp
from mmomni.synthesis.jpeg_history import Generation
from mmomni.synthesis.scene import Scene, Word
from mmomni.utils.regions import boxes_of


def scene_of(seed: int) -> Scene:
    page, other = (render_page(np.random.default_rng([seed, i]), 400) for i in range(2))
    return Scene(page.image, other.image, page.words, donor_words=other.words)


def edits_of(operation, num=8):
    rng, found = np.random.default_rng(0), []
    for seed in range(60):
        scene = scene_of(seed)
        edit = operation(scene, rng)
        if edit is not None:
            found.append((scene, edit))
        if len(found) == num:
            return found
    raise AssertionError('too few')


def test_words_of_another_page_are_pasted_as_ink_or_with_their_paper():
    pairs = edits_of(page_splice, 12)
    assert {edit.details['pasted'] for _, edit in pairs} == {'ink', 'patch'}
    for scene, edit in pairs:
        assert edit.used_donor
        for x1, y1, x2, y2 in boxes_of(edit.mask):
            grey = edit.image[y1:y2, x1:x2].mean(axis=2)
            assert grey.min() < np.median(scene.image) - 20, 'there is ink'


def test_black_paper_divides_nothing_by_zero():
    scene = scene_of(0)
    black = np.zeros_like(scene.donor)
    black[::7, ::5] = 40
    found, rng = [], np.random.default_rng(0)
    with np.errstate(all='raise'):
        for image, donor in ((scene.image, black), (black[: len(scene.image)], scene.donor)):
            words = scene.words if image is scene.image else scene.words[:0]
            dark = Scene(image, donor, words or scene.words, donor_words=scene.donor_words)
            found += [page_splice(dark, rng) for _ in range(12)]
    assert any(found)


def test_without_another_page_nothing_is_spliced():
    scene = scene_of(0)
    assert page_splice(Scene(scene.image, words=scene.words), np.random.default_rng(0)) is None


def test_blocks_are_parts_of_other_lines():
    for scene, edit in edits_of(block_copy):
        assert edit.details['blocks'] <= 2
        assert 'words' not in edit.details
        assert not edit.used_donor
        for x1, y1, x2, y2 in boxes_of(edit.mask):
            patch = edit.image[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3]
            grey, copied = (cv2.cvtColor(a, cv2.COLOR_RGB2GRAY) for a in (scene.image, patch))
            match = cv2.matchTemplate(grey, copied, cv2.TM_CCOEFF_NORMED)
            # Its right end may be blank paper.
            assert match.max() > 0.6


def test_stamps_and_signatures_fit_into_their_rectangle():
    pairs = edits_of(stamp, 16)
    assert {edit.details['kind'] for _, edit in pairs} == {'stamp', 'signature'}
    for scene, edit in pairs:
        (box,) = boxes_of(edit.mask)
        x1, y1, x2, y2 = box
        assert edit.mask[y1:y2, x1:x2].all()
        assert (edit.image <= scene.image).all(), 'ink only darkens'


@pytest.mark.parametrize('operation', [stamp, block_copy])
def test_a_blank_sheet_is_left_alone(operation):
    blank = np.full((300, 300, 3), 250, np.uint8)
    assert operation(Scene(blank), np.random.default_rng(0)) is None


LINES = [
    (30, [(20, 'total'), (90, '42.50'), (160, 'amount')]),
    (60, [(20, '1990'), (90, '2003'), (160, '1745')]),
    (90, [(20, 'account'), (110, 'number'), (185, '1790')]),
]


@pytest.fixture
def pair(written) -> Scene:
    """A page and another one with the same words, on darker paper and in another font."""
    (image, words), (donor, theirs) = (
        written(LINES, size=(120, 250), paper=paper, ink=ink, font=font)
        for paper, ink, font in ((240, 40, 'DejaVuSans'), (200, 10, 'DejaVuSans-Bold'))
    )
    return Scene(image, donor, words, donor_words=theirs)


@pytest.mark.parametrize('operation', [page_splice, block_copy, stamp])
def test_only_pixels_of_the_mask_change(operation, pair):
    before = [pair.image.copy(), pair.donor.copy()]
    rng, found = np.random.default_rng(0), 0
    for edit in filter(None, (operation(pair, rng) for _ in range(12))):
        found += 1
        np.testing.assert_array_equal(edit.image[~edit.mask], pair.image[~edit.mask])
        assert (edit.image[edit.mask] != pair.image[edit.mask]).any()
        assert edit.used_donor == (operation is page_splice)
    assert found >= 8
    for array, old in zip((pair.image, pair.donor), before, strict=True):
        np.testing.assert_array_equal(array, old, 'a source was written into')


@pytest.mark.parametrize('operation', [page_splice, block_copy, stamp])
def test_what_is_pasted_is_a_function_of_the_generator(operation, pair):
    first, same, other = (
        next(filter(None, (operation(pair, rng) for _ in range(20))))
        for rng in map(np.random.default_rng, (1, 1, 2))
    )
    np.testing.assert_array_equal(first.image, same.image)
    assert first.details == same.details
    assert not np.array_equal(first.image, other.image)


@pytest.fixture
def papers(pair, monkeypatch):
    """Levels of the paper in the rectangles of some edits; the donor is 200, the page is 240."""
    monkeypatch.setattr(pasting, 'with_foreign_history', lambda image, *_: image)

    def measure(pasted: str) -> np.ndarray:
        rngs = map(np.random.default_rng, range(40))
        edits = [edit for edit in (page_splice(pair, rng) for rng in rngs) if edit]
        edits = [edit for edit in edits if edit.details['pasted'] == pasted]
        assert len(edits) >= 8
        return np.array([
            float(np.quantile(edit.image[y1:y2, x1:x2], 0.9))
            for edit in edits
            for x1, y1, x2, y2 in boxes_of(edit.mask)
        ])

    return measure


def test_words_pasted_as_ink_lie_on_the_paper_of_the_page(papers):
    assert np.abs(papers('ink') - 240).max() <= 1


def test_words_pasted_with_their_paper_are_fitted_or_give_themselves_away(papers):
    levels = papers('patch')
    fitted, theirs = (np.abs(levels - level) <= 6 for level in (240, 200))
    # Where the patch is smaller than the word was, this page's paper is around it, too.
    assert (fitted | theirs).mean() > 0.9
    assert 0.5 < fitted.mean() < 0.95


def test_pasted_ink_has_the_colour_of_the_pages_own_or_of_its_page(written):
    (image, words), (donor, theirs) = (written(LINES, size=(120, 250)) for _ in range(2))
    # Grey here, blue there.
    donor[donor[..., 0] < 200] = (30, 30, 200)
    scene, blue = Scene(image, donor, words, donor_words=theirs), []
    for seed in range(50):
        edit = page_splice(scene, np.random.default_rng(seed))
        if edit is None or edit.details['pasted'] == 'patch':
            continue
        for x1, y1, x2, y2 in boxes_of(edit.mask):
            pixels = edit.image[y1:y2, x1:x2].reshape(-1, 3).astype(int)
            darkest = pixels[pixels[:, 0].argmin()]
            blue.append(darkest[2] - darkest[0] > 60)
    assert len(blue) > 20
    assert 0.1 < np.mean(blue) < 0.55, 'three in ten'


@pytest.mark.parametrize(
    ('theirs', 'spliced'),
    [([], False), ([Word((20, 20, 50, 60))], False), ([Word((20, 18, 58, 31))], True)],
    ids=['none', 'too large', 'as large'],
)
def test_without_fitting_words_nothing_is_spliced(theirs, spliced, pair):
    scene = Scene(pair.image, pair.donor, pair.words, donor_words=theirs)
    rng = np.random.default_rng(0)
    edits = [page_splice(scene, rng) for _ in range(6)]
    assert any(edit is not None for edit in edits) == spliced


def test_words_of_the_donor_are_found_where_they_are_not_told(pair):
    scene = Scene(pair.image, pair.donor, pair.words)
    assert page_splice(scene, np.random.default_rng(0)).used_donor
    blank = Scene(pair.image, np.full_like(pair.donor, 250), pair.words)
    assert page_splice(blank, np.random.default_rng(0)) is None


def test_the_donor_may_have_the_history_of_the_page(pair, monkeypatch):
    seen = []
    monkeypatch.setattr(
        pasting, 'with_foreign_history', lambda image, rng, like: seen.append(like) or image
    )
    first = Generation(71, '4:2:0')
    scene = Scene(pair.image, pair.donor, pair.words, donor_words=pair.donor_words, first=first)
    page_splice(scene, np.random.default_rng(0))
    assert seen == [first]


@pytest.mark.parametrize(
    ('width', 'height', 'fits'),
    [
        (60, 20, True), (60, 14, True), (60, 13, False), (60, 30, True), (60, 31, False),
        (30, 20, True), (29, 20, False), (84, 20, True), (85, 20, False),
    ],
    ids=['same', 'low', 'too low', 'high', 'too high', 'narrow', 'too narrow', 'wide', 'too wide'],
)  # fmt: skip
def test_words_are_replaced_by_words_about_as_large(width, height, fits):
    word = Word((10, 10, 70, 30))
    assert pasting._as_large(word, Word((5, 5, 5 + width, 5 + height))) == fits


def test_parts_of_lines_begin_at_their_word_and_go_on_to_the_right():
    line = [Word((10 + 30 * i, 20 - i % 2, 30 + 30 * i, 34 + i % 3)) for i in range(6)]
    others = [Word((10, 50, 30, 64)), Word((100, 2, 130, 16))]
    words = [*others, *line[::-1]]
    ends = set()
    for seed in range(40):
        x1, y1, x2, y2 = pasting._part_of_line(words, line[1], np.random.default_rng(seed))
        count = (x2 - 40 + 10) // 30
        assert (x1, x2) == (40, 40 + 30 * count - 10)
        part = line[1 : 1 + count]
        assert y1 == min(word.box[1] for word in part)
        assert y2 == max(word.box[3] for word in part)
        ends.add(count)
    assert ends == {2, 3, 4, 5}
    last = pasting._part_of_line(words, line[-1], np.random.default_rng(0))
    assert last == line[-1].box


def test_of_a_single_line_no_block_is_copied(written):
    image, words = written(LINES[:1])
    rng = np.random.default_rng(0)
    assert not any(block_copy(Scene(image, words=words), rng) for _ in range(10))


def test_copied_blocks_hold_several_words(pair):
    rng = np.random.default_rng(0)
    edits = [edit for edit in (block_copy(pair, rng) for _ in range(20)) if edit]
    widths = [x2 - x1 for edit in edits for x1, _, x2, _ in boxes_of(edit.mask)]
    assert np.median(widths) > 1.5 * max(word.width for word in pair.words)
    assert {edit.details['blocks'] for edit in edits} == {1, 2}


@pytest.mark.parametrize('words', [None, [Word((20, 18, 60, 30))]], ids=['found', 'told'])
def test_stamps_are_put_anywhere_on_a_page_with_words(words, pair):
    scene = Scene(pair.image, words=words)
    corners = []
    for seed in range(20):
        edit = stamp(scene, np.random.default_rng(seed))
        ((x1, y1, x2, y2),) = boxes_of(edit.mask)
        # The border stays authentic.
        assert 1 <= x1 < x2 < 250
        assert 1 <= y1 < y2 < 120
        corners.append((x1, y1))
    assert np.ptp(corners, axis=0).min() > 30


@pytest.mark.parametrize('size', [(12, 200), (200, 12)], ids=['low', 'narrow'])
def test_a_stamp_that_is_larger_than_the_page_is_not_put_on_it(size):
    scene = Scene(np.full((*size, 3), 240, np.uint8), words=[Word((2, 2, 8, 9))])
    assert not any(stamp(scene, np.random.default_rng(seed)) for seed in range(12))
