# Table 5, w.o. AE: no Anomaly Enhancement, no box supervision.
_base_ = '../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = 'w.o. AE'
model = dict(neck=None, auxiliary_head=[_base_.modal_gate_head])
