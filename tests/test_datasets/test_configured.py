"""Test sets that are absent, and how the others reach the network, read from configs."""

from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS

from mmomni.datasets.configured import (
    demand_known,
    demand_sets,
    describe_absent,
    drop_absent_sets,
    innermost,
    inputs_of_sets,
    pass_on_pipeline,
    sets_of,
    type_name,
)
from mmomni.evaluation.paper_tables import PAPER_SETS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs/omni_iml'
PAPER = 'omni-iml_convnext-base_8xb2-370k_iml-512x512'


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def config(*entries):
    return Config(dict(test_dataloader=dict(dataset=dict(type='Concat', datasets=list(entries)))))


def entry(root, domain='natural', **options):
    kind = options.pop('type', 'mmomni.ManipulationDataset')
    return dict(type=kind, domain=domain, data_root=str(root), **options)


def names(cfg):
    return [Path(each['data_root']).name for each in cfg.test_dataloader.dataset.datasets]


@pytest.fixture
def there(tmp_path):
    """Of three sets in three layouts: what each needs, and its entry."""
    touch(tmp_path / 'CASIAv1/test.txt')
    touch(tmp_path / 'Coverage/images/a.jpg')
    touch(tmp_path / 'FCD/data.mdb')
    touch(tmp_path / 'pks/FCD_75.pk')
    jpeg = dict(type='mmomni.DocTamperJPEG', factors=str(tmp_path / 'pks/FCD_75.pk'))
    return [
        entry(tmp_path / 'CASIAv1', ann_file='test.txt', pipeline=[]),
        entry(tmp_path / 'Coverage'),
        entry(
            tmp_path / 'FCD', 'document', type='mmomni.DocTamperDataset', name='DocTamper-FCD',
            pipeline=[jpeg],
        ),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ('kind', 'name'), [('Resize', 'Resize'), ('mmomni.Perturb', 'Perturb'), (Path, 'Path')]
)
def test_type_is_a_name_or_a_class(kind, name):
    assert type_name(dict(type=kind)) == name


# ---- absent sets -------------------------------------------------------------------------------


def test_what_is_there_stays(there):
    cfg = config(*there)
    assert drop_absent_sets(cfg, PAPER_SETS) == []
    assert names(cfg) == ['CASIAv1', 'Coverage', 'FCD']


@pytest.mark.parametrize(
    ('gone', 'name'),
    [
        ('CASIAv1/test.txt', 'CASIAv1'),
        ('Coverage/images', 'Coverage'),
        ('FCD/data.mdb', 'DocTamper-FCD'),
        ('pks/FCD_75.pk', 'DocTamper-FCD'),
    ],
)
def test_a_set_without_what_it_needs_is_dropped_and_named(gone, name, there, tmp_path):
    (tmp_path / gone).rename(tmp_path / 'elsewhere')
    cfg = config(*there)
    (absent,) = drop_absent_sets(cfg, PAPER_SETS)
    assert (absent.name, absent.expected) == (name, str(tmp_path / gone))
    assert len(names(cfg)) == 2
    lines = describe_absent([absent], total=3)
    for part in ('1 of 3 test sets', name, str(tmp_path / gone), 'docs/datasets.md'):
        assert part in lines


def test_absent_sets_are_dropped_and_counted_wherever_wrappers_nest_them(there, tmp_path):
    nested = dict(type='Concat', datasets=[there[1], entry(tmp_path / 'NIST16')])
    repeated = dict(type='Repeat', dataset=entry(tmp_path / 'IMD20'))
    cfg = config(there[0], nested, repeated)
    assert len(sets_of(cfg, 'test_dataloader')) == 4
    absent = drop_absent_sets(cfg, PAPER_SETS)
    assert [each.name for each in absent] == ['NIST16', 'IMD20']
    assert sets_of(cfg, 'test_dataloader') == there[:2]


def test_a_misspelt_path_of_ones_own_set_is_left_for_the_dataset_to_refuse(there, tmp_path):
    cfg = config(*there, entry(tmp_path / 'mien'))
    assert drop_absent_sets(cfg, PAPER_SETS) == []
    assert names(cfg)[-1] == 'mien'


def test_nothing_there_is_an_error_that_names_what_was_expected(tmp_path):
    cfg = config(entry(tmp_path / 'CASIAv1', ann_file='test.txt'), entry(tmp_path / 'Coverage'))
    with pytest.raises(FileNotFoundError) as error:
        drop_absent_sets(cfg, PAPER_SETS)
    for part in ('CASIAv1/test.txt', 'Coverage/images', 'docs/datasets.md'):
        assert part in str(error.value)


def test_an_empty_list_of_test_sets_is_an_error():
    with pytest.raises(FileNotFoundError, match='not one of the test sets is there'):
        drop_absent_sets(config(), PAPER_SETS)


COVERAGE = dict(type='mmomni.ManipulationDataset', domain='natural', data_root='no/Coverage')


@pytest.mark.parametrize(
    'dataset',
    [
        dict(type='ADE20KDataset', data_root='nowhere'),
        COVERAGE,
        dict(type='Repeat', dataset=COVERAGE),
        dict(type='Repeat', dataset=dict(type='Repeat', dataset=COVERAGE)),
        None,
    ],
    ids=['of another package', 'absent', 'repeated', 'repeated twice', 'none'],
)
def test_a_single_set_and_no_set_at_all_are_left_alone(dataset):
    """Nothing is beside it to test instead: an absent one is left for the dataset to refuse."""
    cfg = Config(dict(test_dataloader=dataset and dict(dataset=dataset)))
    before = cfg.pretty_text if dataset else None
    assert drop_absent_sets(cfg, PAPER_SETS) == []
    assert dataset is None or cfg.pretty_text == before


def test_a_default_name_is_the_folders_and_doctamper_is_a_document(tmp_path):
    touch(tmp_path / 'mine/images/a.jpg')
    nowhere = dict(type='mmomni.DocTamperDataset', data_root=str(tmp_path / 'DocTamper-SCD'))
    cfg = config(entry(tmp_path / 'mine'), nowhere)
    (absent,) = drop_absent_sets(cfg, PAPER_SETS)
    assert absent[:2] == ('document', 'DocTamper-SCD')


# ---- the input ---------------------------------------------------------------------------------

LOAD = dict(type='mmomni.LoadOriginalImage')


@pytest.mark.parametrize(
    ('step', 'expected'),
    [
        (None, 'native'),
        (dict(type='Resize', scale=(640, 512), keep_ratio=False), 'resized 640x512'),
        (dict(type='mmcv.Resize', scale=512), 'resized 512x512'),
        (
            dict(type='Resize', scale=(2048, 512), keep_ratio=True),
            'resized 2048x512 at most, ratio kept',
        ),
        (dict(type='Resize', scale_factor=0.5), 'resized by 0.5'),
        (dict(type='ResizeToMultiple', size_divisor=32), 'resized by ResizeToMultiple'),
    ],
)
def test_input_is_read_from_the_pipeline(step, expected):
    pipeline = [LOAD, *([step] if step else [])]
    cfg = config(entry('data/a', pipeline=pipeline))
    assert inputs_of_sets(cfg) == {('natural', 'a'): expected}


def test_input_of_a_single_set():
    cfg = Config(dict(test_dataloader=dict(dataset=entry('data/a', pipeline=[LOAD]))))
    assert inputs_of_sets(cfg) == {('natural', 'a'): 'native'}


@pytest.mark.parametrize(
    ('suffix', 'expected'), [('', 'native'), ('_resized-test', 'resized 512x512')]
)
def test_both_readings_of_the_paper_have_a_config(suffix, expected):
    """Of all ten sets; the recipe is the same."""
    cfg = Config.fromfile(CONFIGS / f'{PAPER}{suffix}.py')
    inputs = inputs_of_sets(cfg)
    assert set(inputs) == set(PAPER_SETS)
    assert set(inputs.values()) == {expected}
    native = Config.fromfile(CONFIGS / f'{PAPER}.py')
    for key in ('model', 'train_dataloader', 'train_cfg', 'optim_wrapper', 'test_evaluator'):
        assert cfg[key] == native[key]


def test_all_absent_training_sets_are_named_at_once(there, tmp_path):
    absent = [entry(tmp_path / 'A', ann_file='train.txt'), entry(tmp_path / 'B', 'face')]
    foreign = dict(type='ADE20KDataset')
    train = dict(dataset=dict(type='Concat', datasets=[*there, *absent, foreign]))
    with pytest.raises(FileNotFoundError) as caught:
        demand_sets(Config(dict(train_dataloader=train)))
    message = str(caught.value)
    assert message.startswith('2 of 6 training sets are absent')
    assert f'natural/A: expected {tmp_path}/A/train.txt' in message
    assert f'face/B: expected {tmp_path}/B/images' in message
    assert 'docs/datasets.md' in message


def test_absent_validation_sets_are_named_and_none_twice(there, tmp_path):
    """Images may be held out of a training set."""
    shared, own = entry(tmp_path / 'A', ann_file='train.txt'), entry(tmp_path / 'B', 'face')
    cfg = Config(
        dict(
            train_dataloader=dict(dataset=dict(type='Concat', datasets=[*there, shared])),
            val_dataloader=dict(dataset=dict(type='Concat', datasets=[shared, own])),
        )
    )
    with pytest.raises(FileNotFoundError) as caught:
        demand_sets(cfg)
    message = str(caught.value)
    assert message.startswith('1 of 4 training sets are absent')
    assert '1 of 2 validation sets are absent' in message
    assert message.count('natural/A: expected') == 1


def test_training_sets_that_are_there_are_let_through(there):
    demand_sets(Config(dict(train_dataloader=dict(dataset=there[1]))))
    demand_sets(Config({}))


def test_images_of_ones_own_are_spoken_of_and_folders_of_another_kind(tmp_path):
    for part in ('Tp', 'Gt'):
        (tmp_path / 'C' / part).mkdir(parents=True)
    sets = [entry(tmp_path / 'A'), entry(tmp_path / 'C')]
    with pytest.raises(FileNotFoundError) as caught:
        demand_sets(Config(dict(train_dataloader=dict(dataset=dict(datasets=sets)))))
    message = str(caught.value)
    for word in ('img_suffix', 'seg_map_suffix', 'data_prefix', 'images/', 'masks/'):
        assert word in message
    assert message.count('tp_gt.py') == 1
    assert f'tp_gt.py {tmp_path}/C' in message


@pytest.mark.parametrize(
    ('wrong', 'told'),
    [
        (dict(type='ManipulationDataSet'), 'no registry; is it mmomni.ManipulationDataset?'),
        (dict(type='mmomni.ManipulationDataSet'), 'is it mmomni.ManipulationDataset?'),
        (dict(type='momni.DocTamperDataset'), 'is it mmomni.DocTamperDataset?'),
        (dict(type='ADE20kDataset'), 'is it mmseg.ADE20KDataset?'),
        (dict(type='Q'), 'the dataset type Q is in no registry'),
        (dict(type='mmomni.ManipulationDataset', data_rot='x'),
         'there is no argument data_rot, is it data_root?'),
        (dict(type='mmomni.DocTamperDataset', zzz='x'), 'there is no argument zzz'),
    ],
)
def test_names_that_nobody_knows_are_named_before_files_are_looked_for(wrong, told):
    sets = dict(type='Concat', datasets=[dict(type='ADE20KDataset', any=1), wrong])
    cfg = Config(dict(val_dataloader=dict(dataset=sets)))
    demand_known(cfg, 'train', 'test')
    with pytest.raises(ValueError, match=r'^val_dataloader: ') as caught:
        demand_known(cfg, 'train', 'val')
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_types_of_the_default_scope_are_known(tmp_path, monkeypatch):
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'elsewhere/__init__.py').touch()
    (tmp_path / 'elsewhere/registry.py').write_text(
        'from mmengine.registry import DATASETS, Registry\n'
        "OWN = Registry('dataset', parent=DATASETS, scope='elsewhere')\n"
        "OWN.register_module('SetOfElsewhere', module=dict)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(DATASETS, '_children', dict(DATASETS.children))
    train = dict(dataset=dict(type='SetOfElsewhere'))
    with pytest.raises(ValueError, match='is in no registry'):
        demand_known(Config(dict(default_scope='absent', train_dataloader=train)), 'train')
    demand_known(Config(dict(default_scope='elsewhere', train_dataloader=train)), 'train')


def test_wrappers_of_any_depth_are_entered():
    """Lists and both keys that wrappers use; what wraps nothing is a set."""
    first, second, third = (dict(type='Set', name=name) for name in 'abc')
    repeated = dict(type='Repeat', dataset=dict(type='Concat', datasets=[second, third]))
    assert list(innermost(dict(type='Concat', datasets=[first, repeated]))) == [
        first, second, third,
    ]  # fmt: skip
    assert list(innermost({})) == [{}]


def test_a_pipeline_of_a_wrapper_is_that_of_the_sets_that_name_none():
    own, shared, inner = ([dict(type=name)] for name in ('Own', 'Shared', 'Inner'))
    sets = [dict(name='a', pipeline=own), dict(name='b')]
    nested = dict(type='ConcatDataset', datasets=[dict(name='c')])
    repeated = dict(type='RepeatDataset', times=2, dataset=dict(name='d'))
    closer = dict(pipeline=inner, datasets=[dict(name='e')])
    entry = dict(pipeline=shared, datasets=[*sets, nested, repeated, closer, Path])
    passed = pass_on_pipeline(entry)
    found = {each['name']: each['pipeline'] for each in innermost(passed)}
    assert found == dict(a=own, b=shared, c=shared, d=shared, e=inner)
    assert 'pipeline' not in sets[1]
    assert 'pipeline' not in passed['datasets'][2]
    assert pass_on_pipeline(nested) is nested
    assert passed['datasets'][-1] is Path


def test_inputs_are_those_of_a_wrappers_pipeline(tmp_path):
    views = [LOAD, dict(type='TestTimeAug', transforms=[])]
    cfg = config(entry('data/a'), entry('data/b', pipeline=[LOAD]))
    cfg.test_dataloader.dataset.pipeline = views
    found = inputs_of_sets(cfg)
    assert set(found.values()) == {'native, mean of several views', 'native'}
