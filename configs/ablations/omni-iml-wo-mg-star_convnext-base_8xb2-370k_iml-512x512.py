# Table 5, w.o. MG*: vision alone, no Frequency Perception Head.
_base_ = '../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = 'w.o. MG*'
model = dict(backbone=dict(gate='vision'))
