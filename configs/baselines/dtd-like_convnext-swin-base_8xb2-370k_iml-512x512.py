# In the manner of Document Tampering Detector: visual and frequency perception heads, always fused,
# Swin stages behind them; with a UPerNet head, on the data and recipe of Omni-IML. Not pretrained.
_base_ = '../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = None  # of other models
model = dict(
    backbone=dict(
        backbone=dict(type='mmomni.ConvNeXtSwin', init_cfg=None),
        gate='fused',
    ),
    neck=None,
    decode_head=dict(_delete_=True, **_base_.upernet_head),
    auxiliary_head=[_base_.modal_gate_head],
)
# a bias by another name, without weight decay as all others
optim_wrapper = dict(
    paramwise_cfg=dict(custom_keys=dict(relative_position_bias_table=dict(decay_mult=0.0)))
)
