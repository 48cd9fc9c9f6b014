# The other reading of the paper's test: every image resized to 512 x 512 as a whole, as in
# APSC-Net's code. That ends the file's own JPEG history, so coefficients are those of one save in
# memory (quality 100, 4:4:4). Masks keep their size; predictions are resized back to it.
_base_ = './omni-iml_convnext-base_8xb2-370k_iml-512x512.py'

resize = dict(type='Resize', scale=(512, 512), keep_ratio=False)
transcode = dict(
    type='mmomni.RandomJPEGCompress', quality=(100, 100), times=(1, 1), subsampling=['4:4:4']
)
load_image, load_mask = _base_.load
test_pipeline = [
    load_image, resize, load_mask, transcode,
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.PackManipulationInputs'),
]  # fmt: skip
single_image_pipeline = [_base_.single_image_pipeline[0], *test_pipeline[1:]]
tta_pipeline = [*test_pipeline[:-1], _base_.tta_pipeline[-1]]
test_dataloader = dict(
    dataset=dict(
        pipeline=single_image_pipeline,
        datasets=[
            # DocTamper's tiles are 512 x 512, and get their coefficients from its own schedule.
            dict(each, pipeline=[load_image, resize, *each['pipeline'][1:]])
            if each['type'] == 'mmomni.DocTamperDataset' else dict(each, pipeline=test_pipeline)
            for each in _base_.test_dataloader['dataset']['datasets']
        ]
    )
)
