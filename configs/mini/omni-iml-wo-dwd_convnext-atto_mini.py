# Table 5, w.o. DWD: a plain UPerNet head.
_base_ = './omni-iml_convnext-atto_mini.py'

model = dict(decode_head=dict(_delete_=True, **_base_.upernet_head))
