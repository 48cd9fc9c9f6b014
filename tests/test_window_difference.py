import numpy as np
import pytest
from PIL import Image

from mmomni.apis.network import Output
from mmomni.apis.predictor import Predictor


@pytest.fixture
def tool(load_tool):
    return load_tool('analysis_tools/window_difference.py')


class Edges:
    """Sees something at the left edge of whatever it is shown."""

    precision, on_cpu = 'fp32', True

    def __call__(self, planes):
        log_odds = np.full((len(planes), *planes.shape[2:]), -2, np.float32)
        log_odds[:, :, :4] = 2
        return Output(log_odds, None)

    def sharing(self):
        return Alone()


class Alone:
    shares, complete = False, False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def begin(self, window):
        pass

    def end_pass(self):
        pass


def photo_of(folder, height, width):
    path = folder / f'{width}.png'
    Image.new('RGB', (width, height)).save(path)
    return path


def test_a_small_image_is_the_same_both_ways(tool, tmp_path):
    row = tool.row(Predictor(Edges()), photo_of(tmp_path, 64, 64), 64)
    cells = dict(zip(tool.COLUMNS, row, strict=True))
    assert cells['windows'] == '1'
    assert (cells['mean difference'], cells['largest']) == ('0.000000', '0.0000')


def test_what_a_window_adds_is_told(tool, tmp_path):
    predictor = Predictor(Edges())
    photo = photo_of(tmp_path, 64, 96)
    cut, whole = (tool.predict(predictor, photo, window) for window in (64, 6400))
    assert (cut.windows, whole.windows) == (2, 1)
    apart = np.abs(cut.probability - whole.probability)
    found = tool.difference(cut, whole)
    assert found.mean == pytest.approx(apart.mean())
    assert found.largest == pytest.approx(apart.max())
    assert found.sides == (cut.mask != whole.mask).mean()


def test_a_file_that_is_none_ends_it(tool, tmp_path):
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(SystemExit, match=r'a\.jpg: '):
        tool.predict(Predictor(Edges()), tmp_path / 'a.jpg', 64)


def test_a_line_an_image_as_soon_as_it_is_there(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, 'open_predictor', lambda *_, **options: Predictor(Edges()))
    good = photo_of(tmp_path, 64, 96)
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(SystemExit):
        tool.main([str(good), str(tmp_path / 'a.jpg'), '--window', '64'])
    header, _, line = capsys.readouterr().out.splitlines()
    assert len(header.split(' | ')) == len(line.split(' | ')) == len(tool.COLUMNS)
    assert line.startswith('| 96.png | 0.0 | 2 | ')
