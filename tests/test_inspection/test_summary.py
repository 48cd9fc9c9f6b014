"""Counts of a set, and the bins of its tampered shares."""

import hand_made
import pytest

from mmomni.inspection.checks import LARGEST_STEP
from mmomni.inspection.records import DataSet, Fault
from mmomni.inspection.summary import AREA_EDGES, summarize

SET = DataSet('mine', 'face', 'val/test', 'root')
LOST = Fault(True, 'no such file')


def test_a_set_of_nothing():
    row = summarize(SET, [])
    assert (row.name, row.domain, row.split, row.images) == ('mine', 'face', 'val/test', 0)
    assert (row.formats, row.jpeg_quality, sum(row.area)) == ({}, {}, 0)
    assert (row.median_area, row.non_jpeg_share) == (None, None)


def test_tampered_is_what_is_listed_with_a_mask_whatever_becomes_of_it():
    records = [
        hand_made.record(), hand_made.record(mask=LOST), hand_made.record(mask=None),
        hand_made.record(mask=hand_made.mask(tampered=0)), hand_made.record(LOST, mask=None),
    ]  # fmt: skip
    row = summarize(SET, records)
    assert (row.images, row.tampered, row.authentic, row.unreadable) == (5, 3, 2, 1)


def test_formats_and_qualities_are_counted_in_order():
    images = [
        hand_made.image(format='WEBP'), hand_made.jpeg(90), hand_made.jpeg(75), hand_made.jpeg(90),
        hand_made.jpeg(None), hand_made.image(format='BMP'), LOST,
    ]  # fmt: skip
    row = summarize(SET, [hand_made.record(image) for image in images])
    assert list(row.formats.items()) == [('BMP', 1), ('JPEG', 4), ('WEBP', 1)]
    assert list(row.jpeg_quality.items()) == [(75, 1), (90, 2)]
    assert (row.non_standard, row.jpegs, row.unreadable) == (1, 4, 1)
    assert row.non_jpeg_share == pytest.approx(2 / 6)


def test_an_mpo_is_a_jpeg():
    row = summarize(SET, [hand_made.record(hand_made.jpeg()._replace(format='MPO'))])
    assert row.non_jpeg_share == 0


def test_large_steps_are_those_that_the_check_names():
    steps = [LARGEST_STEP, LARGEST_STEP + 1, 255]
    row = summarize(SET, [hand_made.record(hand_made.jpeg(50, step)) for step in steps])
    assert row.large_steps == 2


@pytest.mark.parametrize(
    ('share', 'number'),
    [
        (1e-7, 0), (0.001, 0), (0.0010001, 1), (0.01, 1), (0.05, 3), (0.3, 6), (0.5000001, 8),
        (0.75, 8), (0.7500001, 9), (1, 9),
    ],
)  # fmt: skip
def test_a_bin_holds_its_upper_edge(share, number):
    row = summarize(SET, [hand_made.record(mask=hand_made.mask(tampered=share))])
    assert len(row.area) == len(AREA_EDGES) - 1 == 10
    assert [index for index, count in enumerate(row.area) if count] == [number]


def test_masks_that_mark_nothing_are_in_no_bin_and_no_median():
    shares = (0, 0.1, 0.2, 0.6, 0)
    row = summarize(SET, [hand_made.record(mask=hand_made.mask(tampered=s)) for s in shares])
    assert sum(row.area) == 3
    assert row.median_area == pytest.approx(0.2)


def test_a_row_as_plain_values_has_all_its_numbers():
    row = summarize(SET, [hand_made.record(hand_made.jpeg(90, 64)), hand_made.record()])
    assert row.as_dict() == dict(
        name='mine', domain='face', split='val/test', images=2, tampered=2, authentic=0,
        unreadable=0, formats={'JPEG': 1, 'PNG': 1}, jpeg_quality={90: 1}, non_standard=0,
        large_steps=1, area=(0, 0, 0, 0, 2, 0, 0, 0, 0, 0), median_area=0.1, non_jpeg_share=0.5,
    )  # fmt: skip
