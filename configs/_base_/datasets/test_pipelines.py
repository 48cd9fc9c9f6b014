# How images are read to be tested: those of a set, one of no set, and twice for --tta.
load = [
    dict(type='mmomni.LoadOriginalImage', _scope_='mmomni'),  # where mmseg.apis finds its own names
    dict(type='mmomni.LoadManipulationMask'),
]
val_pipeline = test_pipeline = [
    *load,
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.PackManipulationInputs'),
]
# mmseg's MMSegInferencer looks for a loader of this name.
single_image_pipeline = [dict(type='LoadImageFromFile', _scope_='mmomni'), *test_pipeline[1:]]
# The picture, and its mirror image with its own coefficients.
tta_pipeline = [
    *test_pipeline[:-1],
    dict(
        type='TestTimeAug',
        transforms=[
            [
                dict(type='mmomni.MirrorBlocks', direction=None),
                dict(type='mmomni.MirrorBlocks', direction='horizontal'),
            ],
            [dict(type='mmomni.PackManipulationInputs')],
        ],
    ),
]
