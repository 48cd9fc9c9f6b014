import dataclasses
import json
import logging
from pathlib import Path

import pytest

from mmomni.synthesis.resuming import HEADER, META, checked_free, header_of, mask_of, resumed
from mmomni.synthesis.synthesizer import Synthesizer

HEAD = {'domain': 'natural', 'seed': 3, 'versions': {'numpy': '2.0'}}
# In the place of each argument of a synthesizer, another one.
OTHERS = dict(
    paths=[], domain='face', seed=4, max_side=300, first_quality=(60, 70),
    second_quality=(60, 70), post_probability=0.1, authentic=0.2, histories='double', png=0.5,
    grey=0.5, things=[],
)  # fmt: skip


def meta(index: int, forged: bool = True) -> dict:
    return {'file': f'{index:06d}.jpg', 'boxes': [[0, 0, 4, 4]] if forged else []}


@pytest.fixture
def out(tmp_path) -> Path:
    """Four whole images, the third of them authentic."""
    out = tmp_path / 'out'
    for name in ('images', 'masks'):
        (out / name).mkdir(parents=True)
    (out / HEADER).write_text(json.dumps(HEAD))
    metas = [meta(index, index != 2) for index in range(4)]
    (out / META).write_text(''.join(json.dumps(each) + '\n' for each in metas))
    for index in range(4):
        (out / f'images/{index:06d}.jpg').write_bytes(b'image')
        if index != 2:
            (out / f'masks/{index:06d}.png').write_bytes(b'mask')
    return out


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob('*/*'))


@pytest.mark.parametrize(
    ('file', 'boxes', 'mask'),
    [
        pytest.param('000012.jpg', [[1, 2, 3, 4]], 'masks/000012.png', id='of a JPEG'),
        pytest.param('000012.png', [[1, 2, 3, 4]], 'masks/000012.png', id='of a PNG'),
        pytest.param('000012.jpg', [], None, id='authentic'),
    ],
)
def test_masks_are_named_as_their_images(file, boxes, mask):
    assert mask_of({'file': file, 'boxes': boxes}) == mask


@pytest.fixture
def arguments(tmp_path) -> dict:
    """Arguments of a synthesizer; what is in the files is not looked at."""
    paths = [tmp_path / 'sources' / name for name in ('a.jpg', 'b.png', 'c.jpg')]
    paths[0].parent.mkdir()
    for path in paths:
        path.write_bytes(path.name.encode())
    return dict(paths=paths[1:], domain='natural', seed=3, things=[(paths[0], paths[0])])


@pytest.mark.parametrize('name', [field.name for field in dataclasses.fields(Synthesizer)])
def test_no_argument_is_missing_from_the_header(name, arguments):
    before = header_of(Synthesizer(**arguments))
    things = {'things': []} if name == 'domain' else {}
    after = header_of(Synthesizer(**(arguments | things | {name: OTHERS[name]})))
    changed = {key for key, value in before.items() if after[key] != value}
    expected = {'paths': 'sources', 'things': 'donors'}.get(name, name)
    assert changed == {expected} | {'donors' for _ in things}


def test_a_header_is_the_same_once_it_is_read_again(arguments):
    header = header_of(Synthesizer(**arguments))
    assert json.loads(json.dumps(header)) == header


def sources_of(*paths: Path) -> str:
    return header_of(Synthesizer(paths, 'natural', 3))['sources']


def test_sources_may_move_but_not_change(arguments, tmp_path):
    one, other = arguments['paths']
    before = sources_of(one, other)
    assert before.startswith('2 ')
    assert sources_of(other, one) != before, 'an index would draw another'
    moved = one.parent.rename(tmp_path / 'elsewhere')
    one, other = moved / one.name, moved / other.name
    assert sources_of(one, other) == before
    assert sources_of(one) != before
    one.write_bytes(b'another image')
    assert sources_of(one, other) != before
    assert sources_of(one.rename(moved / 'd.png'), other) != before


def test_rendered_pages_are_sources_too():
    assert header_of(Synthesizer(None, 'document', 0))['sources'] == 'rendered'


def test_new_and_empty_folders_are_free(tmp_path):
    assert checked_free(tmp_path / 'new') == []
    assert not (tmp_path / 'new').exists()
    assert checked_free(tmp_path) == []


def test_folders_that_hold_files_are_not_free(tmp_path, out):
    (tmp_path / 'file').write_text('mine')
    with pytest.raises(FileExistsError, match=r'new or empty folder at .*file, got one that'):
        checked_free(tmp_path / 'file')
    with pytest.raises(FileExistsError, match=r'remove it first$'):
        checked_free(tmp_path)
    with pytest.raises(FileExistsError, match=r'or resume it \(--resume\)$'):
        checked_free(out)


def test_nothing_yet_is_resumed_from_the_start(tmp_path):
    assert resumed(tmp_path / 'new', HEAD, 4) == []
    (tmp_path / 'precious.txt').write_text('mine')
    with pytest.raises(FileExistsError, match=r'remove it first$'):
        resumed(tmp_path, HEAD, 4)


@pytest.mark.parametrize('num', [4, 9])
def test_what_is_whole_is_kept_as_it_is(num, out):
    before, lines = names(out), (out / META).read_bytes()
    assert [each['file'][:6] for each in resumed(out, HEAD, num)] == [f'{i:06d}' for i in range(4)]
    assert names(out) == before
    assert (out / META).read_bytes() == lines


def test_fewer_images_than_there_are_is_an_error(out):
    with pytest.raises(ValueError, match='already holds 4 images, got num 3; give more'):
        resumed(out, HEAD, 3)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'seed': 5}, 'its seed is 3, got 5; give the same sources and options'),
        ({'domain': 'face'}, "its domain is 'natural', got 'face'"),
        ({'grey': 0.1}, 'its grey is None, got 0.1'),
    ],
)
def test_what_differs_is_named_and_nothing_is_touched(change, message, out):
    (out / 'images/000004.jpg').write_bytes(b'torn')
    before = names(out)
    with pytest.raises(ValueError, match=message):
        resumed(out, HEAD | change, 9)
    assert names(out) == before


def test_other_versions_are_named_in_a_warning(out, caplog):
    with caplog.at_level(logging.WARNING):
        assert len(resumed(out, HEAD | {'versions': {'numpy': '2.1'}}, 4)) == 4
    assert "with {'numpy': '2.1'} a run of {'numpy': '2.0'}: bytes may differ" in caplog.text


@pytest.mark.parametrize(
    ('lost', 'kept'),
    [
        pytest.param('images/000000.jpg', 0, id='the first image'),
        pytest.param('masks/000001.png', 1, id='a mask'),
        pytest.param('images/000002.jpg', 2, id='an authentic image'),
        pytest.param('images/000003.jpg', 3, id='the last image'),
    ],
)
def test_all_from_the_first_missing_file_on_is_cut_off(lost, kept, out):
    lines = (out / META).read_bytes().splitlines(keepends=True)
    expected = [name for name in names(out) if int(Path(name).stem) < kept]
    (out / lost).unlink()
    assert resumed(out, HEAD, 9) == [json.loads(line) for line in lines[:kept]]
    assert (out / META).read_bytes() == b''.join(lines[:kept])
    assert names(out) == expected


def test_a_torn_line_and_its_files_are_cut_off(out):
    lines = (out / META).read_bytes()
    (out / META).write_bytes(lines[:-5])
    (out / 'images/000003.png').write_bytes(b'of an earlier try')
    (out / 'images/notes.txt').write_text('mine')
    assert len(resumed(out, HEAD, 9)) == 3
    assert (out / META).read_bytes() == b''.join(lines.splitlines(keepends=True)[:3])
    assert not list(out.glob('*/000003.*'))
    assert (out / 'images/notes.txt').exists(), 'not ours'


def test_a_run_killed_before_its_first_line_starts_anew(out):
    (out / META).unlink()
    assert resumed(out, HEAD, 9) == []
    assert names(out) == []
    assert not (out / META).exists()
