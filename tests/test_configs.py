"""Every config under ``configs/`` says what it means and builds what it says."""

import copy
import hashlib
from collections import Counter
from pathlib import Path

import pytest
import torch
from mmcv.cnn import Scale
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.optim import build_optim_wrapper
from mmengine.registry import HOOKS, PARAM_SCHEDULERS, DefaultScope
from mmseg.models import EncoderDecoder
from mmseg.registry import MODELS, TRANSFORMS

from mmomni import registry as ours
from mmomni.datasets.configured import sets_of
from mmomni.engine.test_time import augment_tests

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(p for p in (ROOT / 'configs').rglob('*.py') if '_base_' not in p.parts)
REGISTRIES = [ours.MODELS, ours.DATASETS, ours.DATA_SAMPLERS, ours.TRANSFORMS, ours.METRICS,
              ours.HOOKS]  # fmt: skip
PAPER = 'omni-iml_convnext-{}_8xb2-370k_iml-512x512'


STRIDES = {
    'FrequencyPlanes': 8, 'DTDHead': 2, 'MVSSHead': 16,
    'hifi-net_hrnet-w18_8xb2-370k_iml-512x512': 2,
}  # fmt: skip
"""Pixels for one of a model's logits, by the type of its backbone or decode head, or by the name of
its config; others: 4."""


FROZEN = {'ExplicitVisualPrompting': 'backbone.backbone.'}
"""Beginnings of names of parameters that do not learn, by the type of the backbone."""


def name_of(path):
    return path.stem


def folder_of(cfg):
    """Below ``configs/``; of the comparators in miniature ``'comparators/lite'``."""
    return Path(cfg.filename).parent.relative_to(ROOT / 'configs').as_posix()


@pytest.fixture(scope='module', params=CONFIGS, ids=name_of)
def cfg(request):
    return Config.fromfile(request.param)


@pytest.fixture(scope='module')
def model(cfg):
    with DefaultScope.overwrite_default_scope('mmseg'):
        return MODELS.build(cfg.model)


def dicts_of(node):
    """All dicts within, at any depth."""
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node:
        if isinstance(child, (dict, list, tuple)):
            yield from dicts_of(child)


def our_names():
    for registry in REGISTRIES:
        registry.import_from_location()
    return {name for registry in REGISTRIES for name in registry.module_dict}


def test_there_are_configs():
    folders = {
        'ablations', 'baselines', 'comparators', 'demo', 'finetune', 'lite', 'mini', 'omni_iml'
    }  # fmt: skip
    assert {path.relative_to(ROOT / 'configs').parts[0] for path in CONFIGS} == folders


def test_our_types_carry_our_prefix(cfg):
    names = our_names()
    types = [
        f'{d["_scope_"]}.{d["type"]}' if '_scope_' in d and '.' not in d['type'] else d['type']
        for d in dicts_of(cfg.to_dict()) if isinstance(d.get('type'), str)
    ]  # fmt: skip
    assert len(types) > 40
    assert [t for t in types if t.split('.')[-1] in names and not t.startswith('mmomni.')] == []
    unknown = [t for t in types if t.startswith('mmomni.') and t[len('mmomni.') :] not in names]
    assert unknown == []


def test_needs_no_custom_imports(cfg):
    assert not [d for d in dicts_of(cfg.to_dict()) if 'custom_imports' in d]
    assert cfg.default_scope == 'mmseg'


def test_every_pipeline_builds(cfg):
    pipelines = [d['pipeline'] for d in dicts_of(cfg.to_dict()) if 'pipeline' in d]
    assert pipelines
    with DefaultScope.overwrite_default_scope('mmseg'):
        for pipeline in pipelines:
            assert all(callable(TRANSFORMS.build(transform)) for transform in pipeline)


def test_pipelines_begin_with_the_bytes_and_end_with_the_planes(cfg):
    for d in dicts_of(cfg.to_dict()):
        if 'pipeline' in d:
            types = [transform['type'] for transform in d['pipeline']]
            if 'datasets' in d:  # where MMSegInferencer looks for a loader
                assert (types[0], d['pipeline'][0]['_scope_']) == ('LoadImageFromFile', 'mmomni')
            else:
                assert types[0] == 'mmomni.LoadOriginalImage'
            assert types[-1] == 'mmomni.PackManipulationInputs'


def test_every_test_set_has_mirrored_views(cfg):
    cfg = copy.deepcopy(cfg)
    if not cfg.get('test_dataloader'):
        return
    augment_tests(cfg)
    assert cfg.model.type == 'mmomni.ManipulationTTAModel'
    for entry in sets_of(cfg, 'test_dataloader'):
        views = TRANSFORMS.build(entry['pipeline'][-1])
        assert len(views.subroutines) == 2


def test_evaluators_hooks_and_schedulers_build(cfg):
    with DefaultScope.overwrite_default_scope('mmseg'):
        for key in {'val_evaluator', 'test_evaluator'} & set(cfg):
            assert Evaluator(cfg[key]).metrics
        for hook in [*cfg.default_hooks.values(), *cfg.custom_hooks]:
            assert HOOKS.build(hook)
        optimizer = torch.optim.SGD([torch.zeros(1)], lr=1)
        for scheduler in cfg.param_scheduler:
            assert PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=optimizer))


def test_type_is_the_stock_segmentor(model):
    assert type(model) is EncoderDecoder


@torch.no_grad()
def test_channels_fit(cfg, model):
    """A delta that changes the size must change every number that follows from it."""
    model.eval()
    inputs = torch.randint(0, 21, (1, 5, 64, 64)).float()
    features = model.extract_feat(inputs)
    kinds = {type(part).__name__ for part in (model.backbone, model.decode_head)}
    kinds.add(Path(cfg.filename).stem)
    stride = next((stride for kind, stride in STRIDES.items() if kind in kinds), 4)
    assert model.decode_head(features).shape == (1, 2, 64 // stride, 64 // stride)
    for head in model.auxiliary_head if model.with_auxiliary_head else ():
        if hasattr(head, 'fpns'):
            maps = [features[i] for i in head.in_index]
            for fpn in head.fpns:
                maps = fpn(maps)
            strides = head.rpn_head.prior_generator.strides
            assert len(head.rpn_head(maps)[0]) == len(strides) == len(maps)
            assert [x.shape[-1] for x in maps] == [max(1, 64 // s) for s, _ in strides]


def test_two_output_channels(model):
    """One channel would mean mmseg's threshold of 0.3 and a double sigmoid in its TTA."""
    assert (model.decode_head.num_classes, model.decode_head.out_channels) == (2, 2)


def test_windows_lie_on_the_block_grid(cfg):
    test_cfg = cfg.model.test_cfg
    if test_cfg.mode == 'slide':
        assert all(n % 8 == 0 for n in (*test_cfg.crop_size, *test_cfg.stride))
        assert all(n % 32 == 0 for n in test_cfg.crop_size)


def learnt(model):
    """Names and parameters of all that an optimiser must have: all, but for what is frozen."""
    frozen = FROZEN.get(type(model.backbone).__name__, '-')
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad is not name.startswith(frozen), name
        if parameter.requires_grad:
            yield name, parameter


def test_optimizer_builds(cfg, model):
    wrapper = dict(cfg.optim_wrapper, type='OptimWrapper')
    with DefaultScope.overwrite_default_scope('mmseg'):
        optimizer = build_optim_wrapper(model, wrapper).optimizer
    assert sum(len(g['params']) for g in optimizer.param_groups) == len(list(learnt(model)))


NORMS = (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.modules.batchnorm._BatchNorm)
ALL_DECAYS = {'demo', 'mini'}  # minutes of training
PRETRAINED = {'backbone.backbone.': 0.3}
RATES = {
    'lite': PRETRAINED | {'backbone.fph.': 0.3, 'auxiliary_head.': 0.1},
    'comparators/lite': PRETRAINED | {'backbone.local.': 0.3},
    'finetune': PRETRAINED | {'backbone.fph.': 0.3},
}
"""Factors of the learning rate in a folder, by the beginning of a name."""
OF_LITE = 'comparators/lite/omni-iml_efficientnet-lite0_1xb12-3k_192x192.py'


def is_free(module, name):
    """Whether weight decay has nothing to do there: norms, biases, scales, what is looked up.

    ``filters`` of the decoder are convolutions; ``queries`` and embeddings are not multiplied onto
    features that a norm rescales, so that decay would only pull them to zero.
    """
    called_so = name in ('gamma', 'queries', 'logit_scale') or 'bias' in name
    return called_so or isinstance(module, (*NORMS, torch.nn.Embedding, Scale))


@pytest.fixture(scope='module')
def optimised(cfg, model):
    """Learning rate and weight decay of every parameter by its name."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        optimizer = build_optim_wrapper(model, dict(cfg.optim_wrapper, type='OptimWrapper'))
    groups = optimizer.optimizer.param_groups
    of = {id(p): (g['lr'], g['weight_decay']) for g in groups for p in g['params']}
    return {name: of[id(p)] for name, p in learnt(model)}


def test_what_decays(cfg, model, optimised):
    folder = folder_of(cfg)
    expected = {
        f'{prefix}.{name}'.lstrip('.'): folder in ALL_DECAYS or not is_free(module, name)
        for prefix, module in model.named_modules()
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.requires_grad
    }
    found = {name: decay for name, (_, decay) in optimised.items()}
    wrong = [name for name, decays in expected.items() if found[name] != 0.05 * decays]
    assert wrong == []
    assert {name.split('.')[-1] for name, decays in expected.items() if decays} >= {'weight'}


def test_learning_rates_of_parts_stay(cfg, optimised):
    """Whatever decays, and whatever keys are longer."""
    folder = folder_of(cfg)
    # Omni-IML at the comparators' budget has the rates of its own folder.
    rates = RATES.get('lite' if cfg.filename.endswith(OF_LITE) else folder, {})
    if folder in ALL_DECAYS:
        rates = {'auxiliary_head.': 0.1}
    if cfg.optim_wrapper.paramwise_cfg.custom_keys.keys() == {'table_embedding'}:
        rates = {}  # frequency-head_*: the head alone
    base = cfg.optim_wrapper.optimizer.lr
    for name, (rate, _) in optimised.items():
        mult = next((mult for start, mult in rates.items() if name.startswith(start)), 1.0)
        assert rate == pytest.approx(base * mult), name


def test_custom_keys_match_what_they_are_for(cfg, model):
    """A key that matches nothing changes nothing, and nobody is told; here: only of what an
    ablation has taken out."""
    names = [name for name, _ in model.named_parameters()]
    kinds = {type(module).__name__ for module in model.modules()}
    absent = {
        'gamma': not kinds & {'ConvNeXtBlock', 'Scale'},
        'queries': 'QueryAttention' not in kinds,
        'table_embedding': 'FrequencyPerceptionHead' not in kinds,
        'auxiliary_head': 'BoxSupervisionHead' not in kinds,  # the other has no parameters
        'backbone.backbone': not hasattr(model.backbone, 'backbone'),  # some comparators
    }
    for key in cfg.optim_wrapper.paramwise_cfg.custom_keys:
        matched = [name for name in names if key in name]
        assert bool(matched) is not absent.get(key, False), key
        whole = [f'.{name}.' for name in matched]
        assert all(f'.{key}.' in name for name in whole), key


@pytest.fixture(scope='module')
def paper():
    return Config.fromfile(ROOT / f'configs/omni_iml/{PAPER.format("base")}.py')


@pytest.mark.parametrize('size', ['small', 'base', 'large'])
def test_recipe_of_the_paper(size):
    cfg = Config.fromfile(ROOT / f'configs/omni_iml/{PAPER.format(size)}.py')
    assert cfg.model.backbone.backbone.arch == size
    assert cfg.model.backbone.get('gate', 'learned') == 'learned'
    assert cfg.train_cfg.max_iters == 370_000
    assert cfg.train_dataloader.batch_size * 8 == 16
    assert cfg.model.data_preprocessor.size == cfg.crop_size == (512, 512)
    assert cfg.optim_wrapper.optimizer.type == 'AdamW'
    assert cfg.optim_wrapper.optimizer.weight_decay == 0.05


def test_weights_of_the_paper_keep_their_names(paper):
    """What was trained once must fit for ever; heads of training only apart, which are mmdet's."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        weights = MODELS.build(paper.model).state_dict()
    names = sorted(
        f'{name} {tuple(tensor.shape)}'
        for name, tensor in weights.items()
        if not name.startswith('auxiliary_head.')
    )
    digest = hashlib.sha256('\n'.join(names).encode()).hexdigest()
    assert (len(names), digest[:16]) == (652, 'd67f0cb9c88eb680')


def lr_at(cfg, iterations):
    """The learning rate after some iterations, by mmengine's own schedulers."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=cfg.optim_wrapper.optimizer.lr)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(s), default_args=dict(optimizer=optimizer))
        for s in cfg.param_scheduler
    ]
    rates = []
    for _ in range(max(iterations) + 1):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return [rates[i] for i in iterations]


def test_learning_rate_falls_linearly(paper):
    """1e-4 after 1,500 iterations, then linearly to 1e-6 at 370k; here in 1/100 of the time."""
    cfg = paper.copy()
    assert [(s.begin, s.end) for s in cfg.param_scheduler] == [(0, 1500), (1500, 370_000)]
    for scheduler in cfg.param_scheduler:
        scheduler.update(begin=scheduler.begin // 100, end=scheduler.end // 100)
    start, warm, middle, end = lr_at(cfg, [0, 15, 15 + (3700 - 15) // 2, 3700])
    assert start < 1e-5
    assert warm == pytest.approx(1e-4, rel=0.02)
    assert middle == pytest.approx((1e-4 + 1e-6) / 2, rel=0.02)
    assert end == pytest.approx(1e-6, rel=0.05)


def test_data_sets_of_the_paper(paper):
    """The paper's eight training sets and ten test sets, by domain."""
    sets = {
        split: [(d['domain'], d['name']) for d in paper[f'{split}_dataloader'].dataset.datasets]
        for split in ('train', 'test')
    }
    assert sorted(sets['train']) == [
        ('document', 'DocTamper'), ('document', 'SACP'), ('face', 'CelebA-HQ'),
        ('face', 'FaceShifter'), ('natural', 'CASIAv2'), ('natural', 'COCO'),
        ('natural', 'MIML'), ('natural', 'tampCOCO'),
    ]  # fmt: skip
    assert sorted(sets['test']) == [
        ('document', 'DocTamper-FCD'), ('document', 'DocTamper-SCD'),
        ('document', 'DocTamper-TestingSet'), ('document', 'SACP'), ('face', 'FaceShifter'),
        ('natural', 'CASIAv1'), ('natural', 'CocoGlide'), ('natural', 'Coverage'),
        ('natural', 'IMD20'), ('natural', 'NIST16'),
    ]  # fmt: skip


def test_mixture_is_of_the_training_sets_and_balances_domains(paper):
    mixture = paper.train_dataloader.sampler.weights
    sets = [f'{d.domain}/{d.name}' for d in paper.train_dataloader.dataset.datasets]
    assert set(mixture) == set(sets)
    shares = Counter()
    for key, weight in mixture.items():
        shares[key.split('/')[0]] += weight
    assert shares == dict.fromkeys(('natural', 'document', 'face'), 6)


def test_plain_mixture_is_another_sampler_and_nothing_else():
    folder = ROOT / 'configs/omni_iml'
    plain, paper = (
        Config.fromfile(folder / f'{PAPER.format("base")}{suffix}.py')
        for suffix in ('_plain-mixture', '')
    )
    assert plain.train_dataloader.sampler == dict(type='mmomni.ReproducibleSampler', shuffle=True)
    plain.train_dataloader.sampler = paper.train_dataloader.sampler
    assert plain.to_dict() == paper.to_dict()


def test_validation_is_on_images_held_out_of_training(paper):
    trained, validated = (
        paper[f'{split}_dataloader'].dataset.datasets for split in ('train', 'val')
    )
    for each, held_out in zip(trained, validated, strict=True):
        assert each.held_out == held_out.held_out > 0
        assert 'split' not in each
        assert held_out.split == 'held_out'
        assert held_out.test_mode
        assert [held_out.get(key) for key in ('domain', 'name', 'data_root', 'ann_file')] == [
            each.get(key) for key in ('domain', 'name', 'data_root', 'ann_file')
        ]  # fmt: skip


def test_validation_draws_nothing_at_random(paper):
    """Else two of the same weights would differ."""
    for each in paper.val_dataloader.dataset.datasets:
        for step in each.pipeline:
            if step.type == 'mmomni.RandomJPEGCompress':
                assert step.quality[0] == step.quality[1]
                assert step.times[0] == step.times[1]
                assert len(step.subsampling) == 1
            else:
                assert 'Random' not in step.type


def test_best_checkpoint_is_chosen_by_a_score_of_the_validation(paper):
    checkpoint = paper.default_hooks.checkpoint
    with DefaultScope.overwrite_default_scope('mmseg'):
        (metric,) = Evaluator(paper.val_evaluator).metrics
    assert checkpoint.save_best == f'{metric.prefix}/average/IoU'
    assert checkpoint.rule == 'greater'
    assert paper.train_cfg.val_interval % checkpoint.interval == 0
    assert paper.val_cfg.type == 'ValLoop'


ABLATIONS = {
    'omni-iml-wo-mg': ('fused', True, 'DynamicWeightDecoder', 2),
    'omni-iml-wo-mg-star': ('vision', True, 'DynamicWeightDecoder', 2),
    'omni-iml-wo-dwd': ('learned', True, 'UPerHead', 2),
    'omni-iml-wo-dw': ('learned', True, 'DynamicWeightDecoder', 2),
    'omni-iml-wo-ae': ('learned', False, 'DynamicWeightDecoder', 1),
    'upernet': (None, False, 'UPerHead', 0),
}


@pytest.mark.parametrize('folder', ['ablations', 'mini'])
@pytest.mark.parametrize('row', ABLATIONS)
def test_rows_of_table_5(row, folder):
    """Gate, neck, decoder and training-only heads: (SPEC, ablations of each module)."""
    gate, neck, decoder, heads = ABLATIONS[row]
    (path,) = (ROOT / 'configs' / folder).glob(f'{row}_*.py')
    model = Config.fromfile(path).model
    if gate is None:
        assert model.backbone.type == 'mmomni.RGBPlanes'
    else:
        assert model.backbone.get('gate', 'learned') == gate
    assert (model.neck is not None) == neck
    assert model.decode_head.type.split('.')[-1] == decoder
    assert model.decode_head.get('dynamic', True) == (row != 'omni-iml-wo-dw')
    assert len(model.auxiliary_head or ()) == heads


@pytest.mark.parametrize(
    ('folder', 'full'),
    [
        ('ablations', f'omni_iml/{PAPER.format("base")}'),
        ('mini', 'mini/omni-iml_convnext-atto_mini'),
    ],
)
def test_rows_share_data_recipe_and_the_rest_of_the_model(folder, full):
    full = Config.fromfile(ROOT / f'configs/{full}.py')
    for row in ABLATIONS:
        (path,) = (ROOT / 'configs' / folder).glob(f'{row}_*.py')
        cfg = Config.fromfile(path)
        for key in ('train_dataloader', 'test_dataloader', 'optim_wrapper', 'param_scheduler',
                    'train_cfg', 'custom_hooks', 'randomness'):  # fmt: skip
            assert cfg[key] == full[key], f'{path.name}: {key}'
        assert cfg.model.test_cfg == full.model.test_cfg
        assert cfg.model.backbone.backbone == full.model.backbone.backbone


def test_readme_config_has_no_set_but_ones_own(tmp_path):
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    (block,) = [b for b in text.split('```python\n')[1:] if b.startswith('_base_')]
    path = tmp_path / 'my_config.py'
    path.write_text(block.split('```')[0])
    cfg = Config.fromfile(path)
    roots = {}
    for part in ('train', 'val', 'test'):
        loader = cfg[f'{part}_dataloader']
        assert 'weights' not in loader.sampler
        (entry,) = loader.dataset.datasets
        roots[part] = entry.data_root
        assert entry.pipeline
    assert roots == dict(train='data/train', val='data/train', test='data/test')
    assert cfg.train_dataloader.dataset.datasets[0].held_out == 50
    assert cfg.val_dataloader.dataset.datasets[0].split == 'held_out'


def test_fine_tuning_averages_keeps_statistics_and_ends_early():
    cfg = Config.fromfile(ROOT / 'configs/finetune/omni-iml_efficientnet-lite2_finetune.py')
    hooks = {hook['type'] for hook in cfg.custom_hooks}
    assert {'EMAHook', 'EarlyStoppingHook', 'mmomni.FrozenStatisticsHook'} <= hooks
