from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from mmomni.jpeg import encode, read_luma
from mmomni.synthesis import OPERATIONS
from mmomni.synthesis.jpeg_history import (
    Generation,
    History,
    compress,
    draw_generation,
    on_same_grid,
    tables_of,
    with_foreign_history,
)
from mmomni.synthesis.natural.moving import copy_move, removal
from mmomni.synthesis.natural.retouching import local_resave
from mmomni.synthesis.natural.splicing import splice
from mmomni.synthesis.scene import Scene, Thing


def test_qualities_cover_their_ranges_with_both_ends():
    rng = np.random.default_rng(0)
    generations = [draw_generation(rng, (50, 53)) for _ in range(100)]
    assert {generation.quality for generation in generations} == {50, 51, 52, 53}
    assert {generation.subsampling for generation in generations} == {'4:4:4', '4:2:0'}


def odd_tables() -> tuple[tuple[int, ...], ...]:
    """Two tables that no quality of libjpeg has, unlike at every frequency."""
    return tuple(range(2, 66)), tuple(range(70, 134))


@pytest.mark.parametrize('grey', [False, True])
def test_a_generation_of_given_tables_has_them(grey, photo):
    generation = draw_generation(np.random.default_rng(0), (50, 60), odd_tables())
    assert generation.quality is None
    data = generation.save(photo[..., 0] if grey else photo)
    found = tables_of(data)
    assert found[0] == odd_tables()[0]
    assert found[1] == odd_tables()[0 if grey else 1]
    assert np.array_equal(read_luma(data).table.ravel(), odd_tables()[0])
    assert generation(photo).shape == photo.shape


def test_a_generation_of_a_quality_is_that_of_the_encoder(photo):
    assert Generation(63, '4:2:0').save(photo) == encode(photo, 63, '4:2:0')


def test_no_tables_are_taken_from_what_is_no_jpeg(photo):
    buffer = BytesIO()
    Image.fromarray(photo).save(buffer, 'PNG')
    assert tables_of(buffer.getvalue()) is None
    cmyk = BytesIO()
    Image.fromarray(photo).convert('CMYK').save(cmyk, 'JPEG')
    assert tables_of(cmyk.getvalue()) is None


def test_a_second_compression_with_the_same_settings_changes_little(photo):
    once = compress(photo, 60)
    assert np.abs(once.astype(int) - photo).mean() > 3
    assert np.abs(compress(once, 60).astype(int) - once).mean() < 0.5


def test_foreign_histories_vary(photo):
    rng = np.random.default_rng(0)
    like = Generation(55, '4:2:0')
    donors = [with_foreign_history(photo, rng, like) for _ in range(40)]
    untouched = sum(np.array_equal(donor, photo) for donor in donors)
    alike = sum(np.array_equal(donor, like(photo)) for donor in donors)
    assert 4 < untouched < 30
    assert 3 < alike < 25
    assert len({donor.tobytes() for donor in donors}) > 8


@pytest.mark.parametrize(
    ('shift', 'same'), [((8, -16), True), ((0, 0), True), ((8, 3), False), ((1, 8), False)]
)
def test_grid_phase(shift, same):
    assert on_same_grid(*shift) is same


def share_on_first_grid(jpeg: bytes, blocks: np.ndarray, first_step: int) -> float:
    """How many non-zero coefficients of one frequency are multiples of the first step.

    Rounding of the second generation moves them by half of its step; pixels' by one or so.
    """
    luma = read_luma(jpeg)
    rows, columns = blocks.shape
    values = luma.coefficients[: rows * 8, : columns * 8][1::8, 0::8][blocks].astype(int)
    values = values * int(luma.table[1, 0])
    values = values[np.abs(values) > first_step / 2]
    assert values.size > 30
    off = np.abs(values - first_step * np.round(values / first_step))
    return float((off <= first_step / 6).mean())


def whole_blocks(mask: np.ndarray) -> np.ndarray:
    rows, columns = mask.shape[0] // 8, mask.shape[1] // 8
    return mask[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).all(axis=(1, 3))


def test_a_region_saved_on_its_own_grid_leaves_that_of_the_image(photo):
    rng, shares = np.random.default_rng(0), {'kept': [], 'own': []}
    # Nothing but noise, which has no grid by itself.
    noise = rng.normal(128, 40, photo.shape).clip(0, 255).astype(np.uint8)
    for _ in range(200):
        edit = local_resave(Scene(noise), rng)
        blocks = None if edit is None else whole_blocks(edit.matte == 1)
        if blocks is None or edit.details['quality'] > 60 or blocks.sum() < 80:
            continue
        step = int(read_luma(encode(photo, edit.details['quality'])).table[1, 0])
        share = share_on_first_grid(encode(edit.image, 98), blocks, step)
        shares[edit.details['grid']].append(share)
        if min(map(len, shares.values())) == 2:
            break
    assert min(map(len, shares.values())) > 1
    assert min(shares['kept']) > 0.8
    assert max(shares['own']) < 0.6


@pytest.mark.parametrize('operation', [copy_move, splice, removal])
def test_only_untouched_blocks_are_doubly_compressed(operation, photo, other_photo):
    first_step = int(read_luma(encode(photo, 50)).table[1, 0])
    assert first_step >= 12
    rng = np.random.default_rng(3)
    untouched, tampered = [], []
    scene = Scene(compress(photo, 50), other_photo)
    while len(tampered) < 5:
        edit = operation(scene, rng)
        if edit is None or edit.mask.mean() < 0.05 or edit.details.get('grid') == 'kept':
            continue
        jpeg = encode(edit.image, 96)
        same = (edit.image == scene.image).all(axis=2)
        untouched.append(share_on_first_grid(jpeg, whole_blocks(same), first_step))
        tampered.append(share_on_first_grid(jpeg, whole_blocks(edit.mask), first_step))
    assert np.mean(untouched) > 0.9
    assert np.mean(tampered) < 0.6


def area_under_curve(positives: np.ndarray, negatives: np.ndarray) -> float:
    """How often a positive scores higher than a negative; ties count half."""
    pairs = np.sign(positives[:, None] - negatives[None]) / 2 + 0.5
    return float(pairs.mean())


def double_quantisation_scores(jpeg: bytes) -> np.ndarray:
    """How well each block sits on the peaks of the image's own DCT histograms, (H/8, W/8).

    The effect that Lin et al., "Fast, Automatic and Fine-Grained Tampered JPEG Image Detection
    via DCT Coefficient Analysis", 2009, detect. It knows neither quality nor mask.
    """
    coefficients = read_luma(jpeg).coefficients.astype(int)
    rows, columns = (side // 8 for side in coefficients.shape)
    scores = np.zeros((rows, columns))
    for u, v in ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (0, 3), (3, 0)):
        values = coefficients[u::8, v::8].clip(-40, 40) + 40
        histogram = np.bincount(values.ravel(), minlength=81) + 1.0
        smooth = np.convolve(histogram, np.ones(9) / 9, mode='same')
        scores += np.log(histogram / smooth)[values]
    return scores


def disc(size: tuple[int, int]) -> np.ndarray:
    """The mask of a round thing in the middle, ``bool`` (H, W)."""
    y, x = np.mgrid[: size[0], : size[1]]
    return (y - size[0] / 2) ** 2 + (x - size[1] / 2) ** 2 < (min(size) / 3) ** 2


DIFFERING = [
    item
    for domain in ('natural', 'face')
    for item in OPERATIONS[domain].items()
    # These change but a few blocks, or let what is beneath shine through.
    if item[0] not in ('write_text', 'face_retouch')
]


@pytest.mark.parametrize(('name', 'operation'), DIFFERING)
def test_histograms_alone_tell_tampered_from_authentic_blocks(name, operation, photo, other_photo):
    rng = np.random.default_rng(1)
    areas: list[float] = []
    thing = Thing(other_photo, disc(other_photo.shape[:2]))
    boxes = (80, 60, 200, 180), (90, 50, 190, 150)
    scene = Scene(compress(photo, 55), other_photo, None, *boxes, thing)
    while len(areas) < 6:
        edit = operation(scene, rng)
        if edit is None or whole_blocks(edit.mask).sum() < 12:
            continue
        if edit.details.get('grid') == 'kept':
            continue
        scores = double_quantisation_scores(encode(edit.image, 95))
        rows, columns = edit.mask.shape[0] // 8, edit.mask.shape[1] // 8
        scores = scores[:rows, :columns]
        untouched = whole_blocks(edit.matte == 0)
        areas.append(area_under_curve(scores[untouched], scores[whole_blocks(edit.mask)]))
    assert np.mean(areas) > 0.6, name


def test_images_that_are_not_forged_look_alike_everywhere(photo):
    scores = double_quantisation_scores(encode(compress(photo, 55), 95))
    half = scores.shape[1] // 2
    area = area_under_curve(scores[:, :half].ravel(), scores[:, half:].ravel())
    assert 0.35 < area < 0.65


@pytest.mark.parametrize('subsampling', ['4:4:4', '4:2:0'])
@pytest.mark.parametrize('tables', [(), odd_tables()], ids=['of a quality', 'of given tables'])
def test_files_have_the_chroma_layout_of_their_generation(subsampling, tables, photo):
    generation = Generation(None if tables else 80, subsampling, tables)
    with Image.open(BytesIO(generation.save(photo[:40, :40]))) as image:
        assert tuple(image.layer[0][1:3]) == ((1, 1) if subsampling == '4:4:4' else (2, 2))


def test_given_tables_change_no_later_draw():
    following = []
    for tables in (None, odd_tables()):
        rng = np.random.default_rng(0)
        draw_generation(rng, (70, 90), tables)
        following.append(rng.random())
    assert following[0] == following[1]


FIRST_GENERATION, SECOND_GENERATION = Generation(50, '4:4:4'), Generation(90, '4:2:0')


@pytest.mark.parametrize(
    ('history', 'earlier'),
    [
        (History('made', FIRST_GENERATION, SECOND_GENERATION), [FIRST_GENERATION]),
        (History('own', None, SECOND_GENERATION), [None]),
        (History('none', None, SECOND_GENERATION), []),
    ],
    ids=lambda value: getattr(value, 'kind', ''),
)
def test_the_forger_gets_the_first_generation_alone(history, earlier, photo):
    assert history.earlier == earlier
    if history.kind == 'made':
        assert np.array_equal(history.before(photo), compress(photo, 50))
    else:
        assert history.before(photo) is photo


def test_without_a_first_generation_donors_are_as_they_are_or_of_any_quality(photo):
    image, rng = photo[:40, :40], np.random.default_rng(0)
    donors = [with_foreign_history(image, rng) for _ in range(60)]
    assert 0.2 < np.mean([donor is image for donor in donors]) < 0.6
    losses = [np.abs(donor.astype(int) - image).mean() for donor in donors if donor is not image]
    low, high = (np.abs(compress(image, q).astype(int) - image).mean() for q in (98, 40))
    assert low * 0.9 < min(losses) < max(losses) < high * 1.5
    assert np.std(losses) > 0.15 * (high - low)


def saved(mode: str, tables: list[list[int]]) -> bytes:
    buffer = BytesIO()
    Image.new(mode, (16, 16)).save(buffer, 'JPEG', qtables=tables)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ('mode', 'steps', 'expected'),
    [
        pytest.param('RGB', [3, 5], (3, 5), id='luma first'),
        pytest.param('L', [3], (3, 3), id='of a grey file, for both'),
        pytest.param('RGB', [3], (3, 3), id='one for both'),
        pytest.param('RGB', [255, 5], (255, 5), id='the largest step of 8 bits'),
        pytest.param('RGB', [3, 256], None, id='steps of 16 bits'),
    ],
)
def test_tables_fit_an_image_of_colours(mode, steps, expected):
    found = tables_of(saved(mode, [[step] * 64 for step in steps]))
    assert found == (expected and tuple((step,) * 64 for step in expected))


def test_of_three_tables_the_first_two_are_taken():
    tables = tables_of(saved('RGB', [[step] * 64 for step in (3, 5, 7)]))
    assert tables == ((3,) * 64, (5,) * 64)
