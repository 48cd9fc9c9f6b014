from pathlib import Path

import numpy as np
import pytest
from hostile_files import REASONS, make_hostile
from PIL import Image

from mmomni.jpeg import ImageReadError
from mmomni.synthesis import source_pool
from mmomni.synthesis.jpeg_history import tables_of
from mmomni.synthesis.scene import Thing
from mmomni.synthesis.source_pool import SourcePool


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    """Five sources of a grey level each."""
    paths = [tmp_path / f'{level}.png' for level in (10, 20, 30, 40, 50)]
    for path in paths:
        Image.new('RGB', (70, 64), (int(path.stem),) * 3).save(path)
    return paths


@pytest.fixture
def reads(monkeypatch) -> list[Path]:
    """The sources that are read from now on."""
    reads, read_source = [], source_pool.read_source
    monkeypatch.setattr(
        source_pool, 'read_source', lambda path: reads.append(path) or read_source(path)
    )
    return reads


@pytest.fixture
def pairs(monkeypatch) -> list[tuple[Path, Path]]:
    """Photos and masks of three things; that of ``b`` cannot be read."""

    def read(photo, mask):
        if photo.stem == 'b':
            raise ImageReadError(f'{mask}: is torn')
        return Thing(np.zeros((40, 40, 3), np.uint8), np.ones((40, 40), bool))

    monkeypatch.setattr(source_pool, 'read_thing', read)
    return [(Path(f'images/{name}.jpg'), Path(f'masks/{name}.png')) for name in 'abc']


def test_images_are_different_ones_in_random_order_with_their_own_paths(paths):
    orders = set()
    for seed in range(20):
        images = SourcePool(paths).images(generator(seed), 3)
        for path, image in images:
            assert (image == int(path.stem)).all()
        orders.add(tuple(path.stem for path, _ in images))
        assert len({path for path, _ in images}) == 3
    assert len(orders) > 12


def test_no_more_is_read_than_asked_for(paths, reads):
    SourcePool(paths).images(generator(), 2)
    assert len(reads) == 2


def test_fewer_are_given_where_there_are_no_more(paths):
    assert len(SourcePool(paths[:2]).images(generator(), 3)) == 2


def test_what_cannot_be_read_is_remembered_and_changes_no_later_draw(paths, reads):
    paths[1].write_bytes(b'torn')
    Image.new('RGB', (63, 80)).save(paths[3])
    pool, rng = SourcePool(paths), generator()
    assert len(pool.images(rng, 5)) == 3
    assert list(map(Path, sorted(pool.unreadable))) == [paths[1], paths[3]]
    assert 'at least 64 px a side, got 63x80' in pool.unreadable[str(paths[3])]
    reads.clear()
    again = pool.images(generator(7), 5)
    assert len(reads) == 3, 'those that cannot be read not again'
    fresh = SourcePool(paths).images(generator(7), 5)
    assert [path for path, _ in again] == [path for path, _ in fresh]


@pytest.mark.parametrize('torn', [False, True])
def test_how_many_are_read_changes_no_draw(torn, paths):
    if torn:
        for path in paths[1:]:
            path.write_bytes(b'torn')
    rng = generator()
    SourcePool(paths).images(rng, 1)
    expected = generator()
    expected.permutation(5)
    assert rng.random() == expected.random()


def test_where_none_can_be_read_one_is_named(paths):
    for path in paths:
        path.write_bytes(b'torn')
    with pytest.raises(ValueError, match=r'readable images, got 5 of which none.*\d0\.png'):
        SourcePool(paths).images(generator(), 1)
    with pytest.raises(ValueError, match='got 0 of which none can be read, such as none'):
        SourcePool([]).images(generator(), 1)


def test_tables_are_those_of_any_source(tmp_path, photo):
    paths = [tmp_path / f'{quality}.jpg' for quality in (30, 60, 90)]
    for path in paths:
        Image.fromarray(photo[:64, :64]).save(path, quality=int(path.stem))
    pool, rng = SourcePool(paths), generator()
    found = {pool.tables(rng) for _ in range(30)}
    assert found == {tables_of(path.read_bytes()) for path in paths}


@pytest.mark.parametrize(
    'data', [b'', b'\xff\xd8 no JPEG', b'\x89PNG\r\n\x1a\n'], ids=['empty', 'torn', 'PNG']
)
def test_what_is_no_jpeg_has_no_tables(data, tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(data)
    assert SourcePool([path]).tables(generator()) is None


def test_a_jpeg_larger_than_pillow_opens_is_left_to_who_reads_it(tmp_path):
    path = tmp_path / 'huge.jpg'
    Image.new('RGB', (72, 65)).save(path)
    frame = bytes((0, 65, 0, 72))
    assert path.read_bytes().count(frame) == 1, 'height and width'
    path.write_bytes(path.read_bytes().replace(frame, b'\xff\x00\xff\x00'))
    pool = SourcePool([path])
    assert pool.tables(generator()) is None
    with pytest.raises(ValueError, match=r'none can be read.*huge\.jpg'):
        pool.images(generator(), 1)


@pytest.mark.parametrize('kind', REASONS)
def test_what_would_hang_or_fill_the_memory_is_left_out(kind, paths, photo, tmp_path):
    path = make_hostile(tmp_path, kind)
    assert SourcePool([path]).tables(generator()) is None
    pool = SourcePool([path, paths[0]])
    assert [found for found, _ in pool.images(generator(), 2)] == [paths[0]]
    assert REASONS[kind] in pool.unreadable[str(path)]
    Image.fromarray(photo[:64, :64]).save(tmp_path / 'thing.png')
    things = SourcePool([], [(tmp_path / 'thing.png', path), (path, tmp_path / 'thing.png')])
    with pytest.raises(ValueError, match='got 2 of which none can'):
        things.thing(generator())()
    assert all(REASONS[kind] in reason for reason in things.unreadable.values())


def test_without_files_there_are_no_tables_and_no_things(tmp_path):
    assert SourcePool([]).tables(generator()) is None
    assert SourcePool([tmp_path / 'vanished.jpg']).tables(generator()) is None
    assert SourcePool([]).thing(generator()) is None


def test_any_thing_is_drawn_and_read_once_it_is_called_for(pairs, monkeypatch):
    calls, read = [], source_pool.read_thing
    monkeypatch.setattr(source_pool, 'read_thing', lambda *pair: calls.append(pair) or read(*pair))
    pool, rng = SourcePool([], pairs), generator()
    things = [pool.thing(rng) for _ in range(20)]
    assert not calls
    assert things[0]() is things[0]()
    assert things[0].name == calls[-1][0].name
    before = len(calls)
    assert {thing.name for thing in things} == {'a.jpg', 'c.jpg'}
    assert len(calls) - before <= 20, 'the torn one once'


def test_a_thing_that_cannot_be_read_gives_way_to_the_next(pairs):
    pool = SourcePool([], pairs)
    drawn = source_pool.DrawnThing([pairs[1], pairs[2], pairs[0]], pool.unreadable)
    assert drawn.name == 'c.jpg'
    assert pool.unreadable == {'masks/b.png': 'masks/b.png: is torn'}


def test_where_no_thing_can_be_read_the_first_is_named(pairs):
    thing = SourcePool([], [pairs[1]]).thing(generator())
    with pytest.raises(ValueError, match=r'got 1 of which none can.*b\.png: is torn; mend them'):
        thing()
