# The training sets concatenated as they are: SACP is seen in 0.4 % of the samples.
_base_ = './omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

train_dataloader = dict(
    sampler=dict(_delete_=True, type='mmomni.ReproducibleSampler', shuffle=True)
)
