# The paper's training and test sets (section 4.1). Every set is a list file under data/<set>/:
# one line `image mask` for a tampered image, `image -` for an authentic one.
data_root = 'data/'
crop_size = (512, 512)

keep_history = [  # the file's own coefficients, crops on the block grid
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.AlignedRandomCrop', crop_size=crop_size),
]
new_history = [  # free augmentation, then a new JPEG history
    dict(type='mmseg.RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(type='mmomni.RandomJPEGCompress', quality=(70, 100), times=(1, 3)),
    dict(type='mmomni.ExtractDCT'),
]
train_pipeline = [
    dict(type='mmomni.LoadOriginalImage'),
    dict(type='mmomni.LoadManipulationMask'),
    dict(type='RandomChoice', transforms=[keep_history, new_history], prob=[0.5, 0.5]),
    dict(type='mmomni.MaskToBoxes'),
    dict(type='mmomni.PackManipulationInputs'),
]
test_pipeline = [
    dict(type='mmomni.LoadOriginalImage'),
    dict(type='mmomni.LoadManipulationMask'),
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.PackManipulationInputs'),
]

train_sets = dict(
    natural=['tampCOCO', 'CASIAv2', 'MIML', 'COCO'],
    document=['SACP', 'DocTamper'],
    face=['FaceShifter', 'CelebA-HQ'],
)
test_sets = dict(
    natural=['CASIAv1', 'Coverage', 'NIST16', 'IMD20', 'CocoGlide'],
    document=['SACP', 'DocTamper-TestingSet', 'DocTamper-FCD', 'DocTamper-SCD'],
    face=['FaceShifter'],
)

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmomni.ReproducibleSampler', shuffle=True),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain, name=name,
                data_root=data_root + name, ann_file='train.txt', pipeline=train_pipeline,
            )
            for domain, names in train_sets.items() for name in names
        ],
    ),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        datasets=[
            dict(
                type='mmomni.ManipulationDataset', domain=domain, name=name,
                data_root=data_root + name, ann_file='test.txt', pipeline=test_pipeline,
                test_mode=True,
            )
            for domain, names in test_sets.items() for name in names
        ],
    ),
)
# Protocol `per_image` for all sets. The paper scores DocTamper by DTD's own script, so its rows,
# and averages that hold them, do not compare with the paper's yet.
test_evaluator = dict(type='mmomni.ManipulationMetric')
