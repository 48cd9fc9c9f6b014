import json
import logging
import random
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmomni.jpeg import ImageReadError, decode
from mmomni.synthesis import (
    DOMAINS,
    OPERATIONS,
    Forgery,
    Synthesizer,
    domains,
    source_pool,
    synthesize_folder,
    synthesizer,
)
from mmomni.synthesis.authentic import list_sources, random_view, read_source
from mmomni.synthesis.faces.boxes import centre_box
from mmomni.synthesis.jpeg_history import FIRST, Generation, tables_of
from mmomni.synthesis.natural.things import list_donors, read_thing
from mmomni.synthesis.scene import Scene

# Operations that show content of another source.
BRING_IN = {'splice', 'backdrop', 'region_swap'}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


def metas(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / 'meta.jsonl').read_text().splitlines()]


@pytest.mark.parametrize('domain', ['natural', 'face'])
def test_images_masks_and_meta_fit_together(domain, folder, tmp_path):
    out = tmp_path / 'out'
    summary = synthesize_folder(
        [folder], out, domain, num=8, seed=0, max_side=256, post_probability=0,
        histories='double', png=0, first_quality=(50, 80), second_quality=(85, 97),
    )
    assert summary.num == sum(summary.operations.values()) == 8
    assert sorted(contents(out)) == sorted(
        ['list.txt', 'meta.jsonl', 'synthesis.json']
        + [f'images/{i:06d}.jpg' for i in range(8)]
        + [f'masks/{i:06d}.png' for i in range(8)]
    )
    for meta in metas(out):
        image = Image.open(out / 'images' / meta['file'])
        mask = np.asarray(Image.open(out / 'masks' / meta['file'].replace('.jpg', '.png')))
        assert image.format == 'JPEG'
        assert max(image.size) <= 256
        assert mask.shape == image.size[::-1]
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}
        stats = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:, :4]
        expected = {(x, y, x + w, y + h) for x, y, w, h in stats.tolist()}
        assert {tuple(box) for box in meta['boxes']} == expected
        assert meta['domain'] == domain
        assert meta['seed'] == 0
        assert set(meta['sources']) <= {'a.png', 'b.jpg', 'c.tif'}
        operations = {meta['operation'], meta.get('second', {}).get('operation')}
        assert (len(meta['sources']) == 2) == bool(operations & BRING_IN)
        assert meta['first'] == 'made'
        assert meta['post'] is None
        assert 50 <= meta['qualities'][0] <= 80
        assert 85 <= meta['qualities'][1] <= 97


def test_files_have_the_quality_and_subsampling_that_meta_tells(folder, tmp_path):
    out = tmp_path / 'out'
    synthesize_folder(
        folder, out, 'natural', 6, 0, 200, (70, 70), (88, 92), post_probability=0,
        histories='double', png=0,
    )
    for meta in metas(out):
        assert meta['qualities'][0] == 70
        written = Image.open(out / 'images' / meta['file'])
        reference = out / 'reference.jpg'
        written.convert('RGB').save(reference, quality=meta['qualities'][1])
        grey = written.mode == 'L'
        assert grey == meta['grey']
        assert written.quantization[0] == Image.open(reference).quantization[0]
        sampling = {'4:4:4': (1, 1), '4:2:0': (2, 2)}[meta['subsampling'][1]]
        assert grey or tuple(written.layer[0][1:3]) == sampling


@pytest.mark.parametrize(
    ('domain', 'rendered'), [('natural', False), ('face', False), ('document', True)]
)
def test_the_same_seed_gives_the_same_bytes(domain, rendered, folder, tmp_path):
    sources = 'rendered' if rendered else [folder]
    outs = [tmp_path / name for name in ('one', 'same', 'other')]
    for out, seed, noise in zip(outs, (4, 4, 5), (0, 1, 2), strict=True):
        np.random.seed(noise)
        random.seed(noise)
        synthesize_folder(sources, out, domain, 4, seed, max_side=224)
    one, same, other = map(contents, outs)
    assert one == same
    # Those of another seed can be PNGs where these are JPEGs.
    one, other = (
        [data for name, data in files.items() if name.startswith('images')]
        for files in (one, other)
    )
    assert len(one) == len(other) == 4
    assert not set(one) & set(other)


def test_an_image_does_not_depend_on_how_many_there_are(folder):
    paths = list_sources([folder])
    alone = Synthesizer(paths, 'natural', 1, 224)(3)
    make = Synthesizer(paths, 'natural', 1, 224)
    assert [make(index) for index in range(4)][3] == alone


def test_global_generators_are_left_alone(folder, tmp_path):
    np.random.seed(0)
    random.seed(0)
    before = np.random.get_state()[1].copy(), random.getstate()
    synthesize_folder(folder, tmp_path / 'out', 'natural', 2, 0, max_side=200)
    assert np.array_equal(np.random.get_state()[1], before[0])
    assert random.getstate() == before[1]


def scenes_of(monkeypatch) -> list[tuple[Scene, Forgery]]:
    """What is forged from now on, and what it becomes."""
    seen = []
    forge_scene = synthesizer.forge_scene

    def spy(scene, *args):
        seen.append((scene, forge_scene(scene, *args)))
        return seen[-1][1]

    monkeypatch.setattr(synthesizer, 'forge_scene', spy)
    return seen


def test_untouched_pixels_are_those_of_the_first_generation(folder, monkeypatch):
    seen = scenes_of(monkeypatch)
    sample = Synthesizer(list_sources([folder]), 'natural', 0, 224, post_probability=0)(0)
    first, forgery = seen[0][0].image, seen[0][1]
    far = cv2.dilate(forgery.mask, np.ones((17, 17), np.uint8)) == 0
    assert np.array_equal(forgery.image[far], first[far])
    assert np.array_equal(decode(sample.mask)[..., 0], forgery.mask)
    assert np.abs(decode(sample.image).astype(int) - forgery.image).mean() < 6


def test_rendered_documents(tmp_path):
    out = tmp_path / 'out'
    summary = synthesize_folder('rendered', out, 'document', 30, 0, max_side=256)
    assert set(summary.operations) == set(OPERATIONS['document'])
    assert all(meta['sources'] == ['rendered'] for meta in metas(out))


def test_scanned_documents_keep_their_scale(page, tmp_path):
    Image.fromarray(page).save(tmp_path / 'page.png')
    summary = synthesize_folder(tmp_path / 'page.png', tmp_path / 'out', 'document', 5, 0)
    assert summary.num == 5
    for path in (tmp_path / 'out' / 'images').iterdir():
        assert min(decode(path.read_bytes()).shape[:2]) >= 0.45 * min(page.shape[:2])


def test_a_single_source_gives_no_splices(folder, tmp_path):
    summary = synthesize_folder(folder / 'a.png', tmp_path / 'out', 'natural', 12, 0, max_side=200)
    assert 'splice' not in summary.operations


def test_a_folder_that_holds_files_is_refused(folder, tmp_path):
    out = tmp_path / 'out'
    out.mkdir()
    (out / 'precious.txt').write_text('mine')
    with pytest.raises(FileExistsError, match=r'choose another\s+folder'):
        synthesize_folder([folder], out, 'natural', 1, 0)
    assert contents(out) == {'precious.txt': b'mine'}


def test_unreadable_sources_are_left_out_and_named(folder, tmp_path, caplog):
    (folder / 'broken.jpg').write_bytes(b'no image')
    (folder / 'cut.jpg').write_bytes((folder / 'b.jpg').read_bytes()[:900])
    Image.new('RGB', (20, 20)).save(folder / 'tiny.png')
    out = tmp_path / 'out'
    with caplog.at_level(logging.WARNING):
        summary = synthesize_folder([folder], out, 'natural', 20, 0, max_side=200)
    assert {Path(path).name for path in summary.unreadable} == {'broken.jpg', 'cut.jpg', 'tiny.png'}
    for name in ('broken.jpg', 'cut.jpg', 'tiny.png'):
        assert sum(name in record.getMessage() for record in caplog.records) == 1
    used = {name for meta in metas(out) for name in meta['sources']}
    assert used == {'a.png', 'b.jpg', 'c.tif'}


def test_no_readable_source_fails_and_leaves_nothing_behind(tmp_path):
    source = tmp_path / 'in'
    source.mkdir()
    (source / 'broken.jpg').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'none can be read.*broken\.jpg'):
        synthesize_folder([source], tmp_path / 'out', 'natural', 1, 0)
    assert not (tmp_path / 'out').exists()


def test_sources_without_words_fail_and_are_named(tmp_path):
    Image.new('RGB', (300, 300), 'white').save(tmp_path / 'blank.png')
    with pytest.raises(ValueError, match=r'could not be forged.*blank\.png'):
        synthesize_folder(tmp_path / 'blank.png', tmp_path / 'out', 'document', 1, 0)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(domain='video'), 'domain must be one of'),
        (dict(num=0), 'num must be 1 or more, got 0'),
        (dict(workers=0), 'workers must be 1 or more, got 0'),
        (dict(authentic=1.5), r'authentic must lie in \[0, 1\], got 1.5'),
        (dict(post_probability=-1), 'post_probability must lie in'),
        (dict(seed=-1), 'seed must be 0 or more, got -1'),
        (dict(max_side=8), 'max_side must be 64 or more'),
        (dict(png=2), r'png must lie in \[0, 1\], got 2'),
        (dict(grey=-0.1), r'grey must lie in \[0, 1\], got -0.1'),
        (dict(histories='triple'), "histories must be one of .*got 'triple'"),
        (dict(first_quality=(80, 50)), 'low <= high'),
        (dict(second_quality=(90, 101)), 'low <= high'),
        (dict(sources='rendered'), "choose the domain 'document'"),
    ],
)
def test_bad_arguments_are_named(change, message, folder, tmp_path):
    arguments = dict(sources=[folder], out_dir=tmp_path / 'out', domain='natural', num=1, seed=0)
    with pytest.raises(ValueError, match=message):
        synthesize_folder(**(arguments | change))
    assert not (tmp_path / 'out').exists()


def test_missing_and_empty_sources_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='nowhere'):
        synthesize_folder([tmp_path / 'nowhere'], tmp_path / 'out', 'natural', 1, 0)
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match='found none'):
        synthesize_folder([tmp_path / 'empty'], tmp_path / 'out', 'natural', 1, 0)


def test_progress_counts_to_the_end(folder, tmp_path):
    calls = []
    synthesize_folder(
        [folder], tmp_path / 'out', 'natural', 3, 0, 200, progress=lambda *call: calls.append(call)
    )
    assert calls == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize('mode', ['L', 'RGBA', 'P', 'CMYK', 'I;16', '1'])
def test_sources_of_any_mode_become_rgb(mode, tmp_path, photo):
    image = Image.fromarray(photo)
    path = tmp_path / ('image.tif' if mode in ('CMYK', 'I;16') else 'image.png')
    if mode == 'I;16':
        Image.fromarray(photo[..., 0].astype(np.uint16) * 256).save(path)
    else:
        image.convert(mode).save(path)
    read = read_source(path)
    assert read.shape == photo.shape
    assert read.dtype == np.uint8
    if mode == 'I;16':
        assert np.array_equal(read[..., 1], photo[..., 0])


@pytest.mark.parametrize('size', [(70, 90), (200, 640), (900, 1300)])
@pytest.mark.parametrize('domain', DOMAINS)
def test_views_respect_their_limits(size, domain):
    image = np.zeros((*size, 3), np.uint8)
    rng = np.random.default_rng(0)
    views = [random_view(image, DOMAINS[domain].view, rng, 512) for _ in range(30)]
    assert max(max(view.shape[:2]) for view in views) <= 512
    if domain == 'document':
        return
    shortest = min(min(view.shape[:2]) for view in views)
    assert shortest >= (130 if min(size) >= 192 else min(size))


def on_grid(view: np.ndarray, image: np.ndarray) -> bool:
    """Whether a view is a window of an image whose corner lies on its 16x16 grid."""
    height, width = view.shape[:2]
    return any(
        np.array_equal(image[y : y + height, x : x + width], view)
        for y in range(0, image.shape[0] - height + 1, 16)
        for x in range(0, image.shape[1] - width + 1, 16)
    )


@pytest.mark.parametrize('first', FIRST)
@pytest.mark.parametrize('domain', DOMAINS)
def test_no_view_is_larger_than_asked(domain, first):
    image, rng = np.zeros((500, 700, 3), np.uint8), np.random.default_rng(0)
    for _ in range(20):
        assert max(random_view(image, DOMAINS[domain].view, rng, 100, first).shape[:2]) <= 100


@pytest.mark.parametrize('domain', DOMAINS)
def test_a_view_that_keeps_its_history_keeps_scale_and_grid(domain):
    image = np.random.default_rng(0).integers(0, 256, (300, 420, 3), dtype=np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(8):
        assert on_grid(random_view(image, DOMAINS[domain].view, rng, 256, 'own'), image)


def test_a_view_without_history_is_shrunk():
    image = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(10):
        view = random_view(image, DOMAINS['natural'].view, rng, 512, 'none')
        assert view.std() < 0.8 * image.std(), 'averaged'


def test_large_sources_are_sometimes_cut_out_at_their_own_scale():
    # Rows of 8 pixels: shrunk, they are narrower.
    ramp = np.repeat(np.arange(200, dtype=np.uint8), 8)[:, None, None]
    image = np.tile(ramp, (1, 1500, 3))
    rng = np.random.default_rng(0)
    views = [random_view(image, DOMAINS['natural'].view, rng, 300) for _ in range(60)]
    own = [np.ptp(view[:, 0, 0].astype(int)) <= len(view) / 8 + 1 for view in views]
    assert 4 <= sum(own) <= 30


def varied_metas(folder: Path, tmp_path: Path, **options) -> list[dict]:
    out = tmp_path / 'varied'
    synthesize_folder(folder, out, 'natural', 45, 0, 128, **options)
    return metas(out)


def test_histories_are_varied(folder, tmp_path):
    found = varied_metas(folder, tmp_path, post_probability=0, png=0.3, grey=0.3)
    assert {meta['first'] for meta in found} == set(FIRST)
    for meta in found:
        before = len(meta['qualities']) - (not meta['file'].endswith('.png'))
        assert before == (meta['first'] != 'none')
        if meta['first'] == 'own':
            assert meta['sources'][0] == 'b.jpg', 'the only JPEG'
            assert meta['qualities'][0] is None
    files = {meta['file']: meta['grey'] for meta in found}
    for name, grey in files.items():
        with Image.open(tmp_path / 'varied/images' / name) as image:
            assert image.mode == ('L' if grey else 'RGB')
            assert image.format == {'.jpg': 'JPEG', '.png': 'PNG'}[name[-4:]]
    assert 0.1 < np.mean([name.endswith('.png') for name in files]) < 0.6
    assert 0.1 < np.mean(list(files.values())) < 0.6


def test_tables_of_other_sources_are_used(tmp_path, photo):
    tables = tuple(range(2, 66)), tuple(range(70, 134))
    (tmp_path / 'in').mkdir()
    data = Generation(None, '4:2:0', tables).save(photo)
    (tmp_path / 'in/a.jpg').write_bytes(data)
    found = varied_metas(tmp_path / 'in', tmp_path, post_probability=0, png=0, grey=0)
    saved = [meta for meta in found if meta['qualities'][-1] is None]
    assert saved
    for meta in saved:
        written = (tmp_path / 'varied/images' / meta['file']).read_bytes()
        assert tables_of(written) == tables


def test_tables_of_a_camera_are_used_before_the_forgery(tmp_path, photo, monkeypatch):
    tables = tuple(range(2, 66)), tuple(range(70, 134))
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in/a.jpg').write_bytes(Generation(None, '4:2:0', tables).save(photo))
    seen = scenes_of(monkeypatch)
    found = varied_metas(tmp_path / 'in', tmp_path, post_probability=0, grey=0)
    firsts = [
        scene for (scene, _), meta in zip(seen, found, strict=True) if meta['first'] == 'camera'
    ]
    assert firsts
    for scene in firsts:
        assert scene.first.tables == tables
        again = scene.first(scene.image)
        assert np.abs(again.astype(int) - scene.image).mean() < 1


@pytest.mark.parametrize('rendered', [False, True])
def test_what_is_called_a_cameras_has_its_tables(rendered, folder, tmp_path):
    out = tmp_path / 'out'
    sources, domain = ('rendered', 'document') if rendered else (folder, 'natural')
    synthesize_folder(sources, out, domain, 30, 1, 200)
    cameras = [meta for meta in metas(out) if meta['first'] == 'camera']
    assert bool(cameras) != rendered, 'a rendered page has no camera'
    assert all(meta['qualities'][0] is None for meta in cameras)


def test_small_sources_are_not_called_fresh(tmp_path, photo):
    Image.fromarray(photo[:180, :240]).save(tmp_path / 'small.png')
    found = varied_metas(tmp_path / 'small.png', tmp_path, png=0.5)
    assert {meta['first'] for meta in found} == {'made'}


@pytest.mark.parametrize('size', [(300, 300), (300, 420), (640, 500), (100, 100)])
@pytest.mark.parametrize('domain', DOMAINS)
def test_views_without_history_are_always_shrunk(size, domain):
    # Rows of 4 pixels: shrunk, they are narrower.
    ramp = np.repeat(np.arange(size[0] // 4, dtype=np.uint8), 4)[:, None, None]
    image, rng = np.tile(ramp, (1, size[1], 3)), np.random.default_rng(0)
    for _ in range(30):
        view = random_view(image, DOMAINS[domain].view, rng, 512, 'none')
        rows = np.ptp(view[:, 0, 0].astype(int)) + 1
        assert len(view) / (4 * (rows + 1)) < 0.76


def test_authentic_portraits_are_chosen_as_forged_ones(tmp_path, photo, monkeypatch):
    for name, level in (('dark', 40), ('bright', 180)):
        image = (photo // 4 + level).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / f'{name}.png')
    monkeypatch.setattr(
        domains, 'find_face', lambda image: centre_box(image) if image.mean() > 120 else None
    )
    for authentic in (0, 1):
        make = Synthesizer(list_sources([tmp_path]), 'face', 0, 160, authentic=authentic)
        names = [make(index).meta['sources'][0] for index in range(16)]
        assert names.count('dark.png') <= 2


def test_authentic_documents_are_chosen_as_forged_ones(tmp_path, page):
    Image.fromarray(page).save(tmp_path / 'page.png')
    Image.new('RGB', (400, 400), 'white').save(tmp_path / 'blank.png')
    make = Synthesizer(list_sources([tmp_path]), 'document', 0, authentic=1)
    assert {make(index).meta['sources'][0] for index in range(12)} == {'page.png'}
    alone = Synthesizer([tmp_path / 'blank.png'], 'document', 0, authentic=1)
    with pytest.raises(ValueError, match=r'blank\.png: there are no words'):
        alone(0)


def counted(monkeypatch, name: str) -> list[None]:
    """Grows by one for each call of a function of ``domains``."""
    calls, function = [], getattr(domains, name)
    monkeypatch.setattr(domains, name, lambda image: calls.append(None) or function(image))
    return calls


def test_faces_and_words_are_looked_for_once_a_view(folder, page, tmp_path, monkeypatch):
    faces, words = counted(monkeypatch, 'find_face'), counted(monkeypatch, 'find_words')
    Synthesizer([folder / 'a.png'], 'face', 0, 200)(0)
    assert len(faces) == DOMAINS['face'].patience + 1, 'no face in any view'
    pages = [tmp_path / name for name in ('one.png', 'two.png')]
    for path in pages:
        Image.fromarray(page).save(path)
    Synthesizer(pages, 'document', 0, 400)(0)
    assert len(words) == 2, 'of the page and of the donor'


@pytest.mark.parametrize('histories', ['varied', 'double'])
def test_two_plain_generations_leave_a_clear_trace(histories, folder, monkeypatch):
    seen = scenes_of(monkeypatch)
    Synthesizer(list_sources([folder]), 'natural', 0, 160, histories=histories)(3)
    scene = seen[0][0]
    assert scene.clear == (histories == 'double')
    assert scene.first is None or histories == 'varied'


@pytest.fixture
def donors(tmp_path, photo) -> Path:
    """Two things twice as high as wide."""
    y, x = np.mgrid[: photo.shape[0], : photo.shape[1]]
    mask = ((y - 130) / 100) ** 2 + ((x - 150) / 50) ** 2 < 1
    for name in ('images', 'masks'):
        (tmp_path / 'donors' / name).mkdir(parents=True)
    for stem in ('p', 'q'):
        Image.fromarray(photo).save(tmp_path / f'donors/images/{stem}.jpg')
        Image.fromarray(mask).save(tmp_path / f'donors/masks/{stem}.png')
    return tmp_path / 'donors'


def test_donors_are_put_into_photos(donors, folder, tmp_path):
    found = varied_metas(folder, tmp_path, donors=donors)
    pasted = [meta for meta in found if meta['operation'] == 'paste_thing']
    assert pasted
    for meta in pasted:
        assert meta['sources'][-1] in ('p.jpg', 'q.jpg')
    kinds = {(meta['cut_off'], meta['shadow']) for meta in pasted}
    assert (True, True) not in kinds


def test_a_donor_that_cannot_be_used_is_left_out(donors, folder, tmp_path):
    Image.new('L', (40, 40), 255).save(donors / 'masks/p.png')
    out = tmp_path / 'out'
    summary = synthesize_folder(folder, out, 'natural', 40, 1, 128, donors=donors)
    assert list(summary.unreadable) == [str(donors / 'masks/p.png')]
    assert 'the size of' in summary.unreadable[str(donors / 'masks/p.png')]
    assert 'p.jpg' not in {name for meta in metas(out) for name in meta['sources']}


def test_only_donors_that_are_needed_are_read(donors, folder, tmp_path, monkeypatch):
    read, read_thing = [], source_pool.read_thing
    monkeypatch.setattr(
        source_pool, 'read_thing', lambda *pair: read.append(pair) or read_thing(*pair)
    )
    found = varied_metas(folder, tmp_path, donors=donors)
    needed = sum(meta['operation'] == 'paste_thing' for meta in found)
    assert needed <= len(read) < needed + 15 < len(found)


def test_donors_of_which_none_can_be_read_fail(donors, folder, tmp_path):
    for path in (donors / 'masks').iterdir():
        Image.new('L', (40, 40), 255).save(path)
    with pytest.raises(ValueError, match=r'got 2 of which none can, such as .*the size of'):
        synthesize_folder(folder, tmp_path / 'out', 'natural', 40, 0, 128, donors=donors)


def test_donors_in_subfolders_have_their_own_masks(donors, photo):
    for folder, x in (('a', 60), ('b', 160)):
        mask = np.zeros(photo.shape[:2], np.uint8)
        mask[80:180, x : x + 60] = 255
        for kind, image in (('images', photo), ('masks', mask)):
            (donors / kind / folder).mkdir()
            Image.fromarray(image).save(donors / kind / folder / '1.png')
    pairs = list_donors(donors)
    assert len(pairs) == 4
    for image, mask in pairs:
        assert image.parent.name in (mask.parent.name, 'images')
        assert image.stem == mask.stem
    (donors / 'masks/b/1.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'none for 1\.png'):
        list_donors(donors)


def test_workers_with_donors_write_the_same_bytes(donors, folder, tmp_path):
    outs = [tmp_path / str(workers) for workers in (1, 3)]
    for workers, out in zip((1, 3), outs, strict=True):
        synthesize_folder(folder, out, 'natural', 14, 0, 128, donors=donors, workers=workers)
    assert 'paste_thing' in {meta['operation'] for meta in metas(outs[0])}
    assert contents(outs[0]) == contents(outs[1])


def test_masks_without_a_thing_are_named(donors):
    with Image.open(donors / 'masks/p.png') as mask:
        size = mask.size
    Image.new('L', size).save(donors / 'masks/p.png')
    with pytest.raises(ImageReadError, match='at least 32 px a side, got 0x0'):
        read_thing(*list_donors(donors)[0])


def test_other_donors_are_not_resumed(donors, folder, tmp_path):
    out = tmp_path / 'out'
    synthesize_folder(folder, out, 'natural', 1, 0, 128, donors=donors)
    with pytest.raises(ValueError, match='its donors is'):
        synthesize_folder(folder, out, 'natural', 2, 0, 128, resume=True)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda donors: (donors / 'masks/q.png').unlink(), 'none for q.jpg'),
        (lambda donors: (donors / 'masks').rename(donors / 'mask'), 'found no masks'),
        (lambda donors: [path.unlink() for path in (donors / 'images').iterdir()], 'no photo'),
    ],
)
def test_donors_that_do_not_fit_together_are_named(change, message, donors, folder, tmp_path):
    change(donors)
    with pytest.raises(FileNotFoundError, match=message):
        synthesize_folder(folder, tmp_path / 'out', 'natural', 1, 0, donors=donors)


def test_donors_are_for_photos_alone(donors, folder, tmp_path):
    with pytest.raises(ValueError, match="choose the domain 'natural' or leave"):
        synthesize_folder(folder, tmp_path / 'out', 'face', 1, 0, donors=donors)


def test_documents_are_not_mirrored_and_photos_are():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 256, axis=0).repeat(3, axis=2)
    rng = np.random.default_rng(0)
    slopes = {
        domain: {
            bool(view[0, 0, 0] < view[0, -1, 0])
            for view in (random_view(ramp, DOMAINS[domain].view, rng, 256) for _ in range(20))
        }
        for domain in ('natural', 'document')
    }
    assert slopes == {'natural': {True, False}, 'document': {True}}
