from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmomni.jpeg import decode, encode, read_luma
from mmomni.synthesis.colour import as_grey
from mmomni.synthesis.jpeg_history import Generation, History, compress
from mmomni.synthesis.publishing import (
    COLOUR_JPEG,
    POST,
    Form,
    draw_post,
    png_of,
    publish_image,
)

HISTORY = History('made', Generation(60, '4:4:4'), Generation(90, '4:2:0'))


@pytest.fixture
def mask(photo):
    mask = np.zeros(photo.shape[:2], np.uint8)
    mask[60:140, 100:220] = 255
    return mask


def published(photo, mask, kind, seed=0, max_side=512, form=COLOUR_JPEG):
    rng = np.random.default_rng(seed)
    image = compress(as_grey(photo) if form.grey else photo, 60)
    return publish_image(image, mask, HISTORY, kind, rng, max_side, form)


@pytest.mark.parametrize('kind', [None, *POST])
@pytest.mark.parametrize('seed', range(3))
def test_masks_follow_the_image(kind, seed, photo, mask):
    # White inside and black outside, so that the picture itself says where its mask is.
    told = np.repeat(mask[..., None], 3, axis=2)
    found = published(told, mask, kind, seed)
    image = decode(found.data)
    assert found.mask.shape == image.shape[:2]
    assert found.mask.dtype == np.uint8
    assert set(np.unique(found.mask)) == {0, 255}
    assert ((image[..., 1] > 127) == (found.mask > 0)).mean() > 0.985
    assert (found.post or {}).get('kind') == kind


@pytest.mark.parametrize('kind', [None, *POST])
def test_generations_are_all_told(kind, photo, mask):
    for seed in range(4):
        found = published(photo, mask, kind, seed)
        assert found.qualities[:2] == [60, 90]
        assert len(found.subsampling) == len(found.qualities)
        extra = len(found.qualities) - 2
        assert extra in {'social': (1,), 'resave': (1, 2)}.get(str(kind), (0,))
        if found.suffix == '.jpg':
            reference = Image.open(BytesIO(encode(photo, found.qualities[-1])))
            assert Image.open(BytesIO(found.data)).quantization == reference.quantization
        else:
            assert kind == 'screenshot'
            assert found.data.startswith(b'\x89PNG')


@pytest.mark.parametrize('grey', [False, True])
@pytest.mark.parametrize('kind', [None, 'levels', 'crop'])
def test_pngs_are_saved_without_a_second_compression(kind, grey, photo, mask):
    found = published(photo, mask, kind, form=Form(png=True, grey=grey))
    assert found.suffix == '.png'
    assert found.qualities == [60]
    image = Image.open(BytesIO(found.data))
    assert (image.format, image.mode) == ('PNG', 'L' if grey else 'RGB')
    if kind is None and not grey:
        assert np.array_equal(np.asarray(image), compress(photo, 60))


def test_a_png_that_is_sent_on_becomes_a_jpeg(photo, mask):
    found = published(photo, mask, 'social', form=Form(png=True))
    assert found.suffix == '.jpg'
    assert found.qualities[:2] == [60, 90]


def test_grey_jpegs_have_one_component(photo, mask):
    image = Image.open(BytesIO(published(photo, mask, None, form=Form(grey=True)).data))
    assert image.mode == 'L'


@pytest.mark.parametrize('kind', ['own', 'none'])
def test_what_was_not_compressed_here_has_no_quality(kind, photo, mask):
    history = History(kind, None, Generation(90, '4:2:0'))
    found = publish_image(photo, mask, history, None, np.random.default_rng(0), 512)
    assert found.qualities == ([None, 90] if kind == 'own' else [90])
    assert len(found.subsampling) == len(found.qualities)


def test_a_crop_keeps_most_of_what_is_forged(photo, mask):
    corner = np.zeros_like(mask)
    corner[:12, :12] = 255
    for seed in range(12):
        for forged in (mask, corner):
            found = published(photo, forged, 'crop', seed)
            assert found.mask.sum() >= 0.5 * forged.sum()
            assert found.mask.shape == decode(found.data).shape[:2]


def test_platforms_shrink_what_is_too_large():
    image = np.random.default_rng(0).integers(0, 256, (300, 1500, 3), dtype=np.uint8)
    found = published(image, np.full((300, 1500), 255, np.uint8), 'social')
    assert max(decode(found.data).shape) == found.post['side'] in (1080, 960)
    assert 70 <= found.qualities[-1] <= 85
    assert found.subsampling[-1] == '4:2:0'


def test_nothing_is_enlarged_beyond_the_longest_side(photo, mask):
    for seed in range(12):
        found = published(photo, mask, 'resize', seed, max_side=300)
        assert max(found.mask.shape) <= 300
        assert min(found.mask.shape) >= 64


def test_a_mask_too_small_for_the_new_size_keeps_the_old_one(photo):
    dot = np.zeros(photo.shape[:2], np.uint8)
    dot[51, 51] = 255
    for kind in ('resize', 'screenshot'):
        for seed in range(6):
            assert published(photo, dot, kind, seed).mask.any()


def test_post_processing_is_drawn_as_often_as_asked():
    rng = np.random.default_rng(0)
    kinds = [draw_post(rng, 0.25) for _ in range(2000)]
    share = np.mean([kind is not None for kind in kinds])
    assert 0.22 < share < 0.28
    assert set(kinds) == {None, *POST}
    assert {draw_post(rng, 0) for _ in range(50)} == {None}
    assert None not in {draw_post(rng, 1) for _ in range(50)}


@pytest.mark.parametrize('kind', [None, 'resave', 'social', 'noise', 'resize', 'blur'])
def test_traces_of_the_first_compression_stay_where_the_grid_does(kind, photo, mask):
    data = published(photo, mask, kind).data
    step = int(read_luma(encode(photo, 60)).table[1, 0])
    # The first generation's comb, on the pixels of the last: without its own quantisation.
    pixels = Image.open(BytesIO(data)).convert('L')
    blocks = np.asarray(pixels, np.float64)
    rows, columns = blocks.shape[0] // 8, blocks.shape[1] // 8
    blocks = blocks[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).transpose(0, 2, 1, 3)
    basis = np.outer(np.cos((2 * np.arange(8) + 1) * np.pi / 16), np.full(8, 1 / np.sqrt(8))) / 2
    values = (blocks * basis).sum(axis=(2, 3)).ravel()
    values = values[np.abs(values) > step / 2]
    on_comb = (np.abs(values - step * np.round(values / step)) < step / 5).mean()
    assert (on_comb > 0.6) == (kind in (None, 'resave', 'social'))
    assert on_comb > 0.6 or on_comb < 0.55


def test_any_draw_of_a_kind_takes_as_much_of_the_generator():
    following = set()
    for probability in (0, 0.5, 1):
        rng = np.random.default_rng(0)
        draw_post(rng, probability)
        following.add(rng.random())
    assert len(following) == 1


def test_a_crop_is_the_window_that_is_told(photo, mask):
    corners = set()
    for seed in range(8):
        found = publish_image(
            photo, mask, HISTORY, 'crop', np.random.default_rng(seed), 512, Form(png=True)
        )
        top, left = found.post['at']
        window = np.s_[top : top + found.mask.shape[0], left : left + found.mask.shape[1]]
        assert np.array_equal(decode(found.data), photo[window])
        assert np.array_equal(found.mask, mask[window])
        assert min(np.divide(found.mask.shape, mask.shape)) > 0.75, '12 % at each border'
        corners.add((top, left))
    assert len(corners) > 5


@pytest.mark.parametrize('kind', ['crop', 'resize', 'screenshot'])
def test_no_side_falls_below_64_pixels(kind, photo, mask):
    for seed in range(8):
        found = published(photo[60:126, 100:190], mask[60:126, 100:190], kind, seed)
        assert min(found.mask.shape) >= 64


@pytest.mark.parametrize('kind', ['resize', 'screenshot'])
def test_the_scale_is_told(kind, photo, mask):
    scales = []
    for seed in range(12):
        found = published(photo, mask, kind, seed)
        scales.append(found.post['scale'])
        assert np.abs(np.divide(found.mask.shape, mask.shape) - scales[-1]).max() < 0.003
    assert 0.5 <= min(scales) < 0.75
    assert max(scales) == 1 if kind == 'screenshot' else 1.05 <= max(scales) <= 1.3


def test_a_screenshot_at_its_own_scale_is_the_decoded_file(photo, mask):
    shots = (published(photo, mask, 'screenshot', seed) for seed in range(30))
    shot = next(shot for shot in shots if shot.post['scale'] == 1)
    assert np.array_equal(decode(shot.data), HISTORY.second(compress(photo, 60)))
    assert np.array_equal(shot.mask, mask)


@pytest.mark.parametrize('history', ['own', 'none'])
def test_a_png_of_what_was_not_compressed_here(history, photo, mask):
    found = publish_image(
        photo, mask, History(history, None, Generation(90, '4:2:0')), None,
        np.random.default_rng(0), 512, Form(png=True),
    )  # fmt: skip
    assert found.qualities == found.subsampling == ([None] if history == 'own' else [])
    assert np.array_equal(decode(found.data), photo)


@pytest.mark.parametrize('shape', [(7, 5), (7, 5, 3)])
def test_pngs_hold_the_pixels_however_hard_they_are_packed(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    for options in ({}, {'compress_level': 0}):
        assert np.array_equal(np.asarray(Image.open(BytesIO(png_of(pixels, **options)))), pixels)
