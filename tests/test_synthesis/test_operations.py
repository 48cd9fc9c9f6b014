import json
from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmomni.synthesis import OPERATIONS, ForgeryError, domains, forge, operations
from mmomni.synthesis.colour import as_grey
from mmomni.synthesis.documents.pages import render_page
from mmomni.synthesis.documents.text import WORDS_CHANGED
from mmomni.synthesis.documents.words import find_words
from mmomni.synthesis.faces.blending import FEATURES
from mmomni.synthesis.faces.boxes import centre_box, find_face
from mmomni.synthesis.natural.moving import copy_move, object_jitter
from mmomni.synthesis.natural.splicing import splice
from mmomni.synthesis.scene import Edit, Scene, Thing, Word
from mmomni.utils.regions import blend, boxes_of

EVERY_OPERATION = [(domain, name) for domain in OPERATIONS for name in OPERATIONS[domain]]
FACE, DONOR_FACE = (80, 60, 200, 180), (90, 50, 190, 150)
# Without content of another image.
ALONE = set(OPERATIONS['natural']) - {'splice', 'paste_thing', 'backdrop'}


def first_edit(operation, scene, seed=0):
    rng = np.random.default_rng(seed)
    edits = (operation(scene, rng) for _ in range(80))
    return next(edit for edit in edits if edit is not None)


def person(photo: np.ndarray) -> Thing:
    """A thing twice as high as wide."""
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    return Thing(photo, ((y - 130) / 100) ** 2 + ((x - 150) / 50) ** 2 < 1)


@pytest.fixture
def scene(request, photo, other_photo, page, street, other_street):
    domain = request.node.callspec.params['domain']
    if domain == 'document':
        other = render_page(np.random.default_rng(8), 512)
        return Scene(page, other.image, words=find_words(page), donor_words=other.words)
    if domain == 'scene_text':
        return Scene(street, other_street)
    faces = (FACE, DONOR_FACE) if domain == 'face' else (None, None)
    return Scene(photo, other_photo, None, *faces, person(other_photo))


@pytest.mark.parametrize(('domain', 'name'), EVERY_OPERATION)
@pytest.mark.parametrize('seed', range(3))
def test_only_pixels_of_the_matte_change(domain, name, seed, scene):
    before = scene.image.copy()
    edit = first_edit(OPERATIONS[domain][name], scene, seed)
    assert np.array_equal(scene.image, before), 'the source was written into'
    assert edit.image.dtype == np.uint8
    assert edit.image.shape == before.shape
    assert edit.mask.dtype == bool
    json.dumps(edit.details)
    outside = edit.matte == 0
    assert outside.mean() > 0.2
    assert np.array_equal(edit.image[outside], before[outside])
    difference = np.abs(edit.image.astype(int) - before).max(axis=2)
    assert difference[edit.mask].mean() > 0.5


@pytest.mark.parametrize('domain', OPERATIONS)
def test_forge_uses_every_operation_of_its_domain(domain, scene):
    rng = np.random.default_rng(0)
    unseen = set(OPERATIONS[domain])
    for _ in range(120):
        edit = forge(
            scene.image, scene.donor, domain, rng, scene.words, scene.face, scene.donor_face,
            scene.thing, scene.donor_words,
        )  # fmt: skip
        assert edit.operation in OPERATIONS[domain]
        unseen.discard(edit.operation)
        if not unseen:
            break
    assert unseen == set()


def test_forge_is_a_function_of_the_generator(photo, other_photo):
    one, same, other = (
        forge(photo, other_photo, 'natural', np.random.default_rng(seed)) for seed in (5, 5, 6)
    )
    assert np.array_equal(one.image, same.image)
    assert np.array_equal(one.mask, same.mask)
    assert not np.array_equal(one.image, other.image)


def test_without_a_donor_nothing_is_spliced(photo):
    rng = np.random.default_rng(0)
    forgeries = [forge(photo, None, 'natural', rng) for _ in range(30)]
    assert {forgery.operation for forgery in forgeries} <= ALONE
    assert not any(forgery.used_donor for forgery in forgeries)


def test_unknown_domain_is_named(photo):
    with pytest.raises(ValueError, match=r"must be one of.*'natural'.*got 'video'"):
        forge(photo, None, 'video', np.random.default_rng(0))


@pytest.mark.parametrize('grey', [False, True])
def test_colour_alone_is_no_trace_in_a_grey_image(grey, photo, monkeypatch):
    def tint(scene, rng):
        colours = cv2.cvtColor(scene.image, cv2.COLOR_RGB2YCrCb)
        colours[50:90, 50:90, 1:] += 14
        matte = np.zeros(photo.shape[:2], np.float32)
        matte[50:90, 50:90] = 1
        return Edit(blend(scene.image, cv2.cvtColor(colours, cv2.COLOR_YCrCb2RGB), matte), matte)

    for name in OPERATIONS['natural']:
        monkeypatch.setitem(OPERATIONS['natural'], name, tint)
    # Far from black and white, where a tint changes the luma.
    image, rng = as_grey(photo // 2 + 64), np.random.default_rng(0)
    if grey:
        with pytest.raises(ForgeryError):
            forge(image, None, 'natural', rng, grey=True)
    else:
        assert forge(image, None, 'natural', rng).mask.any()


def test_a_grey_image_stays_grey(photo, other_photo):
    image, donor = as_grey(photo), as_grey(other_photo)
    for seed in range(12):
        forgery = forge(image, donor, 'natural', np.random.default_rng(seed), grey=True)
        assert (np.ptp(forgery.image.astype(int), axis=2) == 0).all()
        changed = np.abs(forgery.image.astype(int) - image)[forgery.mask > 0]
        assert changed.mean() >= 1


@pytest.mark.parametrize('domain', OPERATIONS)
def test_a_flat_image_cannot_be_forged_without_a_donor(domain):
    flat = np.full((200, 200, 3), 128, np.uint8)
    rng = np.random.default_rng(0)
    if domain == 'face':  # a change of its colours is a trace
        assert forge(flat, None, domain, rng).mask.any()
        return
    if domain == 'natural':  # there is always something to write on
        forged = {forge(flat, None, domain, rng).operation for _ in range(10)}
        assert forged <= {'write_text', 'recolour', 'local_filter'}
        return
    with pytest.raises(ForgeryError, match='no operation changed anything'):
        forge(flat, None, domain, rng)


def inner(mask: np.ndarray) -> np.ndarray:
    return cv2.erode(mask.astype(np.uint8), np.ones((21, 21), np.uint8)) > 0


@pytest.mark.parametrize('seed', range(20))
def test_exact_copies_equal_their_source_and_leave_the_grid(seed, photo):
    rng = np.random.default_rng(seed)
    edits = (copy_move(Scene(photo), rng) for _ in range(200))
    # Large enough to have an inside that the widest soft border does not reach.
    edit = next(e for e in edits if e and e.details['exact'] and inner(e.mask).sum() > 100)
    dy, dx = np.subtract(edit.details['target_at'], edit.details['source_at'])
    assert bool(dy % 8 or dx % 8) == (edit.details['grid'] == 'moved')
    ys, xs = np.nonzero(inner(edit.mask))
    # All but those at notches of the outline that the feather fills in.
    assert (edit.image[ys, xs] == photo[ys - dy, xs - dx]).mean() > 0.97
    assert not edit.mask[ys - dy, xs - dx].any(), 'the copy covers its own source'


def test_transformed_copies_come_from_the_source_region(photo):
    rng = np.random.default_rng(0)
    edits = (copy_move(Scene(photo), rng) for _ in range(200))
    edit = next(e for e in edits if e is not None and not e.details['exact'])
    ys, xs = np.nonzero(edit.mask)
    y, x = edit.details['source_at']
    # Its mean colour is that of a place near the source, not that of what it covers.
    inside = edit.image[edit.mask].mean(axis=0)
    source = photo[y : y + np.ptp(ys), x : x + np.ptp(xs)].mean(axis=(0, 1))
    covered = photo[edit.mask].mean(axis=0)
    assert np.linalg.norm(inside - source) < np.linalg.norm(inside - covered)


def test_splices_hold_the_donor(photo):
    donor = np.full_like(photo, (200, 30, 60))
    donor[:, ::8] = donor[:, 1::8] = donor[:, 2::8] = (90, 5, 20)
    smooth = cv2.GaussianBlur(photo, (0, 0), 3)
    edits = [first_edit(splice, Scene(smooth, donor), seed) for seed in range(10)]
    assert {edit.details['blending'] for edit in edits} == {'feather', 'poisson'}
    for edit in edits:
        core = cv2.erode(edit.mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        fine = edit.image.astype(int) - cv2.GaussianBlur(edit.image, (0, 0), 3)
        assert fine[core].std() > 8, 'its stripes'
        red = edit.image[core].mean(axis=0) - smooth[core].mean(axis=0)
        if edit.details['colours'] == 'as they are' and edit.details['blending'] == 'feather':
            assert red[0] > red[1]
    assert all(edit.used_donor for edit in edits)


def test_a_plain_region_is_not_worth_a_splice(photo):
    rng, donor = np.random.default_rng(0), np.full_like(photo, (200, 30, 60))
    assert not any(splice(Scene(photo, donor), rng) for _ in range(20))


def test_a_small_donor_is_enlarged(photo, other_photo):
    edit = first_edit(splice, Scene(photo, other_photo[:80, :70]))
    assert edit.mask.mean() > 0.02


@pytest.mark.parametrize('name', [name for name in OPERATIONS['document'] if name != 'stamp'])
def test_document_masks_are_few_rectangles_on_words(name):
    rng = np.random.default_rng(1)
    page = render_page(rng, 512)
    for _ in range(10):
        edit = OPERATIONS['document'][name](Scene(page.image, page.image, page.words), rng)
        if edit is None:
            continue
        count = cv2.connectedComponents(edit.mask.astype(np.uint8))[0]
        changed = edit.details['blocks' if name == 'block_copy' else 'words']
        assert 1 <= count - 1 <= changed <= WORDS_CHANGED[1]
        assert edit.mask.mean() < 0.2
        for x1, y1, x2, y2 in boxes_of(edit.mask):
            # What touches may be joined, else a region is a rectangle.
            assert edit.mask[y1:y2, x1:x2].mean() > 0.5


def test_removed_words_leave_no_ink():
    rng = np.random.default_rng(2)
    page = render_page(rng, 512)
    edit = OPERATIONS['document']['text_removal'](Scene(page.image, words=page.words), rng)
    grey = page.image.mean(axis=2)
    assert grey[edit.mask].min() < np.median(grey) - 60, 'there was ink'
    assert edit.image.mean(axis=2)[edit.mask].min() > np.median(grey) - 40


def test_a_blank_page_has_nothing_to_forge():
    blank = np.full((300, 300, 3), 250, np.uint8)
    with pytest.raises(ForgeryError, match='without words'):
        forge(blank, None, 'document', np.random.default_rng(0))


def test_where_no_face_is_found_the_centre_is_blended_and_said_so(photo, other_photo):
    assert find_face(photo) is None
    forgery = forge(photo, other_photo, 'face', np.random.default_rng(0))
    assert forgery.details == {'variant': 'self_blend', 'face_box': 'centre'}
    x1, y1, x2, y2 = centre_box(photo)
    assert forgery.mask[(y1 + y2) // 2, (x1 + x2) // 2] == 255


def test_a_given_face_is_swapped_or_blended_with_itself(photo, other_photo):
    rng = np.random.default_rng(0)
    forgeries = [
        forge(photo, other_photo, 'face', rng, face=FACE, donor_face=DONOR_FACE) for _ in range(30)
    ]
    blends = [forgery for forgery in forgeries if forgery.operation == 'face_blend']
    assert {forgery.details['variant'] for forgery in blends} == {'swap', 'self_blend'}
    for forgery in blends:
        assert forgery.details['face_box'] == 'found'
        assert forgery.used_donor == (forgery.details['variant'] == 'swap')
        (x1, y1, x2, y2), *others = forgery.boxes
        assert not others
        assert 70 <= x1 < x2 <= 210
        assert 45 <= y1 < y2 <= 205
        assert forgery.mask[120, 140] == 255


def test_features_come_from_the_other_face_and_stay_in_the_box(photo):
    scene = Scene(photo, cv2.GaussianBlur(photo, (0, 0), 2), None, FACE, FACE)
    seen = set()
    for seed in range(12):
        edit = first_edit(OPERATIONS['face']['region_swap'], scene, seed)
        seen.add(edit.details['feature'])
        assert edit.used_donor
        y, x = np.nonzero(edit.mask)
        assert FACE[0] <= x.min() < x.max() < FACE[2]
        assert FACE[1] <= y.min() < y.max() < FACE[3]
    assert seen == set(FEATURES)


def test_faces_that_do_not_fit_are_left_alone(photo):
    checks = np.kron(np.indices((40, 40)).sum(axis=0) % 2, np.ones((8, 8))) * 255
    donor = np.repeat(checks[: photo.shape[0], : photo.shape[1], None], 3, axis=2).astype(np.uint8)
    scene, rng = Scene(photo, donor, None, FACE, FACE), np.random.default_rng(0)
    edits = [OPERATIONS['face']['region_swap'](scene, rng) for _ in range(10)]
    assert not any(edits)


def test_without_a_second_face_no_feature_is_swapped(photo, other_photo):
    swap = OPERATIONS['face']['region_swap']
    rng = np.random.default_rng(0)
    assert swap(Scene(photo, other_photo, None, FACE), rng) is None
    assert swap(Scene(photo, None, None, FACE, DONOR_FACE), rng) is None


def test_a_jittered_thing_stays_about_where_it_was(photo):
    red = (photo[..., 0].astype(int) - photo[..., 2]) > 120
    for seed in range(8):
        edit = first_edit(object_jitter, Scene(photo), seed)
        if (edit.mask & red).sum() < 0.9 * red.sum():
            continue  # it found something else
        now = (edit.image[..., 0].astype(int) - edit.image[..., 2]) > 100
        before, after = (np.argwhere(where).mean(axis=0) for where in (red, now))
        assert np.abs(after - before).max() < 16
        return
    raise AssertionError('the thing was never found')


def test_copied_letters_are_narrower_than_words(page):
    words = find_words(page)
    rng = np.random.default_rng(0)
    edit = OPERATIONS['document']['char_copy'](Scene(page, words=words), rng)
    widths = [x2 - x1 for x1, _, x2, _ in boxes_of(edit.mask)]
    assert min(widths) < np.median([word.width for word in words])


class Painter:
    """An operation that adds grey levels to a box, or (``None`` of them) is never possible."""

    def __init__(self, box, levels=50, opacity=1.0, masked=None, **options):
        self.box, self.levels, self.opacity, self.options = box, levels, opacity, options
        self.masked, self.calls = masked or box, 0

    def __call__(self, scene, rng):
        self.calls += 1
        if self.levels is None:
            return None
        image, matte = scene.image.copy(), np.zeros(scene.image.shape[:2], np.float32)
        image[self.box] += np.uint8(self.levels)
        matte[self.masked] = self.opacity
        return Edit(image, matte, {'at': self.box[0].start}, **self.options)


UPPER, LOWER = np.s_[2:8, 4:20], np.s_[20:28, 4:20]
UPPER_BOX = (4, 2, 20, 8)
NEVER = dict(box=UPPER, levels=None)
DARK = np.full((32, 40, 3), 60, np.uint8)


@pytest.fixture
def only(monkeypatch):
    """Leaves a domain with some operations of the test's own, tried first in random order."""

    def leave(domain, shares=None, **painters):
        shares = shares or dict.fromkeys(painters, 1 / len(painters))
        monkeypatch.setitem(operations.OPERATIONS, domain, painters)
        monkeypatch.setitem(operations.FREQUENCIES, domain, shares)

    return leave


def test_what_is_never_possible_is_tried_20_times_and_the_next_takes_its_place(only):
    never, paint = Painter(**NEVER), Painter(UPPER)
    for seed in range(8):
        never.calls = 0
        only('natural', never=never, paint=paint)
        assert forge(DARK, None, 'natural', np.random.default_rng(seed)).operation == 'paint'
        assert never.calls in (0, 20, 40), 'not tried, tried first, or first twice'
    never.calls = 0
    only('natural', never=never, neither=never)
    with pytest.raises(ForgeryError, match=r"domain 'natural', got one of 40x32 px .* another"):
        forge(DARK, None, 'natural', np.random.default_rng(0))
    assert never.calls == 40


@pytest.mark.parametrize(
    ('painter', 'traced'),
    [
        pytest.param(Painter(UPPER, 1), True, id='one grey level'),
        pytest.param(Painter(UPPER, 1, masked=np.s_[2:8, 4:21]), False, id='in most of the mask'),
        pytest.param(Painter(UPPER, 50, 0.5), False, id='nowhere more than shining through'),
        pytest.param(Painter(UPPER, 0), False, id='nothing changed'),
    ],
)
def test_a_trace_is_a_grey_level_inside_of_the_mask(painter, traced, only):
    only('natural', paint=painter)
    if traced:
        assert forge(DARK, None, 'natural', np.random.default_rng(0)).mask.any()
    else:
        with pytest.raises(ForgeryError):
            forge(DARK, None, 'natural', np.random.default_rng(0))


@pytest.mark.parametrize(
    ('domain', 'places'), [('natural', 2), ('document', 1), ('face', 1), ('scene_text', 1)]
)
def test_a_photo_can_be_forged_in_a_second_place(domain, places, only, monkeypatch):
    upper, lower = Painter(UPPER, used_donor=True), Painter(LOWER, used_thing=True)
    twice = replace(domains.DOMAINS['natural'], again=1)
    monkeypatch.setitem(domains.DOMAINS, 'natural', twice)
    for seed in range(12):
        only(domain, upper=upper, lower=lower)
        forgery = forge(DARK, None, domain, np.random.default_rng(seed), [], FACE)
        names = [forgery.operation, forgery.details.get('second', {}).get('operation')]
        changed = (forgery.image != DARK).any(axis=2)
        assert np.array_equal(changed, forgery.mask > 0)
        painted = {name for name in names if name}
        assert changed[5, 10] == forgery.used_donor == ('upper' in painted)
        assert changed[24, 10] == forgery.used_thing == ('lower' in painted)
        assert len(forgery.boxes) == len(painted)
        assert len([name for name in names if name]) == places
        if places == 2:
            second = forgery.details['second']
            assert second['at'] == {'upper': 2, 'lower': 20}[second['operation']]


def test_where_no_second_place_is_found_one_is_enough(only, monkeypatch):
    class Once(Painter):
        def __call__(self, scene, rng):
            return None if self.calls else super().__call__(scene, rng)

    twice = replace(domains.DOMAINS['natural'], again=1)
    monkeypatch.setitem(domains.DOMAINS, 'natural', twice)
    only('natural', once=Once(UPPER))
    forgery = forge(DARK, None, 'natural', np.random.default_rng(0))
    assert (forgery.operation, forgery.details) == ('once', {'at': 2})


def test_operations_are_tried_first_as_often_as_their_table_says(only):
    shares = dict(a=0.6, b=0.3, c=0.1)
    only('face', shares, **{name: Painter(UPPER) for name in shares})
    rng = np.random.default_rng(0)
    found = [forge(DARK, None, 'face', rng, face=FACE).operation for _ in range(600)]
    for name, share in shares.items():
        assert abs(found.count(name) / 600 - share) < 4 * np.sqrt(share * (1 - share) / 600)


@pytest.fixture
def looked_for(monkeypatch):
    """What words and faces are looked for in, from now on; none is found in what is black."""
    seen = []

    def find(found):
        return lambda image: seen.append(image) or (found if image.any() else type(found)())

    monkeypatch.setattr(domains, 'find_words', find([Word(UPPER_BOX)]))
    monkeypatch.setattr(domains, 'find_signs', find(['a sign']))
    monkeypatch.setattr(domains, 'find_face', lambda image: find(UPPER_BOX)(image) or None)
    return seen


@pytest.mark.parametrize(
    ('domain', 'given', 'looked_at'),
    [
        pytest.param('natural', {}, [], id='photos need nothing'),
        pytest.param('document', {}, ['image', 'donor'], id='words'),
        pytest.param('document', {'words': []}, [], id='a page without words'),
        pytest.param('document', {'words': [Word(UPPER_BOX)]}, ['donor'], id='given words'),
        pytest.param('document', {'donor_words': []}, ['image'], id='given words of the donor'),
        pytest.param('document', {'image': DARK * 0}, ['image'], id='no word is found'),
        pytest.param('document', {'donor': None}, ['image'], id='no donor'),
        pytest.param('scene_text', {}, ['image', 'donor'], id='signs'),
        pytest.param('scene_text', {'signs': []}, [], id='a photo without writing'),
        pytest.param('scene_text', {'donor_signs': []}, ['image'], id='given signs of the donor'),
        pytest.param('scene_text', {'image': DARK * 0}, ['image'], id='no sign is found'),
        pytest.param('face', {}, ['image', 'donor'], id='faces'),
        pytest.param('face', {'face': FACE}, ['donor'], id='a given face'),
        pytest.param('face', {'donor_face': FACE}, ['image'], id='a given face of the donor'),
        pytest.param('face', {'image': DARK * 0}, ['image'], id='no face is found'),
    ],
)
def test_only_what_a_domain_lacks_is_looked_for(domain, given, looked_at, looked_for):
    scene = Scene(**{'image': DARK, 'donor': DARK + 1, **given})
    found = operations.known(scene, domain)
    assert [id(image) for image in looked_for] == [id(getattr(scene, name)) for name in looked_at]
    for name, value in given.items():
        assert getattr(found, name) is value, 'kept'
