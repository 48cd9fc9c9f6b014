import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine import Config
from mmengine.registry import DefaultScope
from PIL import Image

from mmomni.apis import Predictor
from mmomni.checkpoints import publish
from mmomni.cli import main
from mmomni.cli.predict import VIEWS
from mmomni.jpeg.plugins import FORMAT_NAMES
from mmomni.registry import MODELS
from mmomni.utils.files import file_sha256
from mmomni.utils.text import counted

TOUCHED = (signal.SIGINT, signal.SIGTERM)
DEMO = Path(__file__).resolve().parents[2] / 'configs/demo/omni-iml_convnext-atto_demo.py'


@pytest.fixture(scope='module')
def raw(tmp_path_factory):
    """The demo's network with random weights, as mmengine saves it."""
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(DEMO).model)
    path = tmp_path_factory.mktemp('training') / 'iter_1.pth'
    meta = dict(cfg=Config.fromfile(DEMO).pretty_text)
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def calibration(path, checkpoint, fpr=0.05, threshold=0.0, **more):
    content = dict(
        threshold=threshold, pooling='max', fpr=fpr, expected_fpr=fpr, expected_fpr_std=0.01,
        num_images=99, unreadable={}, source='authentic', config=str(DEMO),
        checkpoint=str(checkpoint), checkpoint_sha256=file_sha256(checkpoint), **more,
    )  # fmt: skip
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope='module')
def published(raw):
    file = calibration(raw.with_name('calibration.json'), raw)
    return publish(raw, raw.with_name('tiny.pth'), calibrations=[file])


@pytest.fixture
def photos(tmp_path):
    rng = np.random.default_rng(0)
    folder = tmp_path / 'photos'
    folder.mkdir()
    for name in ('a.jpg', 'b.png'):
        pixels = rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


@pytest.fixture
def predict(tmp_path, photos, published):
    def predict(*options, checkpoint=published, out='out'):
        arguments = [photos, '--checkpoint', checkpoint, '--out', tmp_path / out, *options]
        return main(['predict', *map(str, arguments)])

    return predict


def lines(tmp_path):
    text = (tmp_path / 'out/predictions.jsonl').read_text()
    return {line['image']: line for line in map(json.loads, text.splitlines())}


def test_predict_writes_resumes_and_sums_up(predict, tmp_path, capsys):
    assert predict() == 0
    captured = capsys.readouterr()
    report = (tmp_path / 'out/report.html').resolve()
    account, summary = captured.out.splitlines()
    assert account == '2 files: 2 examined, 0 unreadable, 0 not images'
    assert summary == f'2 images predicted, 0 done before, 0 bad files; report: {report}'
    assert 'predict 2/2' in captured.err
    assert 'images/s' in captured.err
    found = lines(tmp_path)
    assert found.keys() == {'a.jpg', 'b.png'}
    assert [found[name]['dct_source'] for name in found] == ['file', 'transcoded']
    assert found['a.jpg']['verdict'] is None
    assert found['a.jpg']['pooling'] == 'top_k_mean'
    assert predict() == 0
    assert capsys.readouterr().out.startswith(f'{account}\n0 images predicted, 2 done before')


def test_changed_and_missing_files_are_told_by_the_next_run(predict, photos, capsys, caplog):
    assert predict('--fpr', '0.05') == 0
    changed = photos / 'a.jpg'
    Image.new('RGB', (64, 48)).save(changed)
    (photos / 'b.png').unlink()
    assert predict('--fpr', '0.05') == 0
    told = capsys.readouterr().out
    assert 'of 2 images in all, kept from before: 1 image, file gone or not given in' in told
    assert caplog.messages == [
        f'1 file has other bytes than when examined before; earlier results are replaced: {changed}'
    ]


def test_copies_are_told(predict, photos, capsys):
    """Of six contents five by name."""
    for name in 'cdefgh':
        Image.new('RGB', (32, 32), (ord(name), 0, 0)).save(photos / f'{name}.png')
        (photos / f'{name}{name}.png').write_bytes((photos / f'{name}.png').read_bytes())
    (photos / 'ccc.png').write_bytes((photos / 'c.png').read_bytes())
    assert predict() == 0
    (line,) = (x for x in capsys.readouterr().err.splitlines() if 'bytes of another' in x)
    assert line.startswith('7 files with the bytes of another: ')
    three = ' = '.join(str(photos / f'{name}.png') for name in ('c', 'cc', 'ccc'))
    assert three in line
    assert line.endswith('; 1 more')


@pytest.mark.parametrize(('options', 'windows'), [((), 1), (('--window', '64'), 2)])
def test_windows_are_of_the_size_asked_for(predict, photos, tmp_path, options, windows):
    Image.new('RGB', (96, 64)).save(photos / 'b.png')
    assert predict(*options) == 0
    assert {name: line['windows'] for name, line in lines(tmp_path).items()} == {
        'a.jpg': 1, 'b.png': windows
    }  # fmt: skip


def test_bad_files_are_listed_and_change_the_status(predict, photos, tmp_path, capsys):
    (photos / 'text.jpg').write_text('no image')
    (photos / 'new\nline.jpg').touch()
    for predicted, before in ((2, 0), (0, 2)):
        assert predict() == 3
        *listed, account, summary = capsys.readouterr().out.splitlines()
        assert listed[0] == '2 bad files:'
        assert listed[1].startswith(f'  {photos}/new\\nline.jpg: ')
        assert listed[2].startswith(f'  {photos}/text.jpg: ')
        assert listed[2].count('text.jpg') == 1
        assert account == '4 files: 2 examined, 2 unreadable (1 empty, 1 jpg), 0 not images'
        assert summary.startswith(f'{predicted} images predicted, {before} done before, 2 bad')
    assert lines(tmp_path).keys() == {'a.jpg', 'b.png'}


def test_the_checkpoints_own_calibration_gives_the_verdict(predict, tmp_path, capsys):
    assert predict('--fpr', '0.05') == 0
    found = lines(tmp_path)
    assert {line['verdict'] for line in found.values()} == {'tampered'}  # above 0
    assert {line['pooling'] for line in found.values()} == {'max'}
    assert predict('--fpr', '0.01', out='other') == 1
    assert 'it carries 0.05; make one (mmomni calibrate' in capsys.readouterr().err
    assert not (tmp_path / 'other').exists()


def test_a_calibration_file_gives_the_verdict(predict, published, tmp_path):
    file = calibration(tmp_path / 'c.json', published, fpr=0.02, threshold=0.75)
    assert predict('--calibration', file) == 0
    given = json.loads((tmp_path / 'out/settings.json').read_text())['image_threshold']
    assert given == dict(value=0.75, pooling='max', fpr=0.02)
    for line in lines(tmp_path).values():
        assert line['verdict'] == ('tampered' if line['score'] > 0.75 else 'authentic')


@pytest.mark.parametrize(
    ('option', 'values'),
    [('--fpr', ['0.05', '0.01']), ('--domain', ['a', 'b']), ('--calibration', ['a', 'b'])],
)
def test_a_threshold_is_chosen_once(option, values, predict, capsys):
    with pytest.raises(SystemExit):
        predict(*(word for value in values for word in (option, value)))
    assert f'expected {option} once, got it again' in capsys.readouterr().err


def test_a_kind_of_images_chooses_a_calibration(predict, published, tmp_path, capsys):
    file = calibration(tmp_path / 'c.json', published, fpr=0.02, threshold=0.75, domain='face')
    assert predict('--calibration', file, '--domain', 'face') == 0
    given = json.loads((tmp_path / 'out/settings.json').read_text())['image_threshold']
    assert given == dict(value=0.75, pooling='max', fpr=0.02, domain='face')
    for options, words in (
        (['--domain', 'face'], 'give --fpr or --calibration with it'),
        (['--fpr', '0.05', '--domain', 'face'], 'it carries 0.05; make one'),
    ):
        assert predict(*options, out='other') == 1
        assert words in capsys.readouterr().err


def test_another_rate_of_false_alarms_is_told_in_words(predict, published, tmp_path, capsys):
    assert predict('--fpr', '0.05') == 0
    file = calibration(tmp_path / 'c.json', published, fpr=0.02, threshold=0.75)
    assert predict('--calibration', file) == 1
    assert (
        "holds results with image_threshold (value 0.0, pooling 'max', fpr 0.05), got (value 0.75, "
        "pooling 'max', fpr 0.02); give the same options (--fpr, --domain, --calibration)"
    ) in capsys.readouterr().err


def test_pixel_threshold_and_formats(predict, tmp_path):
    assert predict('--threshold', '0', '--format', 'npz') == 0
    line = lines(tmp_path)['a.jpg']
    assert line['tampered_share'] == 1.0
    assert list(line['files']) == ['probability']


@pytest.mark.parametrize(
    ('asked', 'drawn'),
    [(['noise'], ['noise']), (['noise', 'ela'], ['ela', 'noise']), (['all'], VIEWS)],
)
def test_views(predict, tmp_path, asked, drawn):
    assert predict('--views', *asked) == 0
    for line in lines(tmp_path).values():
        assert [view['name'] for view in line['views']] == list(drawn)
        assert all((tmp_path / 'out' / view['file']).is_file() for view in line['views'])


def test_no_view_is_none_that_is_asked_for(predict, capsys):
    with pytest.raises(SystemExit):
        predict('--views', 'none')
    assert 'leave --views out for no view' in capsys.readouterr().err


def test_other_views_are_no_silent_reuse(predict, capsys):
    assert predict() == 0
    assert predict('--views', 'noise') == 1
    told = capsys.readouterr().err
    assert "holds results with views [], got ['noise']; give the same options (--views), or" in told


@pytest.mark.parametrize('wrong', ['lea', 'photos/', 'ela,noise'])
def test_a_view_that_nobody_knows_is_named(predict, capsys, wrong):
    with pytest.raises(SystemExit) as error:
        predict('--views', 'ela', wrong)
    assert error.value.code == 2
    assert f"got '{wrong}'; inputs stand before --views" in capsys.readouterr().err


def test_another_threshold_is_no_silent_reuse(predict, capsys):
    assert predict() == 0
    assert predict('--threshold', '0.4') == 1
    assert 'holds results with threshold 0.5, got 0.4' in capsys.readouterr().err
    assert predict('--config', DEMO) == 1
    assert 'config_sha256' in capsys.readouterr().err


def test_a_raw_checkpoint_must_be_trusted(predict, raw, tmp_path, capsys):
    assert predict(checkpoint=raw) == 1
    assert '--trust-checkpoint' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()
    assert predict('--trust-checkpoint', '--batch-size', 2, checkpoint=raw) == 0


@pytest.mark.parametrize(
    ('option', 'value'),
    [('--device', 'nonsense'), ('--device', 'cuda:99'), ('--config', 'missing.py')],
)
def test_a_device_or_config_that_is_not_there_is_an_error(predict, tmp_path, capsys, option, value):
    assert predict(option, value) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('mmomni predict: expected a ')
    assert option in line
    assert value in line
    assert not (tmp_path / 'out').exists()


def test_files_read_by_other_processes_give_the_same_results(predict, tmp_path, monkeypatch):
    assert predict() == 0
    alone = lines(tmp_path)
    (tmp_path / 'out').rename(tmp_path / 'alone')
    asked, stream = [], Predictor.stream

    def noted(self, inputs, batch_size, workers, **options):
        asked.append(workers)
        return stream(self, inputs, batch_size, workers, **options)

    monkeypatch.setattr(Predictor, 'stream', noted)
    assert predict('--workers', 2) == 0
    assert asked == [2]
    assert {name: line['score'] for name, line in lines(tmp_path).items()} == {
        name: line['score'] for name, line in alone.items()
    }


def test_every_file_is_accounted_for(predict, photos, tmp_path, capsys):
    (photos / 'a.jpg').rename(photos / 'photo')
    (photos / 'a.pdf').write_bytes(b'%PDF-1.7')
    (photos / '.DS_Store').touch()
    assert predict() == 0
    text = '4 files: 2 examined, 0 unreadable, 2 not images (1 hidden, 1 pdf)'
    assert capsys.readouterr().out.splitlines()[0] == text
    assert text in (tmp_path / 'out/report.html').read_text()
    assert json.loads((tmp_path / 'out/account.json').read_text())['files'] == 4
    (photos / 'iphone.heic').write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0mif1heic')
    assert predict() == 3
    text = '5 files: 2 examined, 1 unreadable (1 heic), 2 not images (1 hidden, 1 pdf)'
    assert capsys.readouterr().out.splitlines()[-2] == text


def test_nothing_to_predict_is_an_error(predict, photos, capsys):
    for photo in photos.iterdir():
        photo.unlink()
    (photos / 'a.pdf').write_bytes(b'%PDF-1.7')
    assert predict() == 1
    assert 'expected images in this folder, got 1 pdf' in capsys.readouterr().err
    (photos / 'a.pdf').unlink()
    photos.rmdir()
    assert predict() == 1
    assert 'photos: does not exist' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--format', 'png,gif'], 'png,npz,json'),
        (['--threshold', '1.5'], 'from 0 to below 1'),
        (['--fpr', '5'], 'a rate above 0 and below 1, got 5'),
        (['--fpr', '500%'], 'a rate above 0 and below 1, got 500%'),
        (['--fpr', 'x%'], "invalid rate value: 'x%'"),
        (['--window', '250'], 'a multiple of 32 from 64 on, got 250'),
        (['--batch-size', '0'], '1 or more'),
        (['--workers', '-1'], '0 or more'),
        (['--backend', 'tensorrt'], 'invalid choice'),
    ],
)
def test_wrong_options(predict, options, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        predict(*options)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_formats_pooling_and_window_are_those_of_the_library():
    from mmomni.apis.tiling import WINDOW
    from mmomni.cli import model
    from mmomni.cli.predict import FORMATS as LISTED
    from mmomni.evaluation.functional import IMAGE_POOLINGS
    from mmomni.reporting import FORMATS

    assert LISTED == FORMATS
    assert model.DEFAULT_POOLING in IMAGE_POOLINGS
    assert model.WINDOW == WINDOW


def test_the_package_is_a_program():
    command = [sys.executable, '-m', 'mmomni.cli', 'predict', '--help']
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert '--checkpoint FILE' in done.stdout


@pytest.mark.parametrize('after', [0, 1])
def test_ctrl_c_leaves_report_and_account_and_the_same_command_goes_on(
    predict, photos, tmp_path, capsys, monkeypatch, after
):
    (photos / '0.jpg').write_text('no image')
    stream = Predictor.stream

    def stopped(self, *args, **options):
        results = stream(self, *args, **options)
        for _ in range(1 + after):
            yield next(results)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, 'stream', stopped)
        assert predict() == 130
    *_, account, summary, last = capsys.readouterr().out.splitlines()
    assert account == (
        f'3 files: {after} examined, 1 unreadable (1 jpg), 0 not images, {2 - after} not reached'
    )
    assert summary.startswith(f'{counted(after, "image")} predicted, 0 done before, 1 bad file')
    assert last == (
        f'stopped: {after} of 3 images done, in {tmp_path}/out; run the same command again to go on'
    )
    page = (tmp_path / 'out/report.html').read_text()
    assert account in page
    numbers = json.loads((tmp_path / 'out/account.json').read_text())
    assert (numbers['files'], numbers['examined'], numbers['pending']) == (3, after, 2 - after)
    assert len(lines(tmp_path)) == after
    assert predict() == 3
    assert f'{2 - after} image' in capsys.readouterr().out.splitlines()[-1]
    assert 'pending' not in json.loads((tmp_path / 'out/account.json').read_text())


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('how', ['raised', 'swallowed', 'another error'])
def test_a_signal_in_the_middle_of_an_image_leaves_all_whole(
    predict, tmp_path, capsys, monkeypatch, number, how
):
    before = {each: signal.getsignal(each) for each in TOUCHED}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also in the background of a shell
    stream = Predictor.stream

    def signalled(self, *args, **options):
        results = stream(self, *args, **options)
        yield next(results)
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            if how == 'raised':
                raise
            if how == 'another error':
                raise RuntimeError('a worker is killed') from None
        yield from results

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Predictor, 'stream', signalled)
            assert predict() == 128 + number
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
    captured = capsys.readouterr()
    done = 2 if how == 'swallowed' else 1
    assert captured.out.splitlines()[-1].startswith(f'stopped: {done} of 2 images done')
    assert 'Traceback' not in captured.err
    assert len(lines(tmp_path)) == done
    assert not (tmp_path / 'out/.unfinished').exists()
    assert predict() == 0
    assert f'{2 - done} image' in capsys.readouterr().out.splitlines()[-1]


def test_ctrl_c_while_the_model_is_opened_is_no_traceback(predict, monkeypatch, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr('mmomni.cli.predict.open_model', interrupted)
    assert predict() == 130
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith('mmomni predict: stopped; ')


def test_a_reason_names_what_it_is_and_not_the_path_once_more(predict, photos, tmp_path):
    os.mkfifo(photos / 'pipe.jpg')
    (photos / 'gone.jpg').symlink_to(photos / 'nowhere')
    (photos / 'empty.jpg').touch()
    assert predict() == 3
    found = map(json.loads, (tmp_path / 'out/failures.jsonl').read_text().splitlines())
    assert {Path(line['path']).name: line['reason'] for line in found} == {
        'empty.jpg': f'expected a whole image file ({FORMAT_NAMES}), got 0 bytes (empty); replace '
        'or remove the file',
        'gone.jpg': f'a link to {photos}/nowhere, which does not exist',
        'pipe.jpg': 'expected an image file, got a pipe',
    }


def test_what_to_know_of_verdicts_is_told(predict, capsys):
    assert predict() == 0
    told = capsys.readouterr()
    assert 'flagged at' not in told.out
    assert 'No image is flagged: no rate of false alarms was asked for.' in told.err
    assert predict('--fpr', '0.05', out='flagged') == 0
    told = capsys.readouterr()
    assert '2 of 2 images flagged at 5 % false alarms; not flagged proves nothing' in told.out
    assert 'rests on 99 images only, too few for 5 %' in told.err
