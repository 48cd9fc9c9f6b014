# Paper, section 4.1: AdamW, 370k iterations, learning rate 1e-4 falling linearly to 1e-6.
# Ours: weight decay 0.05 (none on norms, biases, layer scale, learnable queries and the embedding
# of the quantisation table), 1,500 iterations of warm-up, validation on held-out training images.
max_iters = 370_000
warmup_iters = 1_500

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, bias_decay_mult=0.0,
        custom_keys={
            # parts of names; a longer key takes its parameters from the shorter ones and the rules
            'gamma': dict(decay_mult=0.0),
            'queries': dict(decay_mult=0.0),
            'table_embedding': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, begin=0, end=warmup_iters),
    dict(
        type='PolyLR', power=1.0, eta_min=1e-6, by_epoch=False, begin=warmup_iters, end=max_iters
    ),
]
train_cfg = dict(type='IterBasedTrainLoop', max_iters=max_iters, val_interval=10_000)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
