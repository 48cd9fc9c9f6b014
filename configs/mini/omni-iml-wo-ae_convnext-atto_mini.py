# Table 5, w.o. AE: no Anomaly Enhancement, no box supervision.
_base_ = './omni-iml_convnext-atto_mini.py'

model = dict(neck=None, auxiliary_head=[_base_.modal_gate_head])
