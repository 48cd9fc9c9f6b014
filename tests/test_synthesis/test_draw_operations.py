from pathlib import Path

import pytest

from mmomni.jpeg import decode, encode
from mmomni.synthesis import OPERATIONS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def tool(load_tool):
    return load_tool('analysis_tools/draw_operations.py')


def test_every_operation_has_a_case(tool):
    assert list(tool.CASES) == [name for group in OPERATIONS.values() for name in group]


@pytest.mark.parametrize('name', ['text_edit', 'char_copy'])
def test_pictures_show_before_after_and_mask(tool, name):
    picture = tool.draw(name, tool.CASES[name])
    width = (picture.shape[1] - 2 * tool.GAP) // 3
    before, after, mask = (
        picture[:, i * (width + tool.GAP) : i * (width + tool.GAP) + width] for i in range(3)
    )
    assert (before != after).any()
    assert 0 < (mask > 127).mean() < 0.5
    assert len(encode(picture, tool.QUALITY, '4:2:0')) < 60_000


@pytest.mark.parametrize('name', [name for group in OPERATIONS.values() for name in group])
def test_the_documentation_shows_every_operation(name):
    path = ROOT / 'docs' / 'images' / f'operations_{name}.jpg'
    assert path.stat().st_size < 60_000
    assert decode(path.read_bytes()).shape[1] > 300
    text = (ROOT / 'docs' / 'data.md').read_text(encoding='utf-8')
    assert f'`{name}`' in text
    assert f'images/{path.name}' in text
