# Table 5, w.o. DWD: a plain UPerNet head.
_base_ = '../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = 'w.o. DWD'
model = dict(decode_head=dict(_delete_=True, **_base_.upernet_head))
