import json
import sys

import cv2
import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/draw_sheet.py')


@pytest.fixture
def data(tmp_path):
    for name in ('images', 'masks'):
        (tmp_path / name).mkdir()
    mask = np.zeros((60, 100), np.uint8)
    mask[20:40, 30:60] = 255
    for i in range(5):
        Image.new('RGB', (100, 60), 'gray').save(tmp_path / f'images/{i}.png')
        Image.fromarray(mask).save(tmp_path / f'masks/{i}.png')
    names = ['splice', 'removal', 'splice', 'splice', 'splice']
    metas = [json.dumps({'file': f'{i}.png', 'operation': name}) for i, name in enumerate(names)]
    (tmp_path / 'meta.jsonl').write_text('\n'.join(metas))
    return tmp_path


def sheet(tool, monkeypatch, data, *options: str) -> np.ndarray:
    out = data / 'sheets/sheet.png'
    arguments = [str(data), str(out), '--cell', '104', '--columns', '2', *options]
    monkeypatch.setattr(sys, 'argv', ['draw_sheet.py', *arguments])
    tool.main()
    return cv2.imread(str(out))


def test_what_is_forged_is_outlined(tool, monkeypatch, data):
    drawn, bare = (sheet(tool, monkeypatch, data, *options) for options in ([], ['--bare']))
    assert drawn.shape == bare.shape == (3 * (104 + tool.CAPTION), 208, 3)
    red = (drawn == tool.OUTLINE[::-1]).all(axis=2)
    assert red[20, 35]
    assert not red[30, 45]
    assert not (bare == tool.OUTLINE[::-1]).all(axis=2).any()


def test_some_can_be_chosen(tool, monkeypatch, data):
    assert len(sheet(tool, monkeypatch, data, '--only', 'removal')) == 104 + tool.CAPTION
    assert len(sheet(tool, monkeypatch, data, '--first', '3')) == 104 + tool.CAPTION
    with pytest.raises(SystemExit, match='found none'):
        sheet(tool, monkeypatch, data, '--only', 'stamp')
