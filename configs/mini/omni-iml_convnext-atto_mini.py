# The mini-benchmark (docs/benchmarks.md): the small model of the demo on a synthesised training set
# of all domains, tested on other sources and on forgeries made by people.
_base_ = '../demo/omni-iml_convnext-atto_demo.py'

from mmomni import synthesis  # noqa: E402  (a config begins with its base)

domains = list(synthesis.DOMAINS)

data_root = 'data/mini/'
crop_size = (192, 192)
max_iters = 600
warmup_iters = 50
upernet_head = dict(
    _base_.upernet_head, in_channels=[40, 80, 160, 320], channels=_base_.channels
)
model = dict(data_preprocessor=dict(size=crop_size))

keep_history = [
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.AlignedRandomCrop', crop_size=crop_size),
]
new_history = [
    dict(type='mmseg.RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmomni.RandomJPEGCompress', quality=(70, 100), times=(1, 3)),
    dict(type='mmomni.ExtractDCT'),
]
train_pipeline = [
    dict(type='mmomni.LoadOriginalImage'),
    dict(type='mmomni.LoadManipulationMask'),
    dict(type='RandomChoice', transforms=[keep_history, new_history], prob=[0.5, 0.5]),
    dict(type='mmomni.MaskToBoxes'),
    dict(type='mmomni.PackManipulationInputs'),
]
train_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain, ann_file='list.txt',
                data_root=f'{data_root}train/{domain}', pipeline=train_pipeline,
            )
            for domain in domains
        ]
    )
)
test_sets = {**{domain: f'test/{domain}' for domain in domains}, 'real': 'forged_dev'}
test_dataloader = dict(
    dataset=dict(
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain,
                data_root=data_root + folder, pipeline=_base_.test_pipeline, test_mode=True,
            )
            for domain, folder in test_sets.items()
        ]
    )
)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='PolyLR', power=1.0, eta_min=1e-5, by_epoch=False, begin=warmup_iters, end=max_iters
    ),
]
train_cfg = dict(max_iters=max_iters)
default_hooks = dict(logger=dict(interval=50), checkpoint=dict(interval=200))
