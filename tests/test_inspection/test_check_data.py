import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from markupsafe import escape
from PIL import Image
from planting import SIZE, Builder, make_mask, make_picture, save

from mmomni.cli import main
from mmomni.inspection import check_data, survey
from mmomni.inspection.reading import read_record


def found(diagnosis):
    """``{(kind, file name)}``."""
    return {(finding.kind, Path(finding.file).name) for finding in diagnosis.findings}


def test_every_planted_defect_is_found_and_named(planted):
    train, test, files = planted
    diagnosis = check_data([str(train)], [str(test)])
    assert len(files) >= 12
    missed = set(files.items()) - found(diagnosis)
    assert not missed
    invented = {(kind, name) for kind, name in found(diagnosis) if files.get(kind) != name}
    assert not invented


def test_content_tells_which_names_are_wrong(tmp_path, capsys):
    """What is left out for its name is a warning; what is read as what it is, a note."""
    (tmp_path / 'text.jpg').write_text('no image')
    (tmp_path / 'notes.txt').write_text('no image')
    formats = {
        'good.jpg': 'JPEG', 'good.JPE': 'JPEG', 'good.tiff': 'TIFF', 'a.png': 'JPEG',
        'b.jpg': 'PNG', 'c': 'JPEG', 'd.txt': 'PNG', 'e.heic': 'JPEG', 'f.jpg_large': 'JPEG',
    }  # fmt: skip
    for number, (name, kind) in enumerate(formats.items()):
        Image.fromarray(make_picture(number)).save(tmp_path / name, kind)
    findings = check_data([str(tmp_path)]).findings
    told = {Path(f.file).name: (f.level, f.message) for f in findings if f.kind == 'image-misnamed'}
    left_out = {'c': 'jpg', 'd.txt': 'png', 'e.heic': 'jpg', 'f.jpg_large': 'jpg'}
    assert told == {
        'a.png': ('note', 'it is jpg by its content, and read as that'),
        'b.jpg': ('note', 'it is png by its content, and read as that'),
    } | {
        name: ('warning', f'it is {kind} by its content, and left out for its name')
        for name, kind in left_out.items()
    }
    (rest,) = [f for f in findings if f.kind == 'files-left-out']
    assert (rest.level, rest.message) == ('note', '1 txt')  # not what is to be renamed
    assert main(['check-data', str(tmp_path / 'c')]) == 1
    assert 'is a single image; give the folder' in capsys.readouterr().err


def test_copies_are_named_with_their_originals(planted):
    train, test, _ = planted
    by_kind = {f.kind: f for f in check_data([str(train)], [str(test)]).findings}
    assert by_kind['train-test-similar'].related == (str(train / 'images' / 'seen_source.png'),)
    assert by_kind['train-test-exact'].related == (str(train / 'images' / 'leak_source.jpg'),)
    assert by_kind['train-test-exact'].split == 'test'
    assert by_kind['duplicate-exact'].related == (str(train / 'images' / 'copy_b.png'),)


def test_nothing_is_found_in_clean_sets(clean):
    diagnosis = check_data([str(clean[0])], [str(clean[1])])
    assert diagnosis.findings == []
    train, test = diagnosis.sets
    assert (train.images, train.tampered, train.authentic, train.unreadable) == (5, 4, 1, 0)
    assert train.jpeg_quality == {75: 1, 90: 4}
    assert (train.non_jpeg_share, test.non_jpeg_share) == (0, 1)
    assert sum(test.area) == 4
    assert test.median_area == pytest.approx(29 * 38 / (96 * 128))


def test_list_files_with_bad_lines_missing_files_and_shared_stems(tmp_path):
    build = Builder(tmp_path)
    for name in ('a.png', 'a.tif', 'b.png'):
        build.add(name)
    (tmp_path / 'train.txt').write_text(
        '# a comment\n'
        'images/a.png masks/a.png\nimages/a.tif -\n'
        'images/b.png masks/lost.png\nimages/lost.png -\n'
        'images/a.png\n'
    )
    diagnosis = check_data([str(tmp_path / 'train.txt')])
    assert found(diagnosis) == {
        ('list-line', 'train.txt'), ('image-missing', 'lost.png'), ('mask-missing', 'lost.png'),
        ('stem-shared', 'a.png'),
    }  # fmt: skip
    assert 'line 6' in diagnosis.findings[0].message
    assert diagnosis.sets[0].images == 4


def test_listed_twice_is_a_duplicate(tmp_path):
    Builder(tmp_path).add('a.png')
    (tmp_path / 'list.txt').write_text('images/a.png masks/a.png\n' * 2)
    (finding,) = check_data([str(tmp_path / 'list.txt')]).findings
    assert finding.kind == 'duplicate-exact'
    assert 'listed 2 times' in finding.message


def labelled_twice(root, second, split='train'):
    """The findings of one picture under two names, the second with what is given as its mask."""
    build = Builder(root)
    first = build.add('a.png')
    (root / 'images' / 'b.png').write_bytes(first.read_bytes())
    if second is not None:
        save(root / 'masks' / 'b.png', second)
    (root / 'a.txt').write_text('images/a.png masks/a.png\n')
    (root / 'b.txt').write_text(f'images/b.png {"-" if second is None else "masks/b.png"}\n')
    lists = [str(root / 'a.txt'), str(root / 'b.txt')]
    found = check_data(lists[:1], lists[1:]) if split == 'test' else check_data(lists)
    return [(each.kind, Path(each.file).name) for each in found.findings]


OTHER_LABELS = {'authentic': None, 'empty': make_mask() * 0, 'moved': np.roll(make_mask(), 5)}


@pytest.mark.parametrize('other', OTHER_LABELS)
def test_equal_files_with_different_labels_contradict_each_other(other, tmp_path):
    found = labelled_twice(tmp_path, OTHER_LABELS[other])
    assert [each for each in found if each[0] != 'mask-empty'] == [('label-contradiction', 'a.png')]


def test_equal_labels_in_other_files_are_no_contradiction(tmp_path):
    assert labelled_twice(tmp_path, make_mask(value=7)) == [('duplicate-exact', 'a.png')]


def test_an_empty_mask_says_what_no_mask_does(tmp_path):
    build = Builder(tmp_path)
    first = build.add('a.png', mask=make_mask() * 0)
    (tmp_path / 'images' / 'b.png').write_bytes(first.read_bytes())
    kinds = {finding.kind for finding in check_data([str(tmp_path)]).findings}
    assert kinds == {'mask-empty', 'duplicate-exact'}


def test_a_contradiction_across_a_split_is_a_leak_too(tmp_path):
    assert labelled_twice(tmp_path, None, 'test') == [
        ('label-contradiction', 'b.png'), ('train-test-exact', 'b.png'),
    ]  # fmt: skip


def test_a_mask_that_cannot_be_read_contradicts_nothing(tmp_path):
    found = labelled_twice(tmp_path, make_mask((50, 128)))
    assert [kind for kind, _ in found] == ['mask-size', 'duplicate-exact']


@pytest.mark.parametrize('name', ['masks', 'Gt'])
def test_a_folder_of_masks_is_no_test_set(name, clean, tmp_path):
    (clean[1] / 'masks').rename(tmp_path / name)
    found = check_data([str(clean[0])], [str(tmp_path / name)]).findings
    assert {finding.kind for finding in found} == {'image-is-mask'}
    assert [Path(each.file).name for each in found if each.level == 'error'] == [name]
    assert len([each for each in found if each.level == 'warning']) == 4


def test_masks_in_a_folder_of_another_name_are_not_passed_over(clean):
    (clean[0] / 'masks').rename(clean[0] / 'gt')
    (finding,) = check_data([str(clean[0])]).findings
    assert (finding.kind, Path(finding.file).name) == ('mask-unrecognised', 'gt')


def test_report_is_the_same_for_any_number_of_workers(planted, tmp_path):
    train, test, _ = planted
    for workers in (1, 2):
        argv = ['check-data', str(train), '--test', str(test), '--workers', str(workers)]
        assert main([*argv, '--out', str(tmp_path / str(workers))]) == 2
    for name in ('report.json', 'report.html'):
        assert (tmp_path / '1' / name).read_bytes() == (tmp_path / '2' / name).read_bytes()


def test_a_file_that_kills_its_reader_ends_nothing(clean, monkeypatch):
    monkeypatch.setattr(survey, 'read_record', read_or_die)
    monkeypatch.setattr(survey, 'CHUNK', 3)
    monkeypatch.setattr(survey, '_pool', forking_pool)
    diagnosis = check_data([str(clean[0])], workers=2)
    assert found(diagnosis) == {('image-unreadable', '2.jpg')}


def read_or_die(sample):
    if sample.image.endswith('2.jpg'):
        os._exit(1)
    return read_record(sample)


def forking_pool(workers):
    from mmomni.utils.workers import worker_pool

    return worker_pool(workers, method='fork')


# ---- masks ---------------------------------------------------------------------------------


def test_a_colour_pair_is_binary_and_a_large_inner_region_not_inverted(tmp_path):
    build = Builder(tmp_path)
    build.add('colour.png', mask=np.dstack([make_mask()] * 3) // np.array([1, 2, 5], np.uint8))
    large = np.zeros(SIZE, np.uint8)
    large[8:-8, 8:-8] = 255
    build.add('large.png', mask=large)
    assert check_data([str(tmp_path)]).findings == []


def test_swapped_sides_point_at_the_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    Builder(tmp_path).add('a.jpg', mask=make_mask((128, 96)), exif=exif.tobytes())
    size = check_data([str(tmp_path)]).findings[0]
    assert size.kind == 'mask-size'
    assert 'EXIF orientation 8' in size.message


# ---- configs -------------------------------------------------------------------------------

CONFIG = """
def a_set(root, **kwargs):
    return dict(type='mmomni.ManipulationDataset', domain='face', data_root=root, **kwargs)

train_dataloader = dict(dataset=dict(type='mmomni.ReproducibleConcatDataset', datasets=[
    dict(type='RepeatDataset', times=2, dataset=a_set({train!r})),
    dict(type='CityscapesDataset', data_root='elsewhere'),
]))
test_dataloader = dict(dataset=a_set({test!r}, name='held', ann_file='test.txt'))
val_dataloader = test_dataloader
"""


@pytest.fixture
def config(clean, tmp_path):
    train, test = clean
    lines = [f'images/{index}.png\tmasks/{index}.png' for index in range(4)]
    (test / 'test.txt').write_text('\n'.join(lines))
    path = tmp_path / 'config.py'
    text = CONFIG.replace('{train!r}', repr(str(train)))
    path.write_text(text.replace('{test!r}', repr(str(test))))
    return path


@pytest.mark.host
def test_config_brings_its_sets_splits_and_domains(config):
    diagnosis = check_data([str(config)])
    rows = [(row.name, row.domain, row.split, row.images) for row in diagnosis.sets]
    assert rows == [
        ('clean', 'face', 'train', 5), ('elsewhere', '-', 'train', 0),
        ('held', 'face', 'val/test', 4),
    ]  # fmt: skip
    assert [finding.kind for finding in diagnosis.findings] == ['set-unchecked']


@pytest.mark.host
def test_missing_sets_of_a_config_are_findings(config, clean, capsys):
    (clean[1] / 'test.txt').unlink()
    assert main(['check-data', str(config), '--workers', '1']) == 2
    captured = capsys.readouterr().out
    assert '[set-missing]' in captured
    assert 'test.txt' in captured


@pytest.mark.host
def test_a_set_that_trains_and_tests_leaks_all_its_images(config, clean):
    config.write_text(config.read_text().replace(repr(str(clean[0])), repr(str(clean[1]))))
    leaks = [f for f in check_data([str(config)]).findings if f.kind == 'train-test-exact']
    assert len(leaks) == 4


@pytest.mark.host
def test_lmdb_sets_are_read(tmp_path):
    lmdb = pytest.importorskip('lmdb', reason='needs `pip install lmdb`')
    Builder(tmp_path).add('a.jpg')
    with lmdb.open(str(tmp_path / 'db'), map_size=1 << 24) as db, db.begin(write=True) as txn:
        txn.put(b'num-samples', b'1')
        txn.put(b'image-000000000', (tmp_path / 'images' / 'a.jpg').read_bytes())
        txn.put(b'label-000000000', b'no mask')
    config = tmp_path / 'config.json'
    dataset = dict(type='mmomni.DocTamperDataset', data_root=str(tmp_path / 'db'))
    config.write_text(json.dumps(dict(test_dataloader=dict(dataset=dataset))))
    diagnosis = check_data([str(config)])
    assert [f.kind for f in diagnosis.findings] == ['mask-unreadable']
    assert diagnosis.sets[0].formats == {'JPEG': 1}


# ---- command line and reports --------------------------------------------------------------


@pytest.mark.host
def test_exit_status(clean, planted, tmp_path, capsys):
    run = ['check-data', '--workers', '1']
    assert main([*run, str(clean[0])]) == 0
    assert main([*run, str(planted[0])]) == 2
    Builder(tmp_path / 'empty').add('a.png', mask=np.zeros(SIZE, np.uint8))
    assert main([*run, str(tmp_path / 'empty')]) == 0
    assert main([*run, '--strict', str(tmp_path / 'empty')]) == 2
    for wrong in ([], [str(tmp_path / 'nowhere')], [str(clean[0]), '--workers', '0']):
        assert main([*run, *wrong]) == 1
    (tmp_path / 'broken.py').write_text('1 +')
    assert main([*run, str(tmp_path / 'broken.py')]) == 1
    assert 'cannot be read as a config' in capsys.readouterr().err


@pytest.mark.parametrize('wrong', [['--workers', 'many'], ['--unknown']])
def test_wrong_options_end_with_one(wrong, clean, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(['check-data', str(clean[0]), *wrong])
    assert stopped.value.code == 1
    assert 'mmomni check-data: error' in capsys.readouterr().err


def test_terminal_names_sets_kinds_and_files(planted, capsys):
    main(['check-data', str(planted[0]), '--test', str(planted[1]), '--workers', '1'])
    captured = capsys.readouterr()
    assert 'mask looks inverted [mask-inverted]: 1' in captured.out
    assert str(planted[0] / 'masks' / 'inverted.png') in captured.out
    assert captured.out.splitlines()[-1].endswith('notes')
    assert 'check-data' in captured.err


def test_reports_are_whole_and_load_nothing(planted, tmp_path):
    out = tmp_path / 'out'
    main(['check-data', str(planted[0]), '--test', str(planted[1]), '--out', str(out)])
    report = json.loads((out / 'report.json').read_text())
    assert report['levels']['error'] == sum(f['level'] == 'error' for f in report['findings'])
    assert set(report['kinds']) == set(planted[2])
    page = (out / 'report.html').read_text()
    assert page.count('<svg') == 3
    assert 'data:image/jpeg;base64,' in page
    for outside in ('src="http', 'href="http', '@import', 'url(http', '<script'):
        assert outside not in page


def test_names_from_outside_are_escaped(tmp_path, capsys):
    name = '<img src=x onerror=alert(1)>&"\x1b[31m'
    root = tmp_path / '<b>set'
    Builder(root).add(f'{name}.png', mask=np.zeros(SIZE, np.uint8))
    out = tmp_path / 'out'
    assert main(['check-data', str(root), '--workers', '1', '--out', str(out)]) == 0
    page = (out / 'report.html').read_text()
    assert '<img src=x' not in page
    assert '<b>set' not in page
    assert escape('<img src=x onerror=alert(1)>&"\\x1b[31m') in page
    assert '\x1b' not in page + capsys.readouterr().out
    assert name in json.loads((out / 'report.json').read_text())['findings'][0]['file']


@pytest.mark.parametrize('name', ['photo.jpg', 'settings.json'])
def test_a_folder_of_something_else_is_left_alone(name, tmp_path, capsys):
    """Of originals, or of predictions, which have a report.html, too."""
    root, out = tmp_path / 'set', tmp_path / 'out'
    Builder(root).add('a.png', mask=np.zeros(SIZE, np.uint8))
    argv = ['check-data', str(root), '--workers', '1', '--out', str(out)]
    assert main(argv) == 0
    assert main(argv) == 0  # again
    (out / name).touch()
    (out / 'report.html').write_text('of others')
    assert main(argv) == 1
    assert 'holds other files; choose another with --out' in capsys.readouterr().err
    assert (out / 'report.html').read_text() == 'of others'


def test_names_in_broken_encodings_are_reported(tmp_path, capsys):
    Builder(tmp_path).add('a.png')
    path = os.fsencode(tmp_path / 'images') + b'/\xff.png'
    Path(os.fsdecode(path)).write_bytes(b'broken')
    out = tmp_path / 'out'
    assert main(['check-data', str(tmp_path), '--workers', '1', '--out', str(out)]) == 2
    assert '\\udcff.png' in capsys.readouterr().out
    assert '\\udcff.png' in (out / 'report.html').read_text()


def test_import_is_light():
    heavy = 'print([name in sys.modules for name in ("torch", "matplotlib", "mmseg")])'
    outputs = [
        subprocess.run(
            [sys.executable, '-c', f'import sys, {module}; {heavy}'],
            capture_output=True, text=True, check=True,
        ).stdout
        for module in ('mmomni.inspection', 'mmomni')
    ]  # fmt: skip
    assert outputs[0] == outputs[1]


def test_pictures_of_the_fixtures_differ():
    assert not np.array_equal(make_picture(0), make_picture(1))
