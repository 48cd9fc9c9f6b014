# Of every comparator: another model on the data and by the recipe of Omni-IML. Losses are those of
# its paper; there is no neck and no head of training only, unless it has some of its own.
_base_ = '../../omni_iml/omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

paper_row = None  # of other models
model = dict(neck=None, auxiliary_head=None)
