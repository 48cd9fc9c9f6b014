_base_ = './omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = 'ConvNeXt-Small'
checkpoint = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/convnext/'
    'upernet_convnext_small_fp16_512x512_160k_ade20k/'
    'upernet_convnext_small_fp16_512x512_160k_ade20k_20220227_131208-1b1e394f.pth'
)
c1, c2, c3, c4 = 96, 192, 384, 768
box_supervision_head = _base_.box_supervision_head
box_supervision_head['fpns'][0]['in_channels'] = [c2, c3]
model = dict(
    backbone=dict(
        backbone=dict(
            arch='small', drop_path_rate=0.3, init_cfg=dict(checkpoint=checkpoint)
        )
    ),
    neck=dict(in_channels=[c2, c3]),
    decode_head=dict(in_channels=[c1, c2, c3, c4]),
    auxiliary_head=[_base_.modal_gate_head, box_supervision_head],
)
