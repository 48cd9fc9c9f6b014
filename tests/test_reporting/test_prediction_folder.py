import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image
from predicting import SETTINGS, predict_one

from mmomni.evidence.views import VIEWS
from mmomni.reporting import (
    ImageFile,
    ImageThreshold,
    PredictionFolder,
    PredictionsInMemory,
    report_page,
)
from mmomni.reporting.evidence import evidence_in_file
from mmomni.reporting.predictions import files_of, shown_files
from mmomni.reporting.record import LATER_KEYS, RECORD_KEYS, FileState

FIRST = ['a.png', 'b.png', 'a.png']
VIEW = dict(name='ela', title='', explanation='', file='views/ela/a.jpg')


def lines(folder, name='predictions.jsonl'):
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


def names(folder):
    return sorted(line['name'] for line in lines(folder))


def test_what_is_written(photos, tmp_path, run):
    summary, _ = run(photos, formats=('png', 'npz', 'json'), limit=ImageThreshold(0.9, 'max', 0.01))
    assert summary == (3, 0, {})
    out = tmp_path / 'out'
    line = next(line for line in lines(out) if line['name'] == 'sub/a')
    assert line['path'] == str(photos / 'sub/a.png')
    assert line['image'] == 'sub/a.png'
    assert (line['width'], line['height'], line['orientation']) == (64, 48, 1)
    assert (line['score'], line['pooling'], line['verdict']) == (1.0, 'max', 'tampered')
    assert line['tampered_share'] == 24 * 16 / (64 * 48)
    (region,) = line['regions']
    assert region == dict(box=[8, 8, 32, 24], area=24 * 16, mean_probability=1.0)
    assert line['gate'] == dict(modality='vision + frequency', confidence=0.75)
    assert line['warnings'] == ['something odd']
    assert line['files'] == dict(
        mask='masks/sub/a.png', heat_map='heat_maps/sub/a.png', overlay='overlays/sub/a.jpg',
        probability='probabilities/sub/a.npz',
    )  # fmt: skip
    mask = np.array(Image.open(out / line['files']['mask']))
    assert mask[8:24, 8:32].min() == 255
    assert mask.sum() == 255 * 24 * 16
    assert all((out / file).is_file() for file in line['files'].values())
    assert not (out / '.unfinished').exists()


def test_verdict_needs_a_score_above_the_threshold(photos, tmp_path, run):
    run(photos, limit=ImageThreshold(1.0, 'max', 0.01))
    assert {line['verdict'] for line in lines(tmp_path / 'out')} == {'authentic'}


def test_without_a_threshold_there_is_no_verdict(photos, tmp_path, run):
    run(photos)
    assert {line['verdict'] for line in lines(tmp_path / 'out')} == {None}


def test_json_alone_makes_no_pictures_but_those_of_the_report(photos, tmp_path, run):
    run(photos, formats=('json',))
    assert sorted(path.name for path in (tmp_path / 'out').iterdir()) == [
        'failures.jsonl', 'predictions.jsonl', 'report_files', 'settings.json',
    ]  # fmt: skip


def test_a_second_run_predicts_nothing(photos, tmp_path, run, predictor):
    run(photos)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*.png')}
    summary, _ = run(photos)
    assert summary == (0, 3, {})
    assert predictor.seen == []
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / 'out').rglob('*.png')} == before


def test_new_files_are_added(photos, tmp_path, run, predictor, save):
    run(photos / 'a.png')
    save(photos / 'c.png')
    summary, _ = run(photos)
    assert summary == (3, 1, {})
    assert names(tmp_path / 'out') == ['a', 'b', 'c', 'sub/a']


def test_a_changed_file_is_predicted_again_under_its_name(photos, tmp_path, run, predictor, save):
    run(photos)
    save(photos / 'b.png', box=(0, 0, 10, 10))
    summary, _ = run(photos)
    assert (summary.predicted, predictor.seen) == (1, ['b.png'])
    (line,) = [line for line in lines(tmp_path / 'out') if line['name'] == 'b']
    assert line['regions'][0]['box'] == [0, 0, 10, 10]
    assert len(lines(tmp_path / 'out')) == 3


def test_files_with_other_bytes_than_before_are_named(photos, run, save, caplog, tmp_path):
    """Whether their outputs are whole or not."""
    run(photos)
    os.utime(photos / 'sub/a.png', ns=(1, 1))
    assert run(photos)[1].changed == caplog.messages == []
    for name in ('b.png', 'a.png'):
        save(photos / name, box=(0, 0, 10, 10))
    (tmp_path / 'out/masks/b.png').unlink()
    run(photos)
    assert caplog.messages[0] == (
        '2 files have other bytes than when examined before; earlier results are replaced: '
        f'{photos}/a.png; {photos}/b.png'
    )


def test_a_file_that_was_only_touched_is_not_predicted_again(photos, run, predictor):
    run(photos)
    os.utime(photos / 'b.png', ns=(1, 1))
    assert run(photos)[0] == (0, 3, {})


def test_other_bytes_of_the_same_number_are_predicted_again(photos, run, predictor, save):
    size = save(photos / 'c.bmp').stat().st_size
    run(photos)
    assert save(photos / 'c.bmp', box=(0, 0, 10, 10)).stat().st_size == size
    os.utime(photos / 'c.bmp', ns=(1, 1))
    run(photos)
    assert predictor.seen == ['c.bmp']


def test_a_file_with_missing_outputs_is_predicted_again(photos, tmp_path, run, predictor):
    run(photos)
    (tmp_path / 'out/masks/b.png').unlink()
    run(photos)
    assert predictor.seen == ['b.png']


def outputs(line):
    return list(files_of(line))


def forget_sizes(folder):
    """Lines as earlier versions wrote them."""
    text = ''
    for line in lines(folder):
        del line['output_bytes']
        text += json.dumps(line) + '\n'
    (folder / 'predictions.jsonl').write_text(text)


DAMAGES = {
    'empty': lambda data: b'',
    'broken off': lambda data: data[:-30],
    'longer': lambda data: data + b'more',
    'zeros': lambda data: bytes(len(data) - 1),
}


@pytest.mark.parametrize('damage', DAMAGES)
@pytest.mark.parametrize('sizes', ['sizes', 'no sizes'])
@pytest.mark.parametrize('number', [0, 2, 3, 4])  # PNG, JPEG, NPZ, and one of the report
def test_an_output_that_is_not_as_it_was_written_is_not_done(
    photos, tmp_path, run, predictor, caplog, number, damage, sizes
):
    run(photos, formats=('png', 'npz'))
    out = tmp_path / 'out'
    if sizes == 'no sizes':
        forget_sizes(out)
    (line,) = [line for line in lines(out) if line['name'] == 'b']
    name = outputs(line)[number]
    before = (out / name).read_bytes()
    (out / name).write_bytes(DAMAGES[damage](before))
    assert run(photos, formats=('png', 'npz'))[0] == (1, 2, {})
    assert predictor.seen == ['b.png']
    assert '1 image is examined again' in caplog.text
    assert name in caplog.text
    assert run(photos, formats=('png', 'npz'))[0] == (0, 3, {})
    assert len((out / name).read_bytes()) == len(before)


def test_results_of_an_earlier_version_are_still_done(photos, tmp_path, run, caplog):
    run(photos, formats=('png', 'npz'))
    forget_sizes(tmp_path / 'out')
    assert run(photos, formats=('png', 'npz'))[0] == (0, 3, {})
    assert 'again' not in caplog.text


def test_of_many_damaged_outputs_the_first_are_named(photos, tmp_path, run, save, caplog):
    for number in range(5):
        save(photos / f'{number}.png')
    run(photos)
    for path in (tmp_path / 'out/masks').rglob('*.png'):
        path.write_bytes(b'')
    assert run(photos)[0] == (8, 0, {})
    assert caplog.text.count('is empty') == 3
    assert '8 images are examined again' in caplog.text
    assert '5 more' in caplog.text


def test_a_folder_in_place_of_an_output_is_named(photos, tmp_path, run, caplog):
    run(photos / 'a.png')
    (tmp_path / 'out/masks/a.png').unlink()
    (tmp_path / 'out/masks/a.png').mkdir()
    with pytest.raises(OSError, match=r'a\.png'):
        run(photos / 'a.png')
    assert 'masks/a.png is no file' in caplog.text


@pytest.mark.parametrize('content', [b'', b'\0' * 50, b'{"thre', b'[]'])
def test_settings_that_are_broken_are_named(photos, tmp_path, run, content):
    run(photos)
    (tmp_path / 'out/settings.json').write_bytes(content)
    with pytest.raises(ValueError, match=r'settings\.json: expected the settings'):
        run(photos)


class StoppedClock(datetime):
    @classmethod
    def now(cls, tz):
        return cls(2026, 1, 2, tzinfo=tz)


def test_predictions_in_memory_are_those_of_a_folder(photos, tmp_path, run, monkeypatch):
    monkeypatch.setattr('mmomni.reporting.predictions.datetime', StoppedClock)
    run(photos / 'a.png', report=True)
    (line,) = lines(tmp_path / 'out')
    source = ImageFile(photos / 'a.png', PurePath('a.png'))
    memory = PredictionsInMemory(SETTINGS, ('png', 'json'))
    state = FileState(line['size_bytes'], line['mtime_ns'])
    prediction = predict_one(source.source, 1)
    evidence = evidence_in_file(source, state, prediction)
    memory.add(source, 'a', state, line['sha256'], prediction, evidence)
    assert list(map(json.loads, map(json.dumps, memory.records.values()))) == [line]
    assert memory.contents == {
        file: (tmp_path / 'out' / file).read_bytes() for file in outputs(line)
    }
    page = ''.join(report_page(memory))
    assert page == (tmp_path / 'out/report.html').read_text()


def test_bad_files_are_named_tried_again_and_forgotten_when_mended(photos, tmp_path, run, save):
    (photos / 'bad.png').write_bytes(b'no image')
    (photos / 'gone.jpg').symlink_to(photos / 'nowhere')
    os.mkfifo(photos / 'pipe.jpg')
    for _ in range(2):
        summary, _ = run(photos)
        assert {path.name for path in summary.failures} == {'bad.png', 'gone.jpg', 'pipe.jpg'}
        listed = lines(tmp_path / 'out', 'failures.jsonl')
        assert {Path(line['path']) for line in listed} == summary.failures.keys()
        assert all(line['reason'] for line in listed)
    save(photos / 'bad.png')
    (photos / 'gone.jpg').unlink()
    (photos / 'pipe.jpg').unlink()
    assert run(photos)[0] == (1, 3, {})
    assert lines(tmp_path / 'out', 'failures.jsonl') == []


def test_a_file_that_turned_bad_leaves_no_old_result(photos, tmp_path, run):
    run(photos)
    (photos / 'b.png').write_bytes(b'no image')
    summary, _ = run(photos)
    assert len(summary.failures) == 1
    assert names(tmp_path / 'out') == ['a', 'sub/a']
    assert not list((tmp_path / 'out').rglob('b.*'))


def test_a_file_that_changes_while_it_is_read_is_a_bad_file(photos, run, predictor, monkeypatch):
    ask = type(predictor).__call__

    def meddle(self, sources):
        for source, result in zip(sources, ask(self, sources), strict=True):
            if source.content.name == 'b.png':
                source.content.write_bytes(b'other')
            yield result

    monkeypatch.setattr(type(predictor), '__call__', meddle)
    (reason,) = run(photos)[0].failures.values()
    assert 'changed while it was read' in reason


def test_results_of_other_inputs_stay(photos, tmp_path, run):
    run(photos / 'sub')
    summary, _ = run(photos / 'a.png')
    assert summary == (1, 0, {})
    assert names(tmp_path / 'out') == ['a', 'a_png']


@pytest.mark.parametrize(
    ('changed', 'name'),
    [
        (dict(threshold=0.4), 'threshold'),
        (dict(checkpoint_sha256='cd' * 32), 'checkpoint_sha256'),
        (dict(formats=('json',)), 'formats'),
        (dict(views=('noise',)), 'views'),
        (dict(limit=ImageThreshold(0.5, 'max', 0.1)), 'image_threshold'),
    ],
)
def test_results_of_other_settings_are_refused(photos, tmp_path, run, changed, name):
    run(photos)
    before = (tmp_path / 'out/predictions.jsonl').read_bytes()
    with pytest.raises(ValueError, match=f'results with {name} .*--out'):
        run(photos, **changed)
    assert (tmp_path / 'out/predictions.jsonl').read_bytes() == before


def test_views_are_written_beside_the_heat_map(photos, tmp_path, run, predictor):
    predictor.orientation = 6
    run(photos / 'sub', formats=('json',), views=['copy-move', 'ela'])
    (line,) = lines(tmp_path / 'out')
    assert [view['name'] for view in line['views']] == ['ela', 'copy-move']  # as they are listed
    assert [view['file'] for view in line['views']] == ['views/ela/a.jpg', 'views/copy-move/a.jpg']
    for view in line['views']:
        path = tmp_path / 'out' / view['file']
        with Image.open(path) as picture:
            assert picture.size == (48, 64)  # upright
        assert (view['title'], view['explanation']) == VIEWS[view['name']][1:]
        assert line['output_bytes'][view['file']] == path.stat().st_size
    settings = json.loads((tmp_path / 'out/settings.json').read_text())
    assert settings['views'] == ['ela', 'copy-move']
    assert run(photos / 'sub', formats=('json',), views=['ela', 'copy-move'])[0] == (0, 1, {})


def test_a_view_that_is_gone_is_drawn_again(photos, tmp_path, run, caplog):
    run(photos, views=['noise'])
    (tmp_path / 'out/views/noise/a.jpg').unlink()
    assert run(photos, views=['noise'])[0] == (1, 2, {})
    assert 'views/noise/a.jpg is gone' in caplog.text
    assert (tmp_path / 'out/views/noise/a.jpg').is_file()


def test_views_of_a_changed_file_are_replaced(photos, tmp_path, run, save):
    run(photos, views=['noise'])
    before = (tmp_path / 'out/views/noise/a.jpg').read_bytes()
    save(photos / 'a.png', box=(1, 1, 60, 40))
    assert run(photos, views=['noise'])[0] == (1, 2, {})
    assert (tmp_path / 'out/views/noise/a.jpg').read_bytes() != before


def test_a_view_that_nobody_knows_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected views among ela, .*, got \['lea'\]"):
        PredictionFolder(tmp_path / 'out', {}, (), views=['lea'])
    assert not (tmp_path / 'out').exists()


def test_results_of_a_version_without_views_are_gone_on_with(photos, tmp_path, run):
    run(photos)
    settings = tmp_path / 'out/settings.json'
    before = json.loads(settings.read_text())
    del before['views']
    settings.write_text(json.dumps(before))
    text = (tmp_path / 'out/predictions.jsonl').read_text()
    (tmp_path / 'out/predictions.jsonl').write_text(text.replace('"views": [], ', ''))
    assert '"views"' not in (tmp_path / 'out/predictions.jsonl').read_text()
    assert run(photos)[0] == (0, 3, {})


def test_a_checkpoint_may_be_moved(photos, run):
    run(photos)
    assert run(photos, checkpoint='elsewhere.pth')[0] == (0, 3, {})


def test_a_folder_of_somebody_else_is_left_alone(photos, tmp_path, run):
    (tmp_path / 'out').mkdir()
    (tmp_path / 'out/theirs.txt').touch()
    with pytest.raises(FileExistsError, match='--out'):
        run(photos)
    assert [path.name for path in (tmp_path / 'out').iterdir()] == ['theirs.txt']


def test_two_processes_do_not_write_to_one_folder(tmp_path):
    with (
        PredictionFolder(tmp_path / 'out', {}, ()),
        pytest.raises(OSError, match='another process'),
    ):
        PredictionFolder(tmp_path / 'out', {}, ())


def test_a_link_inside_the_results_leads_nowhere(photos, tmp_path, run):
    run(photos / 'a.png')
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'out/masks/sub').symlink_to(tmp_path / 'outside')
    with pytest.raises(OSError, match='leads out of'):
        run(photos)
    assert not any((tmp_path / 'outside').iterdir())


def test_a_link_leads_nowhere_not_even_for_new_folders(photos, tmp_path, run, save):
    run(photos / 'a.png', formats=('png',))
    (tmp_path / 'outside').mkdir()
    shutil.rmtree(tmp_path / 'out/masks')
    (tmp_path / 'out/predictions.jsonl').unlink()
    (tmp_path / 'out/masks').symlink_to(tmp_path / 'outside')
    save(tmp_path / 'others/sub/deep/b.png')
    with pytest.raises(OSError, match='leads out of'):
        run(tmp_path / 'others', formats=('png',))
    assert not any((tmp_path / 'outside').iterdir())


def rewrite(tmp_path, **changes):
    """Let the only line of the results say something else; gives it as it is then."""
    path = tmp_path / 'out/predictions.jsonl'
    (line,) = lines(tmp_path / 'out')
    text = json.dumps({**line, **changes}) + '\n'
    path.write_text(text)
    return text


@pytest.mark.parametrize(
    'changes',
    [
        dict(files=dict(mask='../victim.jpg')),
        dict(files=dict(mask='masks/../../victim.jpg')),
        dict(files=dict(mask='{tmp_path}/victim.jpg')),
        dict(files=dict(mask='link/victim.jpg')),
        dict(views=[dict(VIEW, file='../victim.jpg')]),
        dict(views=[dict(VIEW, file='link/victim.jpg')]),
        dict(views=[dict(VIEW, name='../../..')]),
        dict(files=dict(mask='')),
        dict(files=dict(mask=1)),
        dict(files=dict(mask='a\0')),
        dict(name='../../../victim'),
    ],
    ids=str,
)
@pytest.mark.parametrize('changed', [False, True])
def test_a_line_that_names_files_outside_is_refused(photos, tmp_path, run, save, changes, changed):
    run(photos / 'a.png')
    victim = tmp_path / 'victim.jpg'
    victim.write_bytes(b'secret')
    (tmp_path / 'out/link').symlink_to(tmp_path)
    if isinstance(file := changes.get('files', {}).get('mask'), str):
        changes = dict(files=dict(mask=file.format(tmp_path=tmp_path)))
    text = rewrite(tmp_path, **changes)
    if changed:
        save(photos / 'a.png', box=(0, 0, 10, 10))
    with pytest.raises(ValueError, match='inside of the folder'):
        run(photos / 'a.png', report=True)
    assert victim.read_bytes() == b'secret'
    assert (tmp_path / 'out/predictions.jsonl').read_text() == text
    assert not (tmp_path / 'out/report.html').exists()


@pytest.mark.parametrize('key', ['name', 'files', 'path', 'sha256', 'mtime_ns', 'score'])
@pytest.mark.parametrize('value', ['missing', ['a list']])
def test_a_line_that_no_run_has_written_is_refused(photos, tmp_path, run, key, value):
    run(photos / 'a.png')
    path = tmp_path / 'out/predictions.jsonl'
    (line,) = lines(tmp_path / 'out')
    del line[key]
    path.write_text(json.dumps(line if value == 'missing' else {**line, key: value}) + '\n')
    with pytest.raises(ValueError, match=f"line 1: expected '{key}'"):
        run(photos / 'a.png')


@pytest.mark.parametrize(('key', 'value'), [
    ('views', ['ela']), ('views', [1]), ('views', [{'file': 'views/ela/a.jpg'}]),
    ('regions', [{'box': 3}]), ('warnings', [3]), ('picture', 3), ('output_bytes', []),
])  # fmt: skip
def test_what_pages_show_has_its_form(photos, tmp_path, run, key, value):
    run(photos / 'a.png')
    (line,) = lines(tmp_path / 'out')
    (tmp_path / 'out/predictions.jsonl').write_text(json.dumps({**line, key: value}) + '\n')
    with pytest.raises(ValueError, match=f"line 1: expected '{key}'"):
        run(photos / 'a.png', report=True)


def test_pages_show_large_views_as_small_as_large_photos(tmp_path, run, save, monkeypatch):
    monkeypatch.setattr('mmomni.reporting.pictures.VIEW_SIDE', 40)
    save(tmp_path / 'in/a.png', size=(64, 48))
    run(tmp_path / 'in', views=['ela'])
    sizes = [
        Image.open(tmp_path / 'out' / file).size
        for file in ('views/ela/a.jpg', 'report_files/ela/a.jpg', 'report_files/images/a.jpg')
    ]
    assert sizes == [(64, 48), (40, 30), (40, 30)]
    (line,) = lines(tmp_path / 'out')
    assert [*shown_files(line)][2:3] == ['report_files/ela/a.jpg']
    assert 'report_files/ela/a.jpg' in line['output_bytes']


@pytest.mark.parametrize('name', ['predictions.jsonl', 'failures.jsonl'])
def test_a_line_that_is_no_object_is_refused(photos, tmp_path, run, name):
    run(photos / 'a.png')
    (tmp_path / 'out' / name).write_text('[]\n')
    with pytest.raises(ValueError, match=f'{name}, line 1: expected'):
        run(photos / 'a.png')


def test_every_line_has_the_keys_that_are_asked_for(photos, tmp_path, run):
    run(photos)
    assert {frozenset(line) for line in lines(tmp_path / 'out')} == {
        frozenset(RECORD_KEYS | LATER_KEYS)
    }


def test_unfinished_as_a_link_is_refused_and_not_followed(photos, tmp_path, run):
    run(photos / 'a.png')
    (tmp_path / 'outside').mkdir()
    (tmp_path / 'out/.unfinished').symlink_to(tmp_path / 'outside')
    with pytest.raises(OSError, match='got a link'):
        run(photos)
    assert not any((tmp_path / 'outside').iterdir())
    (tmp_path / 'out/.unfinished').unlink()
    assert run(photos)[0] == (2, 1, {})


def test_an_unfinished_file_that_is_a_link_is_not_followed(photos, tmp_path, run):
    run(photos / 'a.png')
    (tmp_path / 'victim.txt').write_text('theirs')
    (tmp_path / 'out/.unfinished').mkdir()
    (tmp_path / 'out/.unfinished/file').symlink_to(tmp_path / 'victim.txt')
    run(photos)
    assert (tmp_path / 'victim.txt').read_text() == 'theirs'


def test_the_lock_ends_even_where_the_unfinished_cannot_be_removed(tmp_path):
    folder = PredictionFolder(tmp_path / 'out', {}, ())
    (tmp_path / 'out/.unfinished').rmdir()
    (tmp_path / 'out/.unfinished').symlink_to(tmp_path)
    with pytest.raises(OSError, match='got a link'), folder:
        pass
    (tmp_path / 'out/.unfinished').unlink()
    with PredictionFolder(tmp_path / 'out', {}, ()):
        pass


def test_hostile_names_end_inside_the_folder(photos, tmp_path, run, save):
    for name in ('.. .png', '<img src=x onerror=alert(1)>.png', 'new\nline.png', 'b.jpg'):
        save(photos / name)
    os.rename(photos / 'b.png', os.fsencode(photos) + b'/\xff.png')
    before = {path for path in tmp_path.rglob('*') if 'out' not in path.parts}
    # One that begins with a dot is looked at only if it is named.
    assert run(photos, photos / '.. .png')[0] == (7, 0, {})
    assert run(photos, photos / '.. .png')[0] == (0, 7, {})
    assert {p for p in tmp_path.rglob('*') if not p.is_relative_to(tmp_path / 'out')} == before


def test_a_torn_line_is_predicted_again(photos, tmp_path, run, predictor):
    run(photos)
    path = tmp_path / 'out/predictions.jsonl'
    path.write_bytes(path.read_bytes()[:-20])
    assert run(photos)[0] == (1, 2, {})
    assert len(lines(tmp_path / 'out')) == 3


KILLED = """
    import os, signal, sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from predicting import SETTINGS, Predictor
    from mmomni.reporting import PredictionFolder, survey_inputs, write_predictions

    calls, last = 0, int(sys.argv[4])
    replace = os.replace

    def counted(source, target):
        global calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)

    os.replace = counted
    files = survey_inputs([sys.argv[2]], Path(sys.argv[3])).files
    with PredictionFolder(Path(sys.argv[3]), SETTINGS, ('png', 'json')) as folder:
        write_predictions(folder, files, Predictor(), lambda *_: None)
"""


@pytest.mark.parametrize('last', [1, 5, 10, 16])
def test_a_killed_run_is_gone_on_with(photos, tmp_path, run, last):
    """Before the n-th file gets its name: settings, 2 lists, then 6 files an image."""
    script = tmp_path / 'killed.py'
    script.write_text(textwrap.dedent(KILLED))
    arguments = (Path(__file__).parent, photos, tmp_path / 'out', last)
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, check=False, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    whole = max(0, (last - 4) // 6)
    summary, _ = run(photos)
    assert summary == (3 - whole, whole, {})
    assert names(tmp_path / 'out') == ['a', 'b', 'sub/a']
    assert not list((tmp_path / 'out').rglob('.unfinished'))
    for path in (tmp_path / 'out').rglob('*.png'):
        Image.open(path).load()
