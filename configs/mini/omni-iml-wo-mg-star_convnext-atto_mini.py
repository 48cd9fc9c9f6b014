# Table 5, w.o. MG*: vision alone, no Frequency Perception Head.
_base_ = './omni-iml_convnext-atto_mini.py'

model = dict(backbone=dict(gate='vision'))
