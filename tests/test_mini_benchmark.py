"""``tools/analysis_tools/mini_benchmark.py``: which images may be sources of what."""

import pytest
from PIL import Image


@pytest.fixture
def tool(load_tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return load_tool('analysis_tools/mini_benchmark.py')


@pytest.fixture
def sources(tmp_path):
    for domain in ('natural', 'document', 'face'):  # scene text is forged in natural images
        for number in range(11):
            path = tmp_path / 'sources' / domain / f'{number:02}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new('RGB', (8, 8)).save(path)
    (tmp_path / 'sources/forged_dev/images').mkdir(parents=True)
    return tmp_path / 'sources'


def test_every_fifth_image_is_for_testing_alone(tool, sources, tmp_path):
    tool.split_sources(sources)
    for domain in tool.DOMAINS:
        folder = tmp_path / 'data/mini/sources'
        train, test = ({p.name for p in (folder / s / domain).iterdir()} for s in ('train', 'test'))
        assert test == {'00.png', '05.png', '10.png'}
        assert train | test == {p.name for p in tool.folder_of(sources, domain).iterdir()}
        assert not train & test


def test_scene_text_has_the_sources_of_photos_unless_it_has_its_own(tool, sources):
    assert tool.folder_of(sources, 'scene_text') == sources / 'natural'
    (sources / 'scene_text').mkdir()
    assert tool.folder_of(sources, 'scene_text') == sources / 'scene_text'


def test_a_second_run_with_more_sources_splits_anew(tool, sources, tmp_path):
    tool.split_sources(sources)
    for name in ('00a.png', 'sub/00.png'):
        path = sources / 'face' / name
        path.parent.mkdir(exist_ok=True)
        Image.new('RGB', (8, 8)).save(path)
    tool.split_sources(sources)
    folder = tmp_path / 'data/mini/sources'
    train, test = (
        {p.resolve() for p in (folder / s / 'face').rglob('*.png')} for s in ('train', 'test')
    )
    assert not train & test
    assert train | test == {p.resolve() for p in (sources / 'face').rglob('*.png')}
    assert (tmp_path / 'data/mini/forged_dev').resolve() == (sources / 'forged_dev').resolve()


def test_too_few_sources(tool, sources):
    for path in sorted((sources / 'face').iterdir())[:3]:
        path.unlink()
    with pytest.raises(SystemExit, match='at least 10 authentic images, got 8'):
        tool.split_sources(sources)


def test_without_real_forgeries(tool, sources):
    (sources / 'forged_dev/images').rmdir()
    with pytest.raises(SystemExit, match='expected real forgeries'):
        tool.split_sources(sources)


def test_every_row_has_a_config(tool):
    for row in tool.ROWS:
        assert len(list(tool.CONFIGS.glob(f'{row}_*.py'))) == 1
