"""The arguments and tools that users of mmseg know, as a person runs them on a tiny set."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from image_bytes import turned
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image
from test_tools import ROOT, forge, make_data, make_doctamper

DEMO = ROOT / 'configs/demo/omni-iml_convnext-atto_demo.py'
CONFIG = """
_base_ = [{base!r}]
test_dataloader = _base_.test_dataloader
test_dataloader.update(num_workers=0, persistent_workers=False)
test_dataloader['dataset']['datasets'].append(
    dict(
        type='mmomni.DocTamperDataset', name='pages', data_root='DocTamper/DocTamperV1-FCD',
        pipeline=[
            dict(type='mmomni.LoadOriginalImage'),
            dict(type='mmomni.LoadManipulationMask'),
            dict(type='mmomni.RandomJPEGCompress', quality=(80, 80), times=(1, 1)),
            dict(type='mmomni.ExtractDCT'),
            dict(type='mmomni.PackManipulationInputs'),
        ],
        test_mode=True,
    )
)
test_evaluator = [dict(type='mmomni.SelectionMetric')]
"""


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """A working directory with data, also in an LMDB and turned by EXIF, config and checkpoint."""
    folder = tmp_path_factory.mktemp('host')
    data = folder / 'work_dirs/demo/data'
    make_data(data)
    turned_photo = data / 'test/natural/images/0.jpg'
    with Image.open(turned_photo) as image:
        image.save(turned_photo, quality=90, exif=turned(6))
    for number in range(2):
        forge(folder / 'SACP', number, np.random.default_rng(3))
    make_doctamper(folder / 'DocTamper')
    (folder / 'tiny.py').write_text(CONFIG.format(base=str(DEMO)))
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(Config.fromfile(DEMO).model)
    torch.save(dict(state_dict=model.state_dict()), folder / 'tiny.pth')
    return folder


def run(place, *command):
    env = {**os.environ, 'PYTHONPATH': str(ROOT)}
    result = subprocess.run(
        [sys.executable, '-W', 'ignore', *map(str, command)],
        cwd=place, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope='module')
def tested(place):
    return run(
        place, ROOT / 'tools/test.py', 'tiny.py', 'tiny.pth', '--tta', '--out', 'out',
        '--show-dir', 'shown', '--work-dir', 'work',
    )  # fmt: skip


def pixels(path):
    """As stored."""
    with Image.open(path) as image:
        return np.asarray(image)


NAMES = {
    'natural/natural/0', 'natural/natural/1', 'natural/natural/2',
    'document/document/0', 'document/document/1', 'document/document/2',
    'face/face/0', 'face/face/2',  # 1 cannot be read
    'document/pages/image-000000000', 'document/pages/image-000000001',
}  # fmt: skip


@pytest.mark.parametrize('folder', ['out/masks', 'out/probabilities', 'shown'])
def test_every_readable_image_is_written_under_its_name(folder, tested, place):
    found = {path.relative_to(place / folder) for path in (place / folder).rglob('*.*')}
    assert {path.with_suffix('').as_posix() for path in found} == NAMES
    assert {path.suffix for path in found} == {'.png'}


def test_masks_are_the_decision_of_the_probabilities(tested, place):
    for name in NAMES:
        with Image.open(place / f'out/masks/{name}.png') as image:
            mask, seen = np.asarray(image), np.asarray(image.convert('L'))
        with Image.open(place / f'out/probabilities/{name}.png') as image:
            assert image.mode == 'L'
            levels = np.asarray(image)
        assert mask.shape == levels.shape == (72, 80), 'as stored'
        assert set(np.unique(mask)) <= {0, 1}
        np.testing.assert_array_equal(seen, 255 * mask)
        np.testing.assert_array_equal(mask[levels != 128] == 1, levels[levels != 128] > 127)


def test_views_are_averaged(tested, place):
    """Of a picture and its mirror image: what is written is the mean of two predictions."""
    content = json.loads((place / 'work/results.json').read_text())
    assert content['test_input'] == 'native, mean of several views'
    assert content['selection']['average']['tampered'] > 0
    cfg = Config.fromfile(place / 'tiny.py')
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(cfg.model).eval()
    model.load_state_dict(torch.load(place / 'tiny.pth')['state_dict'])
    with DefaultScope.overwrite_default_scope('mmseg'):
        views = Compose(cfg.tta_pipeline)(
            dict(img_path=str(place / 'work_dirs/demo/data/test/natural/images/1.jpg'))
        )
    maps = []
    for planes, sample in zip(views['inputs'], views['data_samples'], strict=True):
        with torch.no_grad():
            (result,) = model.test_step(dict(inputs=[planes], data_samples=[sample]))
        maps.append(result.seg_logits.data.softmax(0)[1])
    assert len(maps) == 2
    assert not torch.equal(*maps)
    levels = pixels(place / 'out/probabilities/natural/natural/1.png').astype(float)
    np.testing.assert_allclose(levels, 255 * (maps[0] + maps[1]) / 2, atol=0.51)


def test_pictures_are_those_that_viewers_show(tested, place):
    """Ground truth at the left and the prediction at the right; turned by EXIF, both alike."""
    data = place / 'work_dirs/demo/data/test/natural'
    for number, turns in ((0, -1), (1, 0)):
        picture = pixels(place / f'shown/natural/natural/{number}.png').astype(int)
        left, right = np.split(picture, 2, axis=1)
        image = np.rot90(pixels(data / f'images/{number}.jpg'), turns)
        mask = np.rot90(pixels(data / f'masks/{number}.png') > 0, turns)
        assert left.shape == right.shape == image.shape
        np.testing.assert_array_equal(left[~mask], image[~mask])
        changed = np.abs(left - image).max(axis=2)[mask] > 20
        assert changed.mean() > 0.9, 'the tampered part is tinted'


def test_pictures_out_of_an_lmdb(tested, place):
    left = pixels(place / 'shown/document/pages/image-000000000.png')[:, :80]
    authentic = pixels(place / 'SACP/masks/0.png') == 0
    np.testing.assert_array_equal(left[authentic], pixels(place / 'SACP/images/0.jpg')[authentic])


# ---- what cannot be done -----------------------------------------------------------------------


@pytest.fixture
def refused(place, monkeypatch, load_tool, capsys):
    """What ``tools/test.py`` says before it ends."""

    def refuse(*arguments, extra=''):
        (place / 'other.py').write_text(f"_base_ = ['tiny.py']\n{extra}\n")
        monkeypatch.chdir(place)
        monkeypatch.setenv('LOCAL_RANK', '0')
        monkeypatch.setattr(sys, 'argv', ['test.py', 'other.py', 'tiny.pth', *arguments])
        with pytest.raises(SystemExit) as end:
            load_tool('test.py').main()
        return f'{end.value.code} {capsys.readouterr().err}'

    return refuse


def test_tta_of_a_config_without_any(refused):
    message = refused('--tta', extra='tta_model = None')
    assert 'the config has no tta_model; add tta_model=dict(' in message
    assert 'and no tta_pipeline' in refused('--tta', extra='tta_model = tta_pipeline = None')


def test_tta_that_says_nothing_about_a_set(refused):
    """As those of mmseg, which load the image themselves."""
    extra = "tta_pipeline = [_base_.test_pipeline[0], dict(type='TestTimeAug', transforms=[[]])]"
    assert 'the set pages has a pipeline of its own' in refused('--tta', extra=extra)


def test_options_of_a_test_that_nothing_reads(refused):
    message = refused('--cfg-options', 'test_dataloder.num_workers=0')
    assert 'nothing reads test_dataloder; is it test_dataloader?' in message
    message = refused('--cfg-options', 'custom_hooks.99.type=a')
    assert 'Index 99 exceeds the length of list' in message


def test_pictures_of_a_config_without_default_hooks(place, monkeypatch, load_tool):
    tool = load_tool('test.py')
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, 'argv', ['test.py', 'tiny.py', 'tiny.pth', '--show-dir', 'elsewhere'])
    cfg = tool.merge_args(Config(dict(model={})), tool.parse_args())
    assert cfg.default_hooks.visualization.out_dir == 'elsewhere'


def test_mixed_precision_of_a_config_without_an_optimiser_is_left_to_the_start(
    place, monkeypatch, load_tool
):
    tool = load_tool('train.py')
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, 'argv', ['train.py', 'tiny.py', '--amp'])
    cfg = tool.merge_args(Config(dict(optim_wrapper=None)), tool.parse_args())
    assert cfg.optim_wrapper is None


def test_windows_without_a_display(refused, monkeypatch):
    monkeypatch.setattr('matplotlib.pyplot.get_backend', lambda: 'agg')
    assert 'there is no display here; take --show-dir' in refused('--show')


@pytest.mark.parametrize('option', ['--out', '--show-dir'])
def test_folders_that_cannot_be_made(option, refused):
    message = refused(option, 'tiny.pth')
    assert f'expected {option} as a folder to write to' in message


@pytest.mark.parametrize('option', ['--out', '--show-dir'])
@pytest.mark.parametrize('name', ['pred.pkl', 'results.JSON'])
def test_the_name_of_a_file_is_no_folder(option, name, refused, place):
    message = refused(option, name)
    assert f'expected {option} as a folder' in message
    assert name in message
    assert not (place / name).exists()


def test_where_the_pictures_are_is_said(tested, place):
    assert f'--out: {place.resolve() / "out"}' in tested
    assert f'--show-dir: {place.resolve() / "shown"}' in tested


# ---- looking at data, counting operations ------------------------------------------------------


@pytest.fixture
def browse(place, monkeypatch, load_tool, tmp_path):
    """The sheets that ``browse_dataset.py`` draws, RGB."""

    def draw(*arguments):
        monkeypatch.chdir(place)
        command = ['browse_dataset.py', 'tiny.py', '--output-dir', str(tmp_path), *arguments]
        monkeypatch.setattr(sys, 'argv', command)
        load_tool('analysis_tools/browse_dataset.py').main()
        return [pixels(path) for path in sorted(tmp_path.iterdir())]

    return draw


def is_magenta(sheet):
    return (sheet[..., 0] > 120) & (sheet[..., 2] > 120) & (sheet[..., 1] < 100)


def test_sheets_show_what_training_sees(browse):
    sheets = browse('--show-number', '5', '--columns', '2', '--rows', '2', '--cell', '96')
    assert [sheet.shape for sheet in sheets] == [(2 * 112, 6 * 96, 3), (112, 6 * 96, 3)]
    cells = [sheet[row : row + 96, 0:288] for sheet in sheets for row in range(0, len(sheet), 112)]
    for cell in cells:
        picture, _, coefficients = np.split(cell, 3, axis=1)
        assert np.ptp(coefficients) > 100, 'some |q| are seen'
        assert np.ptp(picture) > 30
    assert any(is_magenta(cell[:, 96:192]).any() for cell in cells), 'some masks are seen'


def test_sheets_are_the_same_each_time(browse):
    first, second = (browse('--show-number', '3', '--cell', '64') for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])


@pytest.mark.parametrize('mode', ['original', 'transformed'])
def test_every_image_of_a_test_is_shown_whole(browse, mode, capsys):
    """With a bad file among them, in its place."""
    (sheet,) = browse(
        '--phase', 'test', '--mode', mode, '--show-number', '11', '--cell', '84', '--columns', '1',
        '--rows', '20', '--not-show',
    )  # fmt: skip
    assert len(sheet) == 11 * 100
    rows = [sheet[100 * number : 100 * number + 84] for number in range(11)]
    shown = [bool(is_magenta(row[:, 84:168]).mean() > 0.02) for row in rows]
    assert shown[:3] == [True, True, True]  # natural
    assert shown[3:6] == [True, True, False]  # document/2 is authentic


def test_phases_that_a_config_lacks_are_named(browse):
    with pytest.raises(SystemExit, match='the config has no val_dataloader'):
        browse('--phase', 'val')


@pytest.mark.parametrize(('shape', 'padded'), [((96,), '(96, 96)'), ((90, 130), '(96, 160)')])
def test_operations_of_five_planes(shape, padded, monkeypatch, load_tool, capsys):
    monkeypatch.setattr(sys, 'argv', ['get_flops.py', str(DEMO), '--shape', *map(str, shape)])
    load_tool('analysis_tools/get_flops.py').main()
    output = capsys.readouterr().out
    assert f'Input shape: {padded}, five planes' in output
    assert ('from (90, 130)' in output) is (len(shape) == 2)
    flops = {
        name.strip(): float(value.split('G')[0])
        for name, value in (line.split(': ') for line in output.splitlines() if 'G' in line)
    }
    assert flops['Flops'] == pytest.approx(sum(list(flops.values())[1:]), abs=0.002)
    assert min(flops.values()) > 0


def test_tools_run_as_mim_finds_them_outside_of_the_checkout(place, tmp_path):
    """As in a wheel: ``mmomni/.mim`` with configs and tools, found by their names."""
    for name in ('configs', 'tools'):
        shutil.copytree(ROOT / name, tmp_path / '.mim' / name)
    tools = tmp_path / '.mim/tools'
    assert all((tools / name).is_file() for name in ('train.py', 'test.py'))
    configs = [path.name for path in (tmp_path / '.mim/configs').rglob('*.py')]
    assert len(configs) == len(set(configs)), 'mim looks for a config by its name alone'
    config = tmp_path / '.mim/configs/lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'
    output = run(place, tools / 'analysis_tools/get_flops.py', config, '--shape', 64)
    assert 'Params: ' in output
