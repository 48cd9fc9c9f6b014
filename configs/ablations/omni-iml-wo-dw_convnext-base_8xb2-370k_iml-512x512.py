# Table 5, w.o. DW: the decoder's filters are the same for every image.
_base_ = '../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = 'w.o. DW'
model = dict(decode_head=dict(dynamic=False))
