from pathlib import Path

import numpy as np
import pytest
from archive_models import ALL_SETTINGS, FORMATS, SETTINGS, Model, opened
from PIL import Image

from mmomni.reporting.archives import Archive, Options, ShardExaminer, listed_files


@pytest.fixture(autouse=True)
def _extra():
    """Not on import, which would end a run of these tests alone."""
    pytest.importorskip('pyarrow', reason='needs Ray and pyarrow: the extra ray')


def save(path, brightness=200):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((32, 40, 3), 40, np.uint8)
    pixels[4:20, 8:24] = brightness
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def photos(tmp_path):
    """Six images, one of them broken, one that does not exist."""
    folder = tmp_path / 'photos'
    for number in range(4):
        save(folder / f'{number}.png', 180 + number)
    (folder / 'broken.png').write_bytes(b'no image')
    return folder


@pytest.fixture
def names():
    return ['0.png', 'broken.png', '1.png', '2.png', 'gone.png', '3.png']


@pytest.fixture
def text_list(photos, names):
    path = photos / 'list.txt'
    path.write_text('\n'.join([*names, '0.png']))
    return path


@pytest.fixture
def archive(tmp_path, text_list):
    """Opens the archive of the list, in shards of two files."""
    def archive(shard_size=2, lists=(text_list,), **changes):
        settings = ALL_SETTINGS | changes
        listed = lambda: listed_files(list(lists))  # noqa: E731
        return Archive(tmp_path / 'out', settings, listed, shard_size)

    return archive


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def examiner(tmp_path, model):
    def examiner(**options):
        return ShardExaminer(
            tmp_path / 'out', lambda: opened(model), SETTINGS, Options(FORMATS, **options)
        )

    return examiner


@pytest.fixture
def run(archive, examiner):
    """Examines what is pending, or so many shards of it, in this process."""
    def run(most=99, **options):
        with archive() as folder:
            worker = examiner(**options)
            for number in folder.pending()[:most]:
                folder.done[number] = worker.examine(number)
            return folder.write_account()

    return run


@pytest.fixture
def rows(tmp_path):
    import pyarrow.parquet as pq

    def rows(kind):
        files = sorted(Path(tmp_path, 'out', kind).glob('*.parquet'))
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    return rows
