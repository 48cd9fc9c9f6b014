# As configs/baselines/dtd-like_*.py, in miniature
_base_ = './omni-iml_convnext-atto_mini.py'

model = dict(
    backbone=dict(
        backbone=dict(type='mmomni.ConvNeXtSwin', tail_depths=(6, 2)), gate='fused'
    ),
    neck=None,
    decode_head=dict(_delete_=True, **_base_.upernet_head),
    auxiliary_head=[_base_.modal_gate_head],
)
