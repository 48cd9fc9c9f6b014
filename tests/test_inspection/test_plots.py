"""Histograms, read back from their SVG: heights of bars, words, and the same bytes each time."""

from xml.etree import ElementTree as ET

import hand_made
import numpy as np
import pytest

from mmomni.inspection.plots import COLOURS, area_plot, format_plot, quality_plot

TRAIN, HELD_OUT = COLOURS['train'], COLOURS['held out']


def bars_of(svg, colour):
    """Lower and upper end of each bar of a colour, from left to right, in pixels; (N, 2)."""
    bars = [bar for bar in ET.fromstring(svg).findall('.//{*}rect') if bar.get('fill') == colour]
    x, top, height = np.array([[float(bar.get(k)) for k in ('x', 'y', 'height')] for bar in bars]).T
    assert (np.diff(x) > 0).all()
    return np.stack([top + height, top], axis=1)


def heights_of(svg, colour):
    """In counts, of which the highest bar is given by the tests."""
    low, high = bars_of(svg, colour).T
    return (low - high) / (low - high).max()


def words_of(svg):
    return [''.join(text.itertext()) for text in ET.fromstring(svg).findall('.//{*}text')]


def test_qualities_are_counted_in_steps_of_five():
    row = hand_made.summary(jpeg_quality={1: 1, 5: 2, 6: 4, 95: 5, 96: 6, 100: 1}, non_standard=8)
    svg = quality_plot([row])
    expected = np.zeros(21)
    expected[[0, 1, 18, 19, 20]] = 3, 4, 5, 7, 8
    np.testing.assert_allclose(heights_of(svg, TRAIN), expected / 8, atol=1e-4)
    words = words_of(svg)
    assert words[:2] + words[18:21] == ['1-5', '6-10', '91-95', '96-100', 'other']
    assert 'JPEG quality of the images' in words


def test_areas_are_counted_in_the_bins_of_the_summary():
    counts = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    svg = area_plot([hand_made.summary(area=counts)])
    np.testing.assert_allclose(heights_of(svg, TRAIN), np.array(counts) / 9, atol=1e-4)
    assert words_of(svg)[:10] == [
        '0-0.1 %', '0.1-1 %', '1-2 %', '2-5 %', '5-10 %', '10-20 %', '20-30 %', '30-50 %',
        '50-75 %', '75-100 %',
    ]  # fmt: skip


def test_formats_of_all_sets_are_added():
    rows = [hand_made.summary(formats=formats) for formats in ({'PNG': 1}, {'BMP': 4, 'PNG': 2})]
    svg = format_plot(rows)
    assert words_of(svg)[:2] == ['BMP', 'PNG']
    np.testing.assert_allclose(heights_of(svg, TRAIN), [1, 3 / 4], atol=1e-4)


def test_images_held_out_stand_on_those_of_training():
    counts = {'train': {'BMP': 1, 'PNG': 2}, 'val': {'PNG': 4}, 'test': {'PNG': 1, 'TIFF': 5}}
    rows = [hand_made.summary(split=split, formats=each) for split, each in counts.items()]
    svg = format_plot([*rows, hand_made.summary(split='val/test', formats={'TIFF': 1})])
    train, held_out = bars_of(svg, TRAIN), bars_of(svg, HELD_OUT)
    np.testing.assert_allclose(held_out[:, 0], train[:, 1])
    unit = train[0, 0] - train[0, 1]
    np.testing.assert_allclose((train[:, 0] - train[:, 1]) / unit, [1, 2, 0], atol=1e-4)
    np.testing.assert_allclose((held_out[:, 0] - held_out[:, 1]) / unit, [0, 5, 6], atol=1e-4)
    assert {'train', 'held out'} <= set(words_of(svg))


@pytest.mark.parametrize(('split', 'colour'), [('train', TRAIN), ('val/test', HELD_OUT)])
def test_one_side_alone_needs_no_legend(split, colour):
    svg = format_plot([hand_made.summary(split=split, formats={'PNG': 1})])
    assert len(bars_of(svg, colour)) == 1
    assert not {'train', 'held out'} & set(words_of(svg))


@pytest.mark.parametrize('plot', [quality_plot, area_plot, format_plot])
def test_nothing_to_count_is_no_plot(plot):
    assert plot([]) is None
    assert plot([hand_made.summary(), hand_made.summary(split='test')]) is None


def three_plots():
    row = hand_made.summary(
        jpeg_quality={90: 3}, formats={'JPEG': 3}, area=(3,) + 9 * (0,)
    )  # fmt: skip
    return [plot([row]) for plot in (quality_plot, area_plot, format_plot)]


@pytest.fixture(scope='module')
def plots():
    return three_plots()


def test_the_same_counts_are_the_same_bytes(plots):
    assert three_plots() == plots
    for svg in plots:
        assert svg.startswith('<svg')


@pytest.mark.parametrize(
    ('count', 'expected'),
    [(1, ['0', '1']), (6, list('0123456')), (7, ['0', '2', '4', '6']),
     (12_500, ['0', '5,000', '10,000'])],
)  # fmt: skip
def test_counts_beside_the_bars_are_few_and_round(count, expected):
    svg = format_plot([hand_made.summary(formats={'PNG': count})])
    assert words_of(svg) == ['PNG', *expected, 'File formats']


def test_a_bar_is_as_high_as_the_number_beside_it():
    svg = format_plot([hand_made.summary(formats={'BMP': 4, 'PNG': 2})])
    low, high = bars_of(svg, TRAIN).T
    numbers = [t for t in ET.fromstring(svg).findall('.//{*}text') if t.text.isdigit()]
    heights = {int(text.text): float(text.get('y')) - 4 for text in numbers}
    np.testing.assert_allclose([*high, low[0]], [heights[4], heights[2], heights[0]], atol=0.1)


def test_names_are_escaped():
    svg = format_plot([hand_made.summary(formats={'<b>': 1})])
    assert words_of(svg)[0] == '<b>'
    assert '<b>' not in svg
