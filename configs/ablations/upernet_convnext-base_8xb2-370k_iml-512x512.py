# Table 5, Baseline: ConvNeXt and a UPerNet head on RGB alone.
_base_ = '../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = 'Baseline'
model = dict(
    backbone=dict(
        _delete_=True, type='mmomni.RGBPlanes', backbone=_base_.model.backbone.backbone
    ),
    neck=None,
    decode_head=dict(_delete_=True, **_base_.upernet_head),
    auxiliary_head=None,
)
