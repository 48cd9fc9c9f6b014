"""Each check on both sides of its bounds."""

import hand_made
import pytest

from mmomni.datasets.mask_rules import mask_rule
from mmomni.inspection import checks
from mmomni.inspection.checks import CHECKS, LARGEST_STEP, LEAST_SIDE, check_record
from mmomni.inspection.records import Fault

MISSING, BROKEN = Fault(True, 'no such file'), Fault(False, 'it is broken')


def kinds_of(**record):
    return [finding.kind for finding in check_record(hand_made.record(**record))]


def only(**record):
    (finding,) = check_record(hand_made.record(**record))
    return finding


def test_every_check_of_the_module_is_made():
    named = {check for name, check in vars(checks).items() if name.startswith('check_')}
    assert named - {check_record} == set(CHECKS)
    assert len(CHECKS) == len(set(CHECKS))


def test_nothing_is_found_in_a_sound_pair_and_a_sound_authentic_image():
    assert kinds_of() == []
    assert kinds_of(mask=None) == []


@pytest.mark.parametrize('fault', [MISSING, BROKEN])
def test_a_file_without_facts_is_named_with_its_reason(fault):
    how = 'missing' if fault.missing else 'unreadable'
    image, mask = only(image=fault), only(mask=fault)
    assert (image.kind, image.file, image.related) == (f'image-{how}', 'a.jpg', ('a.png',))
    assert (mask.kind, mask.file, mask.related) == (f'mask-{how}', 'a.png', ('a.jpg',))
    assert image.message == mask.message == fault.reason
    assert kinds_of(image=fault, mask=fault) == [f'image-{how}', f'mask-{how}']


def test_what_is_found_bears_its_set_and_split():
    found = only(mask=hand_made.mask(tampered=0), dataset='mine', split='val/test')
    assert (found.dataset, found.split, found.level) == ('mine', 'val/test', 'warning')


def test_an_authentic_image_has_no_mask_to_name():
    found = only(image=hand_made.image(height=8), mask=None)
    assert (found.kind, found.related) == ('image-tiny', ())


# ---- masks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('size', 'orientation', 'message'),
    [
        ((63, 48), 1, '63x48 instead of 64x48'),
        ((64, 49), 6, '64x49 instead of 64x48'),
        ((48, 64), 1, '48x64 instead of 64x48: the sides are swapped'),
        (
            (48, 64), 6,
            ('48x64 instead of 64x48: the sides are swapped, as EXIF orientation 6 of the image '
            'suggests'),
        ),
    ],
    ids=['narrower', 'higher', 'swapped', 'swapped and turned'],
)  # fmt: skip
def test_a_mask_of_another_size(size, orientation, message):
    image = hand_made.image(orientation=orientation)
    found = check_record(
        hand_made.record(image, hand_made.mask(width=size[0], height=size[1]))
    )[0]  # fmt: skip
    assert (found.kind, found.level, found.message) == ('mask-size', 'error', message)


@pytest.mark.parametrize(
    ('tampered', 'border', 'kinds'),
    [
        (0, 0, ['mask-empty']),
        (1, 1, ['mask-full']),
        (1e-6, 0, []),
        (0.05, 0.94, []),
        (0.05, 0.95, ['mask-inverted']),
        (0.6, 0.5, []),
        (0.61, 0.49, []),
        (0.61, 0.5, ['mask-inverted']),
        (0.89, 0.49, []),
        (0.9, 0, ['mask-inverted']),
    ],
)
def test_a_mask_of_nothing_of_all_or_the_wrong_way_round(tampered, border, kinds):
    assert kinds_of(mask=hand_made.mask(tampered=tampered, border=border)) == kinds


def test_an_inverted_mask_says_how_much_is_tampered():
    found = only(mask=hand_made.mask(tampered=0.914, border=0.5))
    assert found.message == '91% of all pixels and 50% of the border are tampered'


@pytest.mark.parametrize(
    ('facts', 'kind', 'message'),
    [
        (dict(soft=0.0123), 'mask-soft-edge', '1.23% of the pixels, along its edges only'),
        (
            dict(soft=0.0123, stray=0.001), 'mask-not-binary',
            '1.23% of the pixels have a third value or more',
        ),
        (dict(jpeg=True), 'mask-jpeg', 'a file saved with loss holds no exact values'),
    ],
    ids=['grey edges', 'classes', 'JPEG'],
)  # fmt: skip
def test_a_mask_of_more_than_two_values(facts, kind, message):
    found = only(mask=hand_made.mask(**facts))
    assert (found.kind, found.message) == (kind, message)


def test_the_values_of_a_jpeg_are_no_second_finding():
    assert kinds_of(mask=hand_made.mask(jpeg=True, soft=0.2, stray=0.1)) == ['mask-jpeg']


@pytest.mark.parametrize(
    ('source', 'message'),
    [
        ('alpha', 'what is not transparent counts as tampered, 10.0% of the pixels'),
        ('indices', 'what has not index 0 counts as tampered, 10.0% of the pixels'),
    ],
)
def test_a_mask_that_is_not_in_the_colours_asks_to_be_looked_at(source, message):
    found = only(mask=hand_made.mask(source=source))
    assert (found.kind, found.level, found.message) == ('mask-elsewhere', 'warning', message)
    assert kinds_of(mask=hand_made.mask(source=source), rule=mask_rule('alpha')) == []
    assert kinds_of(mask=hand_made.mask(source='array')) == []


# ---- images ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('width', 'height', 'tiny'),
    [(32, 32, False), (31, 900, True), (900, 31, True), (1, 1, True)],
)
def test_an_image_under_32_pixels_is_tiny(width, height, tiny):
    assert LEAST_SIDE == 32
    found = check_record(hand_made.record(hand_made.image(width=width, height=height), None))
    assert [each.message for each in found] == ([f'{width}x{height} px'] if tiny else [])


@pytest.mark.parametrize('orientation', range(2, 9))
def test_an_orientation_is_a_warning_beside_a_mask_and_a_note_without(orientation):
    image = hand_made.image(orientation=orientation)
    paired, alone = only(image=image), only(image=image, mask=None)
    assert paired.kind == alone.kind == 'image-rotated'
    assert (paired.level, alone.level) == ('warning', 'note')
    assert paired.message == f'orientation {orientation}'


@pytest.mark.parametrize(
    ('facts', 'kinds'),
    [
        (dict(alpha=True, mode='RGBA'), ['alpha']),
        (dict(bits=9), ['deep']),
        (dict(bits=8), []),
        (dict(mode='CMYK', format='TIFF'), ['cmyk']),
        (dict(mode='LA', alpha=True, bits=16), ['alpha', 'deep']),
    ],
    ids=['alpha', '9 bits', '8 bits', 'CMYK', 'both'],
)
def test_unusual_pixels_are_notes(facts, kinds):
    found = check_record(hand_made.record(hand_made.image(**facts)))
    assert [each.kind for each in found] == kinds
    assert {each.level for each in found} <= {'note'}


@pytest.mark.parametrize(
    ('quality', 'largest', 'messages'),
    [
        (40, 63, []),
        (40, 64, ['the largest is 64 (quality 40)']),
        (None, 255, ['the largest is 255 (a table of its own)']),
    ],
)
def test_steps_beyond_those_of_the_network(quality, largest, messages):
    found = check_record(hand_made.record(hand_made.jpeg(quality, largest)))
    assert [(each.kind, each.message) for each in found] == [
        ('large-steps', message) for message in messages
    ]


def test_the_largest_step_is_that_of_the_network():
    from mmomni.jpeg.planes import MAX_STEP

    assert LARGEST_STEP == MAX_STEP


@pytest.mark.parametrize('mask', [None, hand_made.MASK], ids=['alone', 'with a mask'])
def test_an_image_with_the_pixels_of_a_mask_is_a_warning(mask):
    """A scan may look so; a name or a list that says it is an error."""
    found = only(image=hand_made.image(like_mask=True), mask=mask)
    assert (found.kind, found.file, found.level) == ('image-is-mask', 'a.jpg', 'warning')


def test_findings_come_in_the_order_of_the_checks():
    image = hand_made.image(width=20, height=20, orientation=3, alpha=True)
    kinds = kinds_of(image=image, mask=hand_made.mask(tampered=0, soft=0.1))
    assert kinds == [
        'mask-size', 'mask-empty', 'mask-soft-edge', 'image-tiny', 'image-rotated', 'alpha',
    ]  # fmt: skip
