# Table 5, w.o. MG: vision + frequency for every image.
_base_ = './omni-iml_convnext-atto_mini.py'

model = dict(backbone=dict(gate='fused'))
