# The paper's model and recipe (section 4.1): batch 16 = 8 GPUs x 2.
_base_ = [
    '../_base_/models/omni-iml_convnext.py',
    '../_base_/datasets/omni-iml.py',
    '../_base_/schedules/adamw_370k.py',
    '../_base_/default_runtime.py',
]
