"""Each dataset in miniature, with the names and formats of the original, converts and loads."""

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.logging import MMLogger
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmseg.registry import MODELS
from PIL import ExifTags, Image

from mmomni.datasets import ManipulationDataset
from mmomni.datasets.list_files import HEADER

FOLDER = Path(__file__).resolve().parents[1] / 'tools' / 'dataset_converters'
DEMO = FOLDER.parents[1] / 'configs' / 'demo' / 'omni-iml_convnext-atto_demo.py'
PIPELINE = [dict(type='mmomni.LoadOriginalImage'), dict(type='mmomni.LoadManipulationMask')]
TRAIN_PIPELINE = [
    *PIPELINE,
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.AlignedRandomCrop', crop_size=32),
    dict(type='mmomni.MaskToBoxes'),
    dict(type='mmomni.PackManipulationInputs'),
]
HEIGHT, WIDTH = 16, 24
MMLogger.get_current_instance()  # made here, it does not hold the captured stream of one test
FORGED = np.zeros((HEIGHT, WIDTH), bool)
FORGED[4:12, 2:9] = True


def converter(name):
    spec = importlib.util.spec_from_file_location(f'converter_{name}', FOLDER / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def photo(path, size=(HEIGHT, WIDTH)):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(path)


def mask(path, pixels=FORGED, tampered=255, authentic=0):
    """A mask file with the values of that dataset; grey numbers or RGB triples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tampered, authentic = np.uint8(tampered), np.uint8(authentic)
    if tampered.ndim:
        pixels = pixels[..., None]
    Image.fromarray(np.where(pixels, tampered, authentic)).save(path, quality=95)


def loaded(root, list_file):
    """``{image: mask as the pipeline gives it}`` of a written list."""
    data = ManipulationDataset(
        domain='natural', data_root=str(root), ann_file=list_file, pipeline=PIPELINE
    )
    samples = [data[index] for index in range(len(data))]
    names = [Path(sample['img_path']).relative_to(root).as_posix() for sample in samples]
    assert len(set(names)) == len(names)
    return dict(zip(names, [sample['gt_seg_map'] for sample in samples], strict=True))


@pytest.fixture(scope='module')
def network():
    """The demo's whole network, heads of training included, for images of 32 x 32."""
    cfg = Config.fromfile(DEMO).model
    cfg.data_preprocessor.size = (32, 32)
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(cfg)


class Contract:
    """Subclasses say what a set looks like and what must come out of it."""

    script: str
    options: tuple = ()
    tampered: dict = {}  # list file -> images, each forged in FORGED
    authentic: dict = {}  # list file -> images
    left_out: dict = {}  # file -> part of the reason

    def build(self, root):
        raise NotImplementedError

    @pytest.fixture
    def root(self, tmp_path):
        self.build(tmp_path)
        return tmp_path

    @pytest.fixture
    def printed(self, root, capsys):
        converter(self.script).CONVERTER.run([str(root), *self.options])
        return capsys.readouterr().out

    def test_forgeries_load_with_their_masks(self, root, printed):
        for list_file, images in self.tampered.items():
            masks = loaded(root, list_file)
            assert sorted(masks) == sorted(images)
            for image in images:
                np.testing.assert_array_equal(masks[image], FORGED, err_msg=image)

    def test_authentic_images_load_with_empty_masks(self, root, printed):
        for list_file, images in self.authentic.items():
            masks = loaded(root, list_file)
            assert sorted(masks) == sorted(images)
            assert not any(values.any() for values in masks.values())

    def test_a_batch_trains(self, root, printed, network):
        list_file = next(iter({**self.tampered, **self.authentic}))
        data = ManipulationDataset(
            domain='any', data_root=str(root), ann_file=list_file, pipeline=TRAIN_PIPELINE
        )
        batch = pseudo_collate([data[0], data[len(data) - 1]])
        optimizer = OptimWrapper(torch.optim.SGD(network.parameters(), lr=1e-3))
        before = network.decode_head.conv_seg.weight.clone()
        losses = network.train().train_step(batch, optimizer)
        assert all(value.isfinite() for value in losses.values())
        assert not torch.equal(network.decode_head.conv_seg.weight, before)

    def test_writes_these_lists_and_no_other(self, root, printed):
        assert {path.name for path in root.glob('*.txt') if path.read_text().startswith(HEADER)} \
            == {*self.tampered, *self.authentic}  # fmt: skip

    def test_names_what_it_leaves_out(self, root, printed):
        lists = ''.join(path.read_text() for path in root.glob('*.txt'))
        comments = [line for line in lists.splitlines() if line.startswith('# left out')]
        assert len(comments) == len(self.left_out)
        for name, reason in self.left_out.items():
            assert any(name in line and reason in line for line in comments), name
            assert name in printed

    def test_compares_with_the_published_counts(self, root, printed):
        published = converter(self.script).CONVERTER.published
        known = [count for counts in published.values() for count in counts if count is not None]
        assert printed.count('DIFFERS from the published') == len(known)

    def test_again_gives_the_same(self, root, printed):
        before = {path: path.read_bytes() for path in root.rglob('*') if path.is_file()}
        converter(self.script).CONVERTER.run([str(root), *self.options])
        assert {path: path.read_bytes() for path in root.rglob('*') if path.is_file()} == before


class TestCASIAv1(Contract):
    script = 'casia_v1'
    tampered = {'test.txt': [
        'CASIA 1.0 dataset/Modified Tp/Tp/Sp/Sp_D_CND_A_pla0005_pla0023_0281.jpg',
        'CASIA 1.0 dataset/Modified Tp/Tp/CM/Sp_S_CND_A_pla0016_pla0016_0196.jpg',
    ]}  # fmt: skip
    authentic = {'test_authentic.txt': ['CASIA 1.0 dataset/Au/Au_ani_0001.jpg']}
    left_out = {
        'Sp_D_NRN_A_cha0011_sec0011_0542.jpg': 'without a mask',
        'Sp_D_CNN_A_ani0049_ani0084_0266_gt.png': 'without an image',
    }

    def build(self, root):
        for name in (*self.tampered['test.txt'], *self.authentic['test_authentic.txt']):
            photo(root / name)
        photo(root / 'CASIA 1.0 dataset/Modified Tp/Tp/Sp/Sp_D_NRN_A_cha0011_sec0011_0542.jpg')
        # the unmodified archive, unpacked beside: the same names must not count twice
        photo(root / 'CASIA 1.0 dataset/Tp/Sp_D_CND_A_pla0005_pla0023_0281.jpg')
        truth = root / 'CASIA 1.0 groundtruth'
        mask(truth / 'Sp/Sp_D_CND_A_pla0005_pla0023_0281_gt.png')
        mask(truth / 'CM/Sp_S_CND_A_pla0016_pla0016_0196_gt.png')
        mask(truth / 'Sp/Sp_D_CNN_A_ani0049_ani0084_0266_gt.png')
        (root / 'CASIA 1.0 dataset/Au/Thumbs.db').write_bytes(b'of Windows')


class TestCASIAv2(Contract):
    script = 'casia_v2'
    tampered = {'train.txt': [
        'Tp/Tp_D_CRN_S_N_cha00063_art00014_11818.jpg',
        'Tp/Tp_D_NRN_M_N_pla00020_pla00020_10988.tif',
        'Tp/Tp_D_NRD_S_N_cha10002_cha10001_20094.jpg',
    ]}  # fmt: skip
    authentic = {'train_authentic.txt': ['Au/Au_ani_00001.jpg', 'Au/Au_sec_30001.bmp']}
    left_out = {
        'Tp_D_NRD_S_B_ani20002_nat20042_02437.tif': 'without a mask',
        'Tp_D_CNN_M_N_sec00011_cha00085_11227.jpg': 'another size',
        'Tp_S_NRN_S_B_ind10002_ind10002_20010.jpg': 'another size',
    }

    def build(self, root):
        for name in (*self.tampered['train.txt'], *self.authentic['train_authentic.txt']):
            photo(root / name)
        for name in self.left_out:
            photo(root / 'Tp' / name)
        truth = root / 'CASIA 2 Groundtruth'
        mask(truth / 'Tp_D_CRN_S_N_cha00063_art00014_11818_gt.png')
        mask(truth / 'Tp_S_NRN_M_N_pla00020_pla00020_10988_gt.png')  # the right letter
        mask(truth / 'Tp_D_NRD_S_N_cha10002_cha10001_20094_gt3.png')
        mask(truth / 'Tp_D_CNN_M_N_sec00011_cha00085_11227_gt.png', FORGED.T)
        mask(truth / 'Tp_S_NRN_S_B_ind10002_ind10002_20010_gt.png', FORGED[:, :20])


class TestCASIAv2Corrected(Contract):
    """The corrected ground truth: Au, Tp, Gt; images that differ in the letter alone."""

    script = 'casia_v2'
    tampered = {'train.txt': ['Tp/Tp_D_NRN_M_N_a_a_1.jpg', 'Tp/Tp_S_NRN_M_N_a_a_1.jpg']}

    def build(self, root):
        for name in self.tampered['train.txt']:
            photo(root / name)
            mask((root / 'Gt' / Path(name).name).with_suffix('.png'))


class TestCoverage(Contract):
    script = 'coverage_dataset'
    tampered = {'test.txt': ['image/1t.tif', 'image/41t.tif']}
    authentic = {'test_authentic.txt': ['image/1.tif', 'image/41.tif']}

    def build(self, root):
        for number in (1, 41):
            photo(root / f'image/{number}.tif')
            photo(root / f'image/{number}t.tif')
            mask(root / f'mask/{number}copy.tif', ~FORGED)
            mask(root / f'mask/{number}paste.tif', ~FORGED)
        mask(root / 'mask/1forged.tif', authentic=30)  # soft edges are no forgery
        mask(root / 'mask/41forged.tif', np.kron(FORGED, np.ones((2, 2), bool)))


class TestNIST16(Contract):
    script = 'nist16'
    tampered = {'test.txt': [
        'probe/NC2016_6438.jpg', 'probe/NC2016_6607.jpg', 'probe/NC2016_9113.jpg',
    ]}  # fmt: skip
    authentic = {'test_authentic.txt': ['probe/NC2016_0313.jpg']}
    left_out = {
        'probe/NC2016_7691.jpg': 'without its mask reference/manipulation/mask/NC2016_2490.png',
        'probe/NC2016_0001.jpg': 'not there',
        'reference/splice/mask/NC2016_1111.png': 'does not name',
    }

    def build(self, root):
        rows = [
            'TaskID|ProbeFileID|ProbeFileName|ProbeMaskFileName|IsTarget|IsControl',
            'manipulation|a|probe/NC2016_6438.jpg|reference/manipulation/mask/NC2016_1253.png|Y|N',
            # the mask lies in the folder of its own task
            'manipulation|b|probe/NC2016_6607.jpg|reference/manipulation/mask/NC2016_3891.png|Y|N',
            # two probes, one mask
            'manipulation|c|probe/NC2016_9113.jpg|reference/manipulation/mask/NC2016_1253.png|Y|N',
            'manipulation|d|probe/NC2016_0313.jpg||N|N',
            'manipulation|e|probe/NC2016_7691.jpg|reference/manipulation/mask/NC2016_2490.png|Y|N',
            'manipulation|f|probe/NC2016_0001.jpg||N|N',
        ]
        reference = root / 'reference/manipulation/NC2016-manipulation-ref.csv'
        for name in ('6438', '6607', '9113', '0313', '7691'):
            photo(root / f'probe/NC2016_{name}.jpg')
        for name in ('manipulation/mask/NC2016_1253', 'remove/mask/NC2016_3891',
                     'splice/mask/NC2016_1111'):  # fmt: skip
            mask(root / f'reference/{name}.png', tampered=0, authentic=255)
        reference.write_text('\n'.join(rows) + '\n')

    def test_another_file_is_told_apart(self, root):
        (root / 'reference/manipulation/NC2016-manipulation-ref.csv').write_text('a,b\n1,2\n')
        with pytest.raises(SystemExit, match=r'expected columns.*ProbeFileName'):
            converter(self.script).CONVERTER.run([str(root)])


class TestIMD20(Contract):
    script = 'imd20'
    tampered = {'test.txt': ['1a0qp3/c8t8jtf_0.jpg', '1a0qp3/c8t9xyz_0.png', 'z14/00030_fake.jpg']}
    authentic = {'test_authentic.txt': ['1a0qp3/1a0qp3_orig.jpg', 'z14/00030_orig.jpg']}
    left_out = {
        'z14/00031_fake_mask.png': 'without an image',
        'z15/00040_fake.jpg': 'another size',  # turned, nobody knows which way
    }

    def build(self, root):
        for name in (*self.tampered['test.txt'], *self.authentic['test_authentic.txt']):
            photo(root / name)
        mask(root / '1a0qp3/c8t8jtf_0_mask.png')
        mask(root / '1a0qp3/c8t9xyz_0_mask.png', tampered=(255, 0, 0), authentic=(0, 0, 0))
        mask(root / 'z14/00030_fake_mask.png', np.kron(FORGED, np.ones((3, 3), bool)))
        mask(root / 'z14/00031_fake_mask.png')
        photo(root / 'z15/00040_fake.jpg')
        mask(root / 'z15/00040_fake_mask.png', FORGED.T)


class TestCocoGlide(Contract):
    script = 'cocoglide'
    tampered = {'test.txt': [
        'fake/glide_inpainting_val2017_114871_up.png',
        'fake/glide_inpainting_val2017_1675_up.png',
    ]}  # fmt: skip
    authentic = {'test_authentic.txt': ['real/114871.png']}
    left_out = {'mask/toaster_1675_mask.png': 'second mask beside mask/keyboard_1675_mask.png'}

    def build(self, root):
        for name in (*self.tampered['test.txt'], *self.authentic['test_authentic.txt']):
            photo(root / name)
        mask(root / 'mask/dining table_114871_mask.png')
        mask(root / 'mask/keyboard_1675_mask.png')
        mask(root / 'mask/toaster_1675_mask.png', ~FORGED)


class TestColumbia(Contract):
    script = 'columbia'
    tampered = {'test.txt': ['4cam_splc/canong3_canonxt_sub_01.tif',
                             '4cam_splc/nikond70_canonxt_sub_30.bmp']}  # fmt: skip
    authentic = {'test_authentic.txt': ['4cam_auth/canong3_02_sub_01.tif']}

    def build(self, root):
        for name in (*self.tampered['test.txt'], *self.authentic['test_authentic.txt']):
            photo(root / name)
        for name in self.tampered['test.txt']:
            self.edge_mask(root / f'4cam_splc/edgemask/{Path(name).stem}_edgemask.jpg')

    @staticmethod
    def edge_mask(path):
        """Dim colours, bright ones along the edge, saved as JPEG."""
        inner = FORGED.copy()
        inner[:6] = inner[10:] = False
        colours = np.where(FORGED[..., None], (0, 255, 0), (200, 0, 0)).astype(np.uint8)
        colours[inner] = (0, 200, 0)
        colours[:, 9:11] = (255, 0, 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(colours).save(path, quality=95, subsampling=0)


class TestDSO1(Contract):
    script = 'dso1'
    tampered = {'test.txt': ['DSO-1/splicing-01.png', 'DSO-1/splicing-100.png']}
    authentic = {'test_authentic.txt': ['DSO-1/normal-01.png']}

    def build(self, root):
        for name in (*self.tampered['test.txt'], *self.authentic['test_authentic.txt']):
            photo(root / name)
        for name in self.tampered['test.txt']:
            path = root / 'DSO-1-Fake-Images-Masks' / Path(name).name
            mask(path, tampered=(0, 0, 0), authentic=(255, 255, 255))


class TestKorus(Contract):
    script = 'korus'
    tampered = {'test.txt': ['Canon_60D/tampered-realistic/DPP0012.TIF',
                             'Sony_A57/tampered-realistic/DPP0012.TIF']}  # fmt: skip
    authentic = {'test_authentic.txt': ['Canon_60D/pristine/DPP0012.TIF',
                                        'Sony_A57/pristine/DPP0012.TIF']}  # fmt: skip

    def build(self, root):
        for name in (*self.tampered['test.txt'], *self.authentic['test_authentic.txt']):
            photo(root / name)
        mask(root / 'Canon_60D/ground-truth/DPP0012.PNG')
        mask(root / 'Sony_A57/ground-truth/DPP0012.PNG', tampered=128)  # collateral damage


class TestAutoSplice(Contract):
    script = 'autosplice'
    options = ('--quality', '90')
    tampered = {'test.txt': [f'Forged_JPEG90/39406_{n}.jpg' for n in range(2)]
                + ['Forged_JPEG90/40574_0.jpg']}  # fmt: skip
    authentic = {'test_authentic.txt': ['Authentic/39406.jpg']}

    def build(self, root):
        for quality in (100, 90, 75):
            for name in self.tampered['test.txt']:
                photo(root / f'Forged_JPEG{quality}' / Path(name).name)
        photo(root / 'Authentic/39406.jpg')
        mask(root / 'Mask/39406_mask.png')
        mask(root / 'Mask/40574_mask.png')

    def test_a_shared_mask_fits_every_image(self, root):
        double = np.ones((2, 2), bool)
        photo(root / 'Forged_JPEG90/39406_0.jpg', (2 * HEIGHT, 2 * WIDTH))
        photo(root / 'Forged_JPEG90/39406_1.jpg', (4 * HEIGHT, 4 * WIDTH))
        converter(self.script).CONVERTER.run([str(root), *self.options])
        masks = loaded(root, 'test.txt')
        twice, four_times = np.kron(FORGED, double), np.kron(np.kron(FORGED, double), double)
        np.testing.assert_array_equal(masks['Forged_JPEG90/39406_0.jpg'], twice)
        np.testing.assert_array_equal(masks['Forged_JPEG90/39406_1.jpg'], four_times)


class TestTampCOCO(Contract):
    script = 'tampcoco'
    tampered = {'train.txt': [
        'sp_images/88_000000013140.jpg_000000574443.jpg.jpg',
        'cm_images/61_000000001.jpg.jpg',
        'bcm_images/r000da54ft.jpg',
        'bcmc_images/r000da54ft_60.jpg',
    ]}  # fmt: skip
    left_out = {
        'sp_images/empty.jpg': 'cannot be read',
        'cm_images/gone.jpg': 'cannot be read',
    }

    def build(self, root):
        for name in self.tampered['train.txt']:
            photo(root / name)
        (root / 'sp_images/empty.jpg').touch()
        sp = 'sp_masks/88_000000013140.png_000000574443.png.png'
        cm, bcm = 'cm_masks/61_000000001.png.png', 'bcm_masks/r000da54ft.png'
        for name in (sp, cm, bcm):
            mask(root / name, tampered=(1, 1, 1), authentic=(0, 0, 0))
        images = self.tampered['train.txt']
        self.write(root, 'sp', f'{images[0]},{sp}', f'sp_images/empty.jpg,{sp}')
        self.write(root, 'cm', f'{images[1]},{cm}', f'{images[1]},{cm}', f'cm_images/gone.jpg,{cm}')
        self.write(root, 'bcm', f'{images[2]},{bcm}')
        self.write(root, 'bcmc', f'{images[3]},{bcm}')

    @staticmethod
    def write(root, subset, *lines):
        (root / f'{subset}_COCO_list.txt').write_text('\n'.join(lines) + '\n')

    def test_subsets_can_be_chosen(self, root):
        converter(self.script).CONVERTER.run([str(root), '--subsets', 'cm'])
        assert list(loaded(root, 'train.txt')) == ['cm_images/61_000000001.jpg.jpg']


class TestTpGt(Contract):
    script = 'tp_gt'
    tampered = {'train.txt': ['Tp/a.jpg', 'Tp/b.png']}
    authentic = {'train_authentic.txt': ['Au/c.jpg']}
    left_out = {
        'Tp/d.jpg': 'without a mask', 'Gt/e_gt.png': 'without an image',
        'Gt/d_gt.exr': 'no image that is read', 'Au/f.heic': 'no image that is read',
    }  # fmt: skip

    def build(self, root):
        for name in ('Tp/a.jpg', 'Tp/b.png', 'Tp/d.jpg', 'Au/c.jpg'):
            photo(root / name)
        for name in ('Gt/a_gt.png', 'Gt/b.png', 'Gt/e_gt.png'):
            mask(root / name)
        for name in ('Gt/d_gt.exr', 'Au/f.heic'):
            (root / name).touch()
        photo(root / 'Au/._c.jpg')  # hidden files are nobody's
        photo(root / 'Au/.ipynb_checkpoints/c-checkpoint.jpg')


class TestMIML(Contract):
    script = 'miml'
    tampered = {'train.txt': ['MIML_Part1/imgs/a.jpg', 'MIML_Part2/imgs/a.png']}
    left_out = {'MIML_Part2/imgs/b.jpg': 'without a mask'}

    def build(self, root):
        for name in (*self.tampered['train.txt'], *self.left_out):
            photo(root / name)
        mask(root / 'MIML_Part1/masks/a.png')
        mask(root / 'MIML_Part2/masks/a.png')


class TestCOCO(Contract):
    script = 'coco'
    authentic = {'train.txt': ['train2017/000000000009.jpg', 'train2017/000000000025.jpg']}

    def build(self, root):
        for name in self.authentic['train.txt']:
            photo(root / name)


class TestSACP(Contract):
    script = 'sacp'
    tampered = {'train.txt': ['train/img/0.jpg', 'train/img/1.jpg'], 'test.txt': ['test/img/0.jpg']}

    def build(self, root):
        for name in (*self.tampered['train.txt'], *self.tampered['test.txt']):
            photo(root / name)
            mask((root / name.replace('/img/', '/mask/')).with_suffix('.png'), tampered=1)


class TestSACPWithAnOwnSplit(Contract):
    """The published archive alone: masks of the training images only."""

    script = 'sacp'
    tampered = {'train.txt': ['img/0.jpg'], 'test.txt': ['img/1.jpg', 'img/2.jpg']}

    def build(self, root):
        for stem in range(3):
            photo(root / f'img/{stem}.jpg')
            mask(root / f'mask/{stem}.png', tampered=1)
        (root / 'own').write_text('1\n2\n')

    @pytest.fixture
    def root(self, tmp_path):
        self.build(tmp_path)
        self.options = ('--test-list', str(tmp_path / 'own'))
        return tmp_path

    def test_compares_with_the_published_counts(self, root, printed):
        assert 'train: 1 tampered images, DIFFERS from the published 1500' in printed


class TestFaceShifter(Contract):
    script = 'faceshifter'
    options = ('--test-count', '2')
    tampered = {'train.txt': ['FaShifter/2.png'],
                'test.txt': ['FaShifter/1.png', 'FaShifter/3.png']}  # fmt: skip
    left_out = {'4.png': 'not there'}

    def build(self, root):
        soft = np.full((HEIGHT, WIDTH), 90)
        soft[:, 12:] = 0
        for stem in '123':
            photo(root / f'FaShifter/{stem}.png')
            mask(root / f'FaShifter/mask/{stem}_mask.png', authentic=soft)
        lines = ['4.png', '2.png', 'mask/2_mask.png', '2.npy', '1.png', '3.png']
        (root / 'FaShifter.txt').write_text('\n'.join(lines))


class TestCelebAHQ(Contract):
    script = 'celeba_hq'
    options = ('--count', '3')
    authentic = {'train.txt': [f'CelebA-HQ-img/{n}.jpg' for n in (0, 3, 4)]}

    def build(self, root):
        for number in range(5):
            photo(root / f'CelebA-HQ-img/{number}.jpg')

    def test_too_few_is_an_error(self, root):
        with pytest.raises(SystemExit, match='at least 24000'):
            converter(self.script).CONVERTER.run([str(root)])


class TestBySource(Contract):
    script = 'by_source'
    tampered = {
        'casia2.txt': ['images/casia2_Tp_1.jpg', 'images/casia2_Tp_2.tif'],
        'columbia.txt': ['images/columbia_1.png'],
    }  # fmt: skip
    authentic = {'camera.txt': ['images/camera_a.jpg']}
    left_out = {'casia2_Tp_3.png': 'without an image'}

    def build(self, root):
        for images in (*self.tampered.values(), *self.authentic.values()):
            for name in images:
                photo(root / name)
        for stem in ('casia2_Tp_1', 'casia2_Tp_2', 'casia2_Tp_3', 'columbia_1'):
            mask(root / f'masks/{stem}.png')

    def test_name_without_a_source_is_an_error(self, root):
        photo(root / 'images/1.jpg')
        with pytest.raises(SystemExit, match=r'1\.jpg: expected a name like casia2_0001\.jpg'):
            converter(self.script).CONVERTER.run([str(root)])

    def test_folder_without_images_is_an_error(self, tmp_path):
        with pytest.raises(SystemExit, match='no images in'):
            converter(self.script).CONVERTER.run([str(tmp_path)])


class TestTamperedIC13(Contract):
    script = 'tampered_ic13'
    tampered = {
        'train.txt': ['train_img/img_1.jpg'],
        'test.txt': ['test_img/img_1.jpg', 'test_img/img_2.jpg'],
    }  # fmt: skip
    authentic = {'test_authentic.txt': ['test_img/img_3.jpg']}
    left_out = {
        'test_img/img_4.jpg': 'image without test_gt/img_4.txt',
        'test_img/img_5.jpg': "expected x1,y1,x2,y2 and 1 (real) or 2 (tampered), got '1,1,3,3,7'",
        'test_img/img_6.jpg': 'expected x1, y1, x2, y2 with x1 <= x2',
        'test_img/img_7.jpg': f'outside of {WIDTH}x{HEIGHT} px',
        'test_img/img_8.jpg': "expected x1, y1, x2, y2 in pixels, got ['2', '4', 'inf', '11']",
        'test_gt/img_9.txt': 'words without an image',
    }  # fmt: skip

    def build(self, root):
        words = {
            'train_gt/img_1': '2,4,8,11,2\n',
            'test_gt/img_1': '15,2,20,6,1\r\n2,4,8,11,2\r\n',
            'test_gt/img_2': '2,4,8,7,2\n2,8,8,11,2',  # two words beside each other
            'test_gt/img_3': '2,4,8,11,1\n',
            'test_gt/img_5': '1,1,3,3,7\n',
            'test_gt/img_6': '8,4,2,11,2\n',
            'test_gt/img_7': '30,4,40,11,2\n',
            'test_gt/img_8': '2,4,inf,11,2\n',
            'test_gt/img_9': '2,4,8,11,2\n',
        }  # fmt: skip
        for name, text in words.items():
            path = root / f'{name}.txt'
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(text.encode())
        for name in ('train_img/img_1', *(f'test_img/img_{i}' for i in range(1, 9))):
            photo(root / f'{name}.jpg')


class TestOSTF(Contract):
    script = 'ostf'
    tampered = {
        'srnet_train.txt': ['mmacc/srnet/a.jpg'],
        'srnet_test.txt': ['mmacc/srnet/b.jpg'],
        'mostel_test.txt': ['mmacc/mostel/a.jpg'],
    }  # fmt: skip
    authentic = {'srnet_test_authentic.txt': ['mmacc/srnet/c.jpg']}
    left_out = {
        'mmacc/srnet/gone.jpg': 'cannot be read',
        'mmacc/srnet/odd.jpg': 'boxes that are not understood (ValueError: expected a label of 0',
    }  # fmt: skip
    WORD = [2, 4, 8, 11, 1]

    def build(self, root):
        word = self.WORD
        lists = {
            'mmacc_pks/srnet_train': {'mmacc/srnet/a.jpg': [word]},
            'mmacc_pks/srnet_test': {
                'mmacc/srnet/b.jpg': [np.array(word), [15, 2, 20, 6, 0]],
                'mmacc/srnet/c.jpg': [[2, 4, 8, 11, 0]],
                'mmacc/srnet/gone.jpg': [word],
                'mmacc/srnet/odd.jpg': [[2, 4, 8, 11, 3]],
            },
            'mmacc/mostel_test': {'a.jpg': [np.float32(word)]},  # relative to the model's folder
        }  # fmt: skip
        for name in ('srnet/a', 'srnet/b', 'srnet/c', 'srnet/odd', 'mostel/a'):
            photo(root / f'mmacc/{name}.jpg')
        for name, boxes in lists.items():
            path = root / f'{name}.pk'
            path.parent.mkdir(exist_ok=True)
            entries = {key: dict(w=WIDTH, h=HEIGHT, b=value) for key, value in boxes.items()}
            path.write_bytes(pickle.dumps(entries))

    def test_a_pickle_that_would_run_code_is_refused(self, root):
        (root / 'mmacc_pks/srnet_test.pk').write_bytes(pickle.dumps(Path('a')))
        with pytest.raises(SystemExit, match='expected plain numbers'):
            converter(self.script).CONVERTER.run([str(root)])

    def test_another_pickle_is_an_error(self, root):
        (root / 'mmacc_pks/srnet_test.pk').write_bytes(pickle.dumps([self.WORD]))
        with pytest.raises(SystemExit, match=r'srnet_test\.pk: expected .*, got a list'):
            converter(self.script).CONVERTER.run([str(root)])

    def test_without_lists_of_boxes(self, tmp_path):
        with pytest.raises(SystemExit, match='expected lists of boxes'):
            converter(self.script).CONVERTER.run([str(tmp_path)])


# ---- what all of them share ----------------------------------------------------------------


def test_every_converter_has_a_test():
    tested = {case.script for case in Contract.__subclasses__()}
    assert tested | {'doctamper'} == {path.stem for path in FOLDER.glob('*.py')}


@pytest.fixture
def casia(tmp_path):
    TestCASIAv1().build(tmp_path)
    return tmp_path


def test_one_list_for_both_kinds(casia):
    converter('casia_v1').CONVERTER.run([str(casia), '--with-authentic'])
    assert len(loaded(casia, 'test.txt')) == 3
    assert not (casia / 'test_authentic.txt').exists()


def test_equal_counts_are_as_published(casia, capsys):
    module = converter('casia_v1')
    module.CONVERTER.published['test'] = module.Counts(2, 1)
    module.CONVERTER.run([str(casia)])
    printed = capsys.readouterr().out
    assert 'test: 2 tampered images, as published' in printed
    assert 'test: 1 authentic images, as published' in printed


def test_a_list_of_somebody_else_is_not_overwritten(casia):
    (casia / 'test.txt').write_text('mine\n')
    with pytest.raises(SystemExit, match=r'test\.txt was not written by this script'):
        converter('casia_v1').CONVERTER.run([str(casia)])
    assert (casia / 'test.txt').read_text() == 'mine\n'


def test_an_empty_folder_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match='no images of the test split'):
        converter('casia_v1').CONVERTER.run([str(tmp_path)])


def test_a_changed_mask_is_converted_again(tmp_path):
    TestDSO1().build(tmp_path)
    converter('dso1').CONVERTER.run([str(tmp_path)])
    path = tmp_path / 'DSO-1-Fake-Images-Masks/splicing-01.png'
    converted = tmp_path / 'mmomni_masks/DSO-1-Fake-Images-Masks/splicing-01.png'
    mask(path, ~FORGED, tampered=0, authentic=255)
    later = converted.stat().st_mtime + 10
    os.utime(path, (later, later))
    converter('dso1').CONVERTER.run([str(tmp_path)])
    values = np.asarray(Image.open(converted))
    np.testing.assert_array_equal(values, np.where(FORGED, 0, 255))


def test_fitted_masks_say_what_the_loader_says_of_them(tmp_path):
    """Low bytes of 16 bits count, ringing of a JPEG does not."""
    large = np.kron(FORGED, np.ones((3, 3), np.uint16))
    photo(tmp_path / 'a/deep.jpg')
    (tmp_path / 'a/deep_mask.png').write_bytes(cv2.imencode('.png', large)[1].tobytes())
    photo(tmp_path / 'a/lossy.jpg')
    mask(tmp_path / 'a/lossy_mask.jpg', large.astype(bool))
    converter('imd20').CONVERTER.run([str(tmp_path)])
    masks = loaded(tmp_path, 'test.txt')
    assert set(masks) == {'a/deep.jpg', 'a/lossy.jpg'}
    np.testing.assert_array_equal(masks['a/deep.jpg'], FORGED)
    assert abs(masks['a/lossy.jpg'].astype(int) - FORGED).sum() < 0.05 * FORGED.sum()


def test_pairs_fit_if_their_stored_pixels_do(tmp_path):
    """Of TIFFs, Pillow tells the turned size."""
    turned = Image.Exif()
    turned[ExifTags.Base.Orientation] = 6
    for name, pixels in (('stored', FORGED), ('upright', FORGED.T)):
        photo(tmp_path / f'a/{name}.jpg')
        with Image.open(tmp_path / f'a/{name}.jpg') as image:
            image.save(tmp_path / f'a/{name}.tif', exif=turned)
        (tmp_path / f'a/{name}.jpg').unlink()
        mask(tmp_path / f'a/{name}_mask.png', pixels)
    converter('imd20').CONVERTER.run([str(tmp_path)])
    assert set(loaded(tmp_path, 'test.txt')) == {'a/stored.tif'}


def test_runs_as_a_script(casia):
    command = [sys.executable, str(FOLDER / 'casia_v1.py'), str(casia)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'Sp_D_NRN_A_cha0011_sec0011_0542.jpg: tampered image without a mask' in done.stdout
