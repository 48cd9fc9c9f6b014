# Table 5, w.o. DW: the decoder's filters are the same for every image.
_base_ = './omni-iml_convnext-atto_mini.py'

model = dict(decode_head=dict(dynamic=False))
