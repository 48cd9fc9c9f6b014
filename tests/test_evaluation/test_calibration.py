import hashlib
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_files import make_hostile
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from odd_folders import NOT_IMAGES, close_folders, make_odd_folder
from PIL import Image

from mmomni.apis import calibration
from mmomni.apis.calibration import (
    authentic_images,
    calibrate,
    conformal_threshold,
    file_sha256,
)
from mmomni.cli import main

DEMO = (
    Path(__file__).resolve().parents[2] / 'configs' / 'demo' / 'omni-iml_convnext-atto_demo.py'
)

# ---- the quantile ----------------------------------------------------------------------------


def test_threshold_by_hand():
    """Nine images, a third: m = floor(10 / 3) = 3, so the third largest."""
    found = conformal_threshold([0.1, 0.9, 0.3, 0.8, 0.2, 0.7, 0.4, 0.6, 0.5], 1 / 3)
    assert found.value == 0.7
    assert found.rate == pytest.approx(0.3)
    assert found.num_images == 9


@pytest.mark.parametrize('n', [19, 20, 99, 100, 357])
@pytest.mark.parametrize('fpr', [0.05, 0.1, 0.29, 0.5])
def test_threshold_is_the_conformal_quantile_of_numpy(n, fpr):
    scores = np.random.default_rng(n).random(n)
    level = math.ceil(round((n + 1) * (1 - fpr), 6)) / n
    expected = np.quantile(scores, level, method='inverted_cdf')
    assert conformal_threshold(scores.tolist(), fpr).value == expected


def test_smallest_rate_is_the_largest_score():
    scores = np.random.default_rng(0).permutation(np.arange(99) / 100)
    assert conformal_threshold(scores.tolist(), 0.01).value == 0.98


def test_a_rate_that_floats_cannot_hold_is_exact():
    """0.29 * 100 is 28.999999999999996."""
    scores = list(range(99))
    assert conformal_threshold(scores, 0.29).value == scores[99 - 29]


@pytest.mark.parametrize(('n', 'fpr', 'needed'), [(98, 0.01, 99), (0, 0.5, 1), (2, 0.3, 3)])
def test_too_few_images_are_refused(n, fpr, needed):
    with pytest.raises(ValueError, match=rf'^{n} authentic .*1/{n + 1} .* {needed} images'):
        conformal_threshold([0.5] * n, fpr)
    assert conformal_threshold([0.5] * needed, fpr).num_images == needed


@pytest.mark.parametrize('fpr', [0, 1, -0.1, 1.5])
def test_senseless_rates_are_refused(fpr):
    with pytest.raises(ValueError, match=f'got {fpr}'):
        conformal_threshold([0.5] * 1000, fpr)


def test_ties_stay_below():
    """All alike: nothing is above, however high the rate."""
    assert conformal_threshold([0.5] * 10, 0.9).value == 0.5


# ---- what it promises ------------------------------------------------------------------------


@pytest.mark.parametrize(('n', 'fpr', 'rate'), [(39, 0.05, 2 / 40), (30, 0.1, 3 / 31)])
def test_new_images_exceed_it_as_often_as_promised(n, fpr, rate):
    """Of uniform scores, the share above a threshold t is 1 - t."""
    rng = np.random.default_rng(0)
    found = [conformal_threshold(rng.random(n).tolist(), fpr) for _ in range(20_000)]
    above = np.array([1 - each.value for each in found])
    assert found[0].rate == pytest.approx(rate)
    assert found[0].rate <= fpr
    assert above.mean() == pytest.approx(rate, abs=4 * above.std() / len(above) ** 0.5)
    assert above.std() == pytest.approx(found[0].rate_std, rel=0.02)


def test_promise_holds_for_any_distribution_and_ties():
    """Coarse, skewed scores: the last of n + 1 exchangeable images is above in at most m/(n+1)."""
    rng = np.random.default_rng(1)
    scores = np.round(rng.beta(0.3, 4, (20_000, 20)), 1)
    above = [row[-1] > conformal_threshold(row[:-1].tolist(), 0.1).value for row in scores]
    assert 0.005 < np.mean(above) <= 0.1


# ---- which images ----------------------------------------------------------------------------


def save_photo(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_images_of_a_folder(tmp_path):
    paths = [save_photo(tmp_path / name) for name in ('a.jpg', 'b/a.png', 'a.png')]
    (tmp_path / 'notes.txt').write_text('no image')
    assert authentic_images(tmp_path) == sorted(map(str, paths))


def test_content_decides_which_files_of_a_folder_are_images(tmp_path):
    images = make_odd_folder(tmp_path, np.zeros((32, 32, 3), np.uint8))
    assert authentic_images(tmp_path) == sorted(map(str, images))


def test_a_folder_without_images_says_what_it_holds_instead(tmp_path, monkeypatch):
    (tmp_path / 'paper.pdf').write_bytes(b'%PDF-1.7')
    (tmp_path / '._a.jpg').write_bytes(b'')
    (tmp_path / 'closed').mkdir()
    close_folders(monkeypatch, 'closed')
    with pytest.raises(ValueError, match='found none in it') as caught:
        authentic_images(tmp_path)
    assert 'closed: a folder that cannot be entered (Permission denied)' in str(caught.value)
    assert str(caught.value).endswith('; not images: 1 hidden, 1 pdf)')


def test_images_of_a_list(tmp_path):
    paths = [save_photo(tmp_path / name) for name in ('a.jpg', 'b/a.png')]
    (tmp_path / 'list.txt').write_text('# authentic\na.jpg -\nb/a.png\t-\n')
    assert authentic_images(tmp_path / 'list.txt') == [str(path) for path in paths]


def test_list_with_masks_is_refused(tmp_path):
    for name in ('a.jpg', 'b.jpg', 'b.png'):
        save_photo(tmp_path / name)
    (tmp_path / 'list.txt').write_text('a.jpg -\nb.jpg b.png\n')
    with pytest.raises(ValueError, match=r'1 have masks, the first is .*b\.jpg'):
        authentic_images(tmp_path / 'list.txt')


def test_folder_of_a_tampered_set_is_refused(tmp_path):
    save_photo(tmp_path / 'images/a.jpg')
    save_photo(tmp_path / 'masks/a.png')
    with pytest.raises(ValueError, match='masks/'):
        authentic_images(tmp_path)


def test_empty_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match='found none'):
        authentic_images(tmp_path)


def test_missing_source_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'nowhere\.txt'):
        authentic_images(tmp_path / 'nowhere.txt')


def test_checksum_of_a_file(tmp_path):
    data = bytes(range(256)) * 5000
    (tmp_path / 'file').write_bytes(data)
    assert file_sha256(tmp_path / 'file') == hashlib.sha256(data).hexdigest()


# ---- a checkpoint ----------------------------------------------------------------------------


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """The demo's network with random weights."""
    path = tmp_path_factory.mktemp('checkpoint') / 'random.pth'
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(DEMO).model)
    with torch.no_grad():
        model.decode_head.conv_seg.weight *= 1e-3  # else random weights are sure of everything
    meta = dict(dataset_meta=dict(classes=('authentic', 'tampered'), palette=None))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / 'photos'
    for number in range(5):
        save_photo(folder / f'{number}.{"jpg" if number % 2 else "png"}', number)
    return folder


def command(checkpoint, photos, *options):
    arguments = [str(DEMO), str(checkpoint), str(photos), '--trust-checkpoint']
    return main(['calibrate', *arguments, *map(str, options)])


def test_calibration_file_and_what_is_printed(checkpoint, photos, tmp_path, capsys):
    (photos / 'broken.jpg').write_bytes((photos / '1.jpg').read_bytes()[:300])
    out = tmp_path / 'new' / 'calibration.json'
    assert command(checkpoint, photos, '--fpr', 0.4, '--pooling', 'max', '--out', out) == 0
    found = json.loads(out.read_text())
    scores = reference_scores(checkpoint, photos)
    assert found.pop('threshold') == pytest.approx(sorted(scores)[5 - 2], rel=1e-6)
    assert found.pop('expected_fpr') == pytest.approx(2 / 6)
    assert found.pop('expected_fpr_std') == pytest.approx((2 / 6 * 4 / 6 / 7) ** 0.5)
    (reason,) = found.pop('unreadable').items()
    assert reason[0] == str(photos / 'broken.jpg')
    assert found == dict(
        pooling='max',
        fpr=0.4,
        num_images=5,
        source=str(photos),
        config=str(DEMO),
        checkpoint=str(checkpoint),
        checkpoint_sha256=hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
    )
    printed = capsys.readouterr()
    assert 'rests on 5 authentic images' in printed.out
    assert '33.33% +- 17.82%' in printed.out
    assert 'rests on 5 images only, too few for 40 %' in printed.out
    assert '1 unreadable or damaged image, not used:' in printed.out
    assert 'broken.jpg' in printed.out
    assert 'calibrate 6/6' in printed.err


def test_copies_count_once_and_damaged_images_not_at_all(checkpoint, photos, tmp_path, capsys):
    """The threshold is that of the images without them."""
    assert command(checkpoint, photos, '--fpr', 0.4, '--out', tmp_path / 'before.json') == 0
    for number, name in enumerate(('copy.jpg', 'sub/again.png', 'a link.jpg')):
        (photos / name).parent.mkdir(exist_ok=True)
        if number == 2:
            (photos / name).symlink_to(photos / '3.jpg')
        else:
            shutil.copy(photos / '1.jpg', photos / name)
    data = (photos / '3.jpg').read_bytes()
    for name in ('cut.jpg', 'cut twice.jpg'):
        (photos / name).write_bytes(data[: len(data) * 2 // 3])
    (photos / 'same size.jpg').write_bytes(bytes(len(data)))
    (photos / 'closed.jpg').write_bytes(data[:-40] + b'\xff\xd9')
    capsys.readouterr()
    assert command(checkpoint, photos, '--fpr', 0.4, '--out', tmp_path / 'after.json') == 0
    before, after = (json.loads((tmp_path / f'{n}.json').read_text()) for n in ('before', 'after'))
    copies = {'copy.jpg': '1.jpg', 'sub/again.png': '1.jpg', 'a link.jpg': '3.jpg'}
    bad = after.pop('unreadable')
    assert after.pop('copies') == {str(photos / a): str(photos / b) for a, b in copies.items()}
    assert after == {key: value for key, value in before.items() if key != 'unreadable'}
    names = {'cut.jpg', 'cut twice.jpg', 'same size.jpg', 'closed.jpg'}
    assert {Path(path).name for path in bad} == names
    start = 'expected a whole image, got a damaged one: its data end before its picture does: about'
    for name in names - {'same size.jpg'}:
        assert bad[str(photos / name)].startswith(f'{photos / name}: {start}')
    printed = capsys.readouterr().out
    assert 'rests on 5 authentic images' in printed
    assert '4 unreadable or damaged images, not used:\n' in printed
    assert '3 files with the bytes of another, not counted:\n' in printed
    assert f'\n  {photos}/copy.jpg = {photos}/1.jpg\n' in printed


def test_copies_do_not_vouch_for_a_rate(checkpoint, photos, tmp_path, capsys):
    for number in range(9):
        shutil.copy(photos / '1.jpg', photos / f'copy{number}.jpg')
    assert command(checkpoint, photos, '--fpr', 0.1, '--out', tmp_path / 'c.json') == 1
    error = capsys.readouterr().err
    assert 'mmomni calibrate: 5 files can vouch' in error
    assert f'{photos}/copy8.jpg: the bytes of {photos}/1.jpg, which count once' in error
    for number in range(9, 1009):
        os.link(photos / 'copy1.jpg', photos / f'copy{number}.jpg')
    assert command(checkpoint, photos, '--fpr', 0.1, '--out', tmp_path / 'c.json') == 1
    error = capsys.readouterr().err
    assert error.endswith('\n  999 more copies of others\n')
    assert error.count('which count once') == 10
    assert command(checkpoint, photos, '--fpr', 0.4, '--out', tmp_path / 'c.json') == 0
    *_, more = (out := capsys.readouterr().out).split('\nflagged if')[0].splitlines()
    assert out.count(f' = {photos}/1.jpg\n') == 10
    assert more == '  999 more: `copies` in the calibration file'
    assert len(json.loads((tmp_path / 'c.json').read_text())['copies']) == 1009


def test_all_else_in_the_folder_is_accounted_for(checkpoint, tmp_path, capsys, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    make_odd_folder(tmp_path / 'photos', pixels)
    make_hostile(tmp_path / 'photos', 'pipe', '.png')
    (tmp_path / 'photos/closed').mkdir()
    close_folders(monkeypatch, 'closed')
    out = tmp_path / 'calibration.json'
    assert command(checkpoint, tmp_path / 'photos', '--fpr', 0.5, '--out', out) == 0
    found = json.loads(out.read_text())
    assert found['num_images'] + len(found['copies']) == 3
    assert {Path(path).name for path in found['copies']} == {'b.txt'}  # of a.jpg
    assert {Path(path).name for path in found['unreadable']} == {'d.jpg', 'pipe.png', 'closed'}
    assert found['not_images'] == NOT_IMAGES
    printed = capsys.readouterr().out
    assert '3 unreadable or damaged images, not used:' in printed
    assert 'closed: a folder that cannot be entered (Permission denied)' in printed
    assert 'pipe.png: expected an image file, got a pipe' in printed
    assert '\nnot images: 2 hidden, 1 pdf, 1 pipe, 1 txt\n' in printed


def test_a_list_is_read_as_it_is(checkpoint, photos, capsys):
    """What looks like a pattern is a name, and a folder is not opened up."""
    make_odd_folder(photos / 'folder.jpg', np.zeros((32, 32, 3), np.uint8))
    names = ['0.png', '1.jpg', '2.png', '[34].jpg', 'folder.jpg']
    (photos / 'list.txt').write_text(''.join(f'{name} -\n' for name in names))
    assert command(checkpoint, photos / 'list.txt', '--fpr', 0.5) == 0
    printed = capsys.readouterr().out
    assert 'rests on 3 authentic images' in printed
    assert '[34].jpg: expected an image file, there is none' in printed
    assert 'folder.jpg: expected an image file, got a folder' in printed


def test_all_missing_files_are_named_at_once(tmp_path, capsys):
    names = [str(tmp_path / name) for name in ('config.py', 'weights.pth', 'photos')]
    assert main(['calibrate', *names]) == 1
    printed = capsys.readouterr().err
    assert 'expected a config, a file or one of the package' in printed
    assert all(name in printed for name in names)
    assert printed.count('does not exist') == 2
    assert main(['calibrate', str(DEMO), *names[1:]]) == 1
    printed = capsys.readouterr().err
    assert [name in printed for name in (str(DEMO), *names[1:])] == [False, True, True]


def reference_scores(checkpoint, photos):
    """The highest probability of each image, straight from the network."""
    from mmseg.apis import inference_model, init_model

    model = init_model(str(DEMO), str(checkpoint), device='cpu')
    for path in sorted(photos.glob('[0-9].*')):
        authentic, tampered = inference_model(model, str(path)).seg_logits.data.double()
        yield float((1 / (1 + torch.exp(authentic - tampered))).max())


def test_default_file_is_beside_the_checkpoint(checkpoint, photos):
    assert command(checkpoint, photos, '--fpr', 0.5) == 0
    path = checkpoint.with_name('random.pth.calibration.json')
    assert json.loads(path.read_text())['pooling'] == 'top_k_mean'


def test_several_rates_and_the_kind_of_images(
    checkpoint, photos, tmp_path, capsys, monkeypatch
):
    """By one pass over the images; each rate has the threshold that it has alone."""
    passes, score = [], calibration.score_images
    monkeypatch.setattr(
        calibration, 'score_images', lambda *given: passes.append(1) or score(*given)
    )
    options = ('--fpr', 0.2, '--fpr', 0.5, '--domain', 'document', '--out', tmp_path / 'c.json')
    assert command(checkpoint, photos, *options) == 0
    files = [tmp_path / f'c.{rate}.json' for rate in ('0.2', '0.5')]
    several = [json.loads(path.read_text()) for path in files]
    assert passes == [1]
    printed = capsys.readouterr().out.splitlines()
    told = [line for line in printed if line.startswith('calibration for ')]
    assert told == [f'calibration for 0.2: {files[0]}', f'calibration for 0.5: {files[1]}']
    for found, rate in zip(several, (0.2, 0.5), strict=True):
        file = tmp_path / f'alone_{rate}.json'
        assert command(checkpoint, photos, '--fpr', rate, '--out', file) == 0
        alone = json.loads(file.read_text())
        assert found == alone | dict(domain='document')


@pytest.mark.parametrize(('content', 'got'), [
    ('photo', 'no calibration'), (None, 'no calibration'),
    (dict(fpr=0.25), 'one for --fpr 0.25'),
    (dict(domain='face'), 'one for --fpr 0.5 --domain face'),
])  # fmt: skip
def test_nothing_else_is_overwritten(content, got, checkpoint, photos, tmp_path, capsys):
    """A photo, a folder, a calibration for another rate or kind of images."""
    out = tmp_path / 'c.json'
    if content is None:
        out.mkdir()
    elif content == 'photo':
        shutil.copy(photos / '1.jpg', out)
    else:
        assert command(checkpoint, photos, '--fpr', 0.5, '--out', out) == 0
        out.write_text(json.dumps(json.loads(out.read_text()) | content))
    before = out.is_file() and out.read_bytes()
    assert command(checkpoint, photos, '--fpr', 0.5, '--out', out) == 1
    told = capsys.readouterr().err
    assert f'or an earlier calibration for --fpr 0.5, got {got}; choose another with --out' in told
    assert (out.is_file() and out.read_bytes()) == before


def test_kinds_of_images_have_files_of_their_own(checkpoint, photos):
    for options in ((), ('--domain', 'face')):
        assert command(checkpoint, photos, '--fpr', 0.5, *options) == 0
    found = {path.name for path in checkpoint.parent.glob('random.pth.*')}
    assert {'random.pth.calibration.json', 'random.pth.calibration.face.json'} <= found


@pytest.mark.parametrize('rate', [0.2, 0.01])
def test_a_rate_that_cannot_be_met_costs_the_others_nothing(
    rate, checkpoint, photos, tmp_path, capsys
):
    for path in list(photos.iterdir())[:2]:
        path.write_bytes(b'no image')
    options = ('--fpr', rate, '--fpr', 0.5, '--out', tmp_path / 'c.json')
    assert command(checkpoint, photos, *options) == 1
    assert [path.name for path in tmp_path.glob('c.*')] == ['c.0.5.json']
    assert '3 authentic images can vouch' in capsys.readouterr().err


def test_a_rate_is_asked_for_once(checkpoint, photos, capsys):
    with pytest.raises(SystemExit):
        command(checkpoint, photos, '--fpr', '0.2', '--fpr', '20%')
    assert 'expected each rate once, got 0.2, 0.2' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['', ' ', 'a b', 'a' * 41])
def test_a_kind_of_images_is_a_word(name, checkpoint, photos, capsys):
    with pytest.raises(SystemExit):
        command(checkpoint, photos, '--domain', name)
    assert 'expected a word of up to 40 letters' in capsys.readouterr().err


def test_too_few_images_end_before_the_network_is_built(
    checkpoint, photos, tmp_path, capsys, monkeypatch
):
    built = 'mmomni.apis.calibration.open_predictor'
    monkeypatch.setattr(built, lambda *_, **__: pytest.fail('was built'))
    assert command(checkpoint, photos, '--fpr', 0.01, '--out', tmp_path / 'c.json') == 1
    assert 'mmomni calibrate: 5 files can vouch' in capsys.readouterr().err


def test_too_few_readable_images_are_named(checkpoint, photos, tmp_path, capsys):
    for number, path in enumerate(list(photos.iterdir())[:3]):
        path.write_bytes(b'no image' + bytes(number))
    assert command(checkpoint, photos, '--fpr', 0.2, '--out', tmp_path / 'c.json') == 1
    error = capsys.readouterr().err
    assert '2 authentic images can vouch' in error
    assert error.count('(no known format)') == 3


def test_a_threshold_that_nothing_exceeds_is_refused(checkpoint, photos, monkeypatch):
    monkeypatch.setattr(
        calibration, 'score_images', lambda inferencer, paths, *_: (dict.fromkeys(paths, 1.0), {})
    )
    with pytest.raises(ValueError, match='no image could be called tampered'):
        calibrate(str(DEMO), str(checkpoint), photos, [0.5], 'max', print, trust_checkpoint=True)


def test_missing_checkpoint_is_named(photos, tmp_path, capsys):
    assert command(tmp_path / 'none.pth', photos, '--fpr', 0.5) == 1
    assert 'none.pth' in capsys.readouterr().err


def test_unpublished_checkpoint_must_be_trusted(checkpoint, photos, tmp_path, capsys):
    out = tmp_path / 'calibration.json'
    arguments = [str(DEMO), str(checkpoint), str(photos), '--fpr', '0.5', '--out', str(out)]
    assert main(['calibrate', *arguments]) == 1
    assert 'was not published' in capsys.readouterr().err
    assert not out.exists()
