# The paper's model and recipe (section 4.1): batch 16 = 8 GPUs x 2.
_base_ = [
    '../_base_/models/omni-iml_convnext.py',
    '../_base_/datasets/omni-iml.py',
    '../_base_/schedules/adamw_370k.py',
    '../_base_/default_runtime.py',
]

# The ConvNeXt of mmseg's UPerNet, trained on ADE20K
checkpoint = (
    'https://download.openmmlab.com/mmsegmentation/v0.5/convnext/'
    'upernet_convnext_base_fp16_512x512_160k_ade20k/'
    'upernet_convnext_base_fp16_512x512_160k_ade20k_20220227_181227-02a24fc6.pth'
)
model = dict(
    backbone=dict(backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)))
)
