"""What all converters have in common, on no data set in particular."""

import numpy as np
import pytest
from hostile_files import REASONS, make_hostile
from PIL import Image

from mmomni.datasets.list_files import Converter, Found, Pair


def of_header(kind):
    """The scans of a JPEG, and what is in a small file, are no matter of its header."""
    return kind not in ('scans', 'sparse')


def make_pair(root, kind, in_mask):
    """A pair of which one file is of that kind."""
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(root / 'good.png')
    names = make_hostile(root, kind).name, 'good.png'
    return Pair(*(names[::-1] if in_mask else names))


@pytest.mark.parametrize('in_mask', [False, True])
@pytest.mark.parametrize('kind', filter(of_header, REASONS))
def test_what_would_hang_or_fill_the_memory_is_left_out(kind, in_mask, tmp_path, capsys):
    pair = make_pair(tmp_path, kind, in_mask)
    Converter('A set.', lambda *_: dict(train=Found([pair]))).run([str(tmp_path)])
    assert 'train: 1 files left out' in capsys.readouterr().out
    (line,) = (tmp_path / 'train.txt').read_text().splitlines()[1:]
    assert line.startswith(f'# left out: {pair.image}: {pair.mask if in_mask else pair.image}: ')
    assert REASONS[kind] in line


@pytest.mark.parametrize('kind', ['scans', 'program'])
def test_masks_to_be_rewritten_are_read_within_the_same_limits(kind, tmp_path):
    pair = make_pair(tmp_path, kind, in_mask=True)
    rule = dict(is_tampered=lambda rgb: rgb[..., 0] > 0, resize_masks=True)
    Converter('A set.', lambda *_: dict(train=Found([pair])), **rule).run([str(tmp_path)])
    assert REASONS[kind] in (tmp_path / 'train.txt').read_text()
