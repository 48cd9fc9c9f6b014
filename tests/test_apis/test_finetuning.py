"""``mmomni finetune``, part by part: data, split, schedule, outcome. The whole: ``test_cli``."""

from pathlib import Path

import numpy as np
import pytest
from mmengine.config import Config
from PIL import Image

from mmomni.apis.finetuning import (
    Outcome,
    demand_data,
    known,
    mixing,
    recipe_of,
    split_data,
    start_of,
    survey,
    table_of,
    write_lists,
)
from mmomni.apis.finetuning.outcome import read_outcome, scores_of
from mmomni.apis.finetuning.running import Plan, Speed, planned
from mmomni.apis.finetuning.split import Example, split_by_source
from mmomni.apis.weights import packaged
from mmomni.datasets.lists import read_list

SIDE = 48


def picture(number, side=SIDE):
    """Blobs; no two numbers look alike."""
    small = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC)


def add(folder, name, number, authentic=False):
    """One image, with a mask unless it is authentic."""
    path = folder / 'images' / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(number).save(path)
    if not authentic:
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[8:30, 8 + number % 9 : 30] = 255
        path = folder / 'masks' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)


@pytest.fixture
def folder(tmp_path):
    """20 forgeries and 10 authentic images."""
    for number in range(30):
        add(tmp_path / 'mine', f'{number:02d}.png', number, authentic=number >= 20)
    return tmp_path / 'mine'


def names(examples):
    return {Path(example.image).name for example in examples}


def sizes(split):
    return [
        (sum(e.is_forged for e in half), sum(not e.is_forged for e in half)) for half in split
    ]


# ---- data ---------------------------------------------------------------------------------------


def test_a_fifth_of_forgeries_and_of_authentic_images_is_held_out(folder):
    own = split_data(survey(str(folder), ()), seed=0)['own']
    assert sizes(own) == [(16, 8), (4, 2)]
    assert not names(own.train) & names(own.held_out)
    assert own.train == sorted(own.train)


def test_the_seed_decides(folder):
    data = survey(str(folder), ())
    first, again, other = (split_data(data, seed)['own'] for seed in (0, 0, 1))
    assert first == again
    assert names(first.held_out) != names(other.held_out)


def test_a_list_is_read_as_everywhere(folder):
    (folder / 'some.csv').write_text(
        'image,mask\n'
        + ''.join(f'images/{n:02d}.png,masks/{n:02d}.png\n' for n in range(9))
        + 'images/25.png,-\n'
    )
    data = survey(str(folder / 'some.csv'), ())
    assert (len(data.own), sum(e.is_forged for e in data.own)) == (10, 9)
    demand_data(data, has_known=False)


def test_too_few_forgeries_are_one_line(tmp_path):
    for number in range(12):
        add(tmp_path, f'{number}.png', number, authentic=number >= 7)
    with pytest.raises(ValueError, match=r'8 forgeries of your own, .* got 7 among 12 images$'):
        demand_data(survey(str(tmp_path), ()), has_known=False)


def test_where_no_mask_was_found_it_says_so(tmp_path):
    for number in range(12):
        add(tmp_path, f'{number}.png', number, authentic=True)
    with pytest.raises(ValueError, match=r'got 0 among 12 images, none of which has a mask$'):
        demand_data(survey(str(tmp_path), ()), has_known=False)


def test_too_few_known_ones_are_named(folder, tmp_path):
    add(tmp_path / 'other', '0.png', 100)
    data = survey(str(folder), [str(tmp_path / 'other')])
    with pytest.raises(ValueError, match=r'8 forgeries of --known, .* got 1 among 1 images$'):
        demand_data(data, has_known=True)


def test_a_config_is_no_data(tmp_path):
    loader = dict(dataset=dict(type='mmomni.ManipulationDataset', domain='a'))
    path = tmp_path / 'a.py'
    path.write_text(f'default_scope = "mmseg"\ntrain_dataloader = {loader!r}\n')
    with pytest.raises(ValueError, match='got a config; train with it by mmomni train'):
        survey(str(path), ())


def test_data_are_the_same_wherever_they_lie(folder, tmp_path):
    before = survey(str(folder), ()).digests
    moved = folder.rename(tmp_path / 'moved')
    assert survey(str(moved), ()).digests == before
    renamed = moved / 'images/03.png'
    for kind in ('images', 'masks'):  # the order decides on the split
        (moved / kind / '03.png').rename(moved / kind / '99.png')
    assert survey(str(moved), ()).digests != before
    for kind in ('images', 'masks'):
        (moved / kind / '99.png').rename(moved / kind / '03.png')
    assert survey(str(moved), ()).digests == before
    renamed.unlink()
    add(moved, '03.png', 99)
    assert survey(str(moved), ()).digests != before


def test_known_images_that_look_like_ones_own_are_left_out(folder, tmp_path):
    for number in range(18, 28):  # the first two are forged from what is among one's own
        add(tmp_path / 'known', f'k{number}.jpg', number)
    data = survey(str(folder), [str(tmp_path / 'known')])
    assert data.alike == 10
    for number in range(100, 110):
        add(tmp_path / 'known', f'k{number}.png', number)
    data = survey(str(folder), [str(tmp_path / 'known')])
    assert (data.alike, len(data.known)) == (10, 10)
    assert sizes(split_data(data, 0)['known']) == [(8, 0), (2, 0)]


# ---- sources ------------------------------------------------------------------------------------


def test_look_alikes_stay_on_one_side(tmp_path):
    """Ten pictures, each forged twice, the second time smaller."""
    for number in range(10):
        add(tmp_path, f'a{number}.png', number)
        image = picture(number, 3 * SIDE).resize((SIDE, SIDE))
        image.save(tmp_path / f'images/b{number}.png')
        Image.open(tmp_path / f'masks/a{number}.png').save(tmp_path / f'masks/b{number}.png')
    for seed in range(5):
        own = split_data(survey(str(tmp_path), ()), seed)['own']
        assert sizes(own) == [(16, 0), (4, 0)]
        train, held = ({name[1:] for name in names(half)} for half in own)
        assert not train & held


def test_folders_are_sources_where_there_are_several(tmp_path):
    for number in range(20):
        add(tmp_path, f'phone{number % 5}/{number}.png', number)
    own = split_data(survey(str(tmp_path), ()), seed=0)['own']
    assert sizes(own) == [(16, 0), (4, 0)]
    assert len({Path(e.image).parent for e in own.held_out}) == 1


def test_a_folder_of_authentic_images_is_no_source(tmp_path):
    for number in range(40):
        name = 'authentic' if number >= 20 else f'phone{number % 5}'
        add(tmp_path, f'{name}/{number}.png', number, authentic=number >= 20)
    assert sizes(split_data(survey(str(tmp_path), ()), seed=0)['own']) == [(16, 16), (4, 4)]


def test_of_a_folder_of_known_ones_only_look_alikes_are_left_out(folder, tmp_path):
    for number in range(100, 120):
        add(tmp_path / 'known', f'source{number % 4}/{number}.png', number)
    add(tmp_path / 'known', 'source0/03.png', 3)
    data = survey(str(folder), [str(tmp_path / 'known')])
    assert (data.alike, len(data.known)) == (1, 20)


def test_two_folders_are_classes(tmp_path):
    for number in range(20):
        add(tmp_path, f'{"removed" if number % 2 else "pasted"}/{number}.png', number)
    own = split_data(survey(str(tmp_path), ()), seed=0)['own']
    assert len({Path(e.image).parent for e in own.train}) == 2


def test_a_large_source_is_held_out_where_there_are_no_small_ones():
    examples = [Example(f'{k}.png', 'm.png', True, k * 3 // 24) for k in range(24)]
    split = split_by_source(examples, 0, 'yours')
    assert sizes(split) == [(16, 0), (8, 0)]


def test_forgeries_of_one_source_cannot_be_split():
    examples = [Example(f'{k}.png', 'm.png', True, 0) for k in range(9)]
    with pytest.raises(ValueError, match='yours: 9 of the 9 forgeries look alike or lie in one'):
        split_by_source(examples, 0, 'yours')


def test_no_more_is_held_out_than_tells_anything():
    examples = [Example(f'{k}.png', 'm.png' if k % 2 else None, k % 2 == 1, k) for k in range(100)]
    assert sizes(split_by_source(examples, 0, '', most=4)) == [(46, 46), (4, 4)]


def test_lists_hold_absolute_paths(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parts = split_data(survey('mine', ()), seed=0)
    lists = write_lists(tmp_path, parts)
    assert sorted(lists) == ['own_train', 'own_val']
    pairs = read_list(lists['own_val'], '').pairs
    assert [(p.image, p.mask) for p in pairs] == [
        (str(folder / 'images' / Path(e.image).name),
         e.mask and str(folder / 'masks' / Path(e.mask).name))
        for e in parts['own'].held_out
    ]  # fmt: skip


def test_names_that_no_list_can_hold_are_refused(folder):
    (folder / 'images/00.png').rename(folder / 'images/0\t0.png')
    (folder / 'masks/00.png').rename(folder / 'masks/0\t0.png')
    parts = split_data(survey(str(folder), ()), seed=0)
    with pytest.raises(ValueError, match='holds a tab or line break'):
        write_lists(folder, parts)


def test_what_is_known_is_forged_here_from_documents_and_ones_own_photos(
    folder, tmp_path, monkeypatch
):
    asked = []

    def synthesize(sources, out, domain, number, seed, *_, **__):
        asked.append((sources if isinstance(sources, str) else len(sources), domain, number))
        out.mkdir(parents=True)
        (out / 'list.txt').write_text(''.join(f'{k}.png\tm{k}.png\n' for k in range(number)))

    monkeypatch.setattr(known, 'synthesize_folder', synthesize)
    own = split_data(survey(str(folder), ()), seed=0)['own']
    made = known.forge_known(tmp_path / 'known', own, 0)
    # Of two authentic ones that are held out none are forged, which would look alike.
    assert asked == [('rendered', 'document', 184), (8, 'natural', 80)]
    assert sizes(made.split) == [(240, 0), (24, 0)]
    assert made.told == '184 rendered documents and 80 of your authentic photos, forged here'


# ---- recipe and schedule ------------------------------------------------------------------------


@pytest.fixture(scope='module')
def shipped(tmp_path_factory):
    out = tmp_path_factory.mktemp('out')
    lists = {f'{n}_{half}': out / f'{n}_{half}.txt' for n in ('own', 'known')
             for half in ('train', 'val')}  # fmt: skip
    return recipe_of(out, lists, start_of(packaged('.safetensors')), seed=3, minutes=2)


def test_the_config_alone_has_the_model_that_the_package_has_weights_of(shipped):
    alone = Config.fromfile(
        Path(__file__).parents[2] / 'configs/finetune/omni-iml_efficientnet-lite2_finetune.py'
    )

    def plain(model):
        """Without what is the same when it is not said."""
        if isinstance(model, dict):
            kept = {k: plain(v) for k, v in model.items() if k != 'init_cfg' and v is not None}
            return {k: v for k, v in kept.items() if v != {}}
        return [plain(each) for each in model] if isinstance(model, list | tuple) else model

    assert plain(shipped.model.to_dict()) == plain(alone.model.to_dict())
    assert shipped.optim_wrapper == alone.optim_wrapper


def test_the_recipe_names_the_lists_and_the_weights(shipped):
    train, val = (shipped[f'{part}_dataloader'].dataset.datasets for part in ('train', 'val'))
    assert [Path(s.ann_file).name for s in train] == ['own_train.txt', 'known_train.txt']
    assert [Path(s.ann_file).name for s in val] == ['own_val.txt', 'known_val.txt']
    assert shipped.load_from == str(packaged('.safetensors'))
    assert shipped.randomness.seed == 3
    assert shipped.custom_hooks[0].minutes == 2
    assert not shipped.optim_wrapper.optimizer.lr > 1e-4


def test_iterations_fit_the_time():
    plan = planned(Speed(step=1.0, validation=10.0), 600, images=10_000, batch_size=12)
    assert plan == Plan(370, 37)  # of 480 s, the first validation, ten more, and steps


def test_validations_take_a_third_of_the_time_at_most():
    plan = planned(Speed(step=1.0, validation=60.0), 600, images=10_000, batch_size=12)
    assert plan == Plan(300, 150)


def test_few_images_are_not_seen_for_ever():
    plan = planned(Speed(step=0.01, validation=0.1), 600, images=12, batch_size=12)
    assert plan == Plan(100, 10)


def test_too_few_minutes_say_how_many_there_should_be():
    speed = Speed(step=3.0, validation=100.0)
    with pytest.raises(ValueError, match=r'2 minutes are too few.*--minutes 9$'):
        planned(speed, 120, images=100, batch_size=12)
    assert planned(speed, 540, images=100, batch_size=12).iterations >= 10


# ---- outcome ------------------------------------------------------------------------------------


def outcome(before, after):
    scores = {
        f'selection/domains/{domain}/{name}': 0.25
        for domain in ('own', 'general')
        for name in ('IoU', 'F1', 'AUC')
    }
    counts = {f'selection/domains/{d}/tampered': n for d, n in (('own', 4), ('general', 9))}
    rows = [
        scores_of(scores | counts | {'selection/domains/own/IoU': iou}) for iou in (before, after)
    ]
    return Outcome(*rows, 40, 'best_iter_40.pth')


def test_what_is_hardly_better_is_not():
    assert outcome(0.2, 0.3).is_better
    assert not outcome(0.2, 0.2).is_better
    assert not outcome(0.2, 0.203).is_better


def test_the_table_has_both_parts_before_and_after():
    header, own, general = table_of(outcome(0.2, 0.3)).splitlines()
    assert header.split() == ['images', 'IoU', 'F1', 'AUC', 'false', 'area']
    assert ' '.join(own.split()) == 'your own 4 0.200 > 0.300 0.250 > 0.250 0.250 > 0.250 -'
    assert general.split()[:5] == ['what', 'it', 'knew', '9', '0.250']


def test_an_outcome_is_kept(tmp_path):
    assert read_outcome(tmp_path) is None
    came = outcome(0.2, 0.3)
    came.write(tmp_path)
    assert read_outcome(tmp_path) == came


# ---- less of it ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('found', 'share', 'tried'),
    [
        ({1.0: (0.4, 0.5)}, 1.0, []),  # forgets little
        ({1.0: (0.1, 0.3)}, 1.0, []),  # is no better anyway
        ({1.0: (0.4, 0.4), 0.75: (0.3, 0.5)}, 0.75, [0.75]),
        ({1.0: (0.4, 0.4), 0.75: (0.3, 0.45), 0.5: (0.2, 0.51)}, 0.5, [0.75, 0.5]),
        ({1.0: (0.4, 0.4), 0.75: (0.3, 0.45), 0.5: (0.2, 0.46)}, 0.5, [0.75, 0.5]),
        ({1.0: (0.4, 0.4), 0.75: (0.3, 0.45), 0.5: (0.2, 0.45)}, 0.75, [0.75, 0.5]),
        ({1.0: (0.4, 0.498)}, 1.0, []),  # within noise
        ({1.0: (0.4, 0.4), 0.75: (0.3, 0.45), 0.5: (0.1, 0.5)}, 0.75, [0.75, 0.5]),
        ({1.0: (0.4, 0.4), 0.75: (0.1, 0.5), 0.5: (0.1, 0.5)}, 1.0, [0.75, 0.5]),
    ],
)
def test_as_much_as_forgets_little(found, share, tried, tmp_path, monkeypatch):
    """By shares: IoU on one's own and on what it knew; before it was 0.1 and 0.5."""

    def scores(own, general):
        return dict(own=dict(IoU=own), general=dict(IoU=general))

    made = []
    monkeypatch.setattr(
        mixing, 'average_files',
        lambda files, path, shares, *_, **__: made.append((path.name, files, shares)),
    )
    monkeypatch.setattr(
        mixing, '_validated',
        lambda cfg, path: scores(*found[float(path.stem.removeprefix('mixed_'))]),
    )
    outcome = Outcome(scores(0.1, 0.5), scores(*found[1.0]), 6, 'best.pth')
    start = tmp_path / 'start.safetensors'
    result = mixing.mixed(Config(dict(work_dir=str(tmp_path))), outcome, start, lambda _: None)
    assert result.share == share
    assert result.after == scores(*found[share])
    assert result.best == ('best.pth' if share == 1 else f'mixed_{share}.pth')
    assert made == [
        (f'mixed_{each}.pth', [tmp_path / 'best.pth', start], [each, 1 - each]) for each in tried
    ]
