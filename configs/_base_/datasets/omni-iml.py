# The paper's training and test sets (section 4.1). docs/datasets.md says where they are asked for
# and which command writes the list files; DocTamper is read from its LMDBs as they are.
# tools/test.py leaves out test sets that are not there, and names them.
_base_ = './test_pipelines.py'

data_root = 'data/'
crop_size = (512, 512)
# How DocTamper is compressed before it is tested, and from which lowest quality: see
# mmomni.DocTamperJPEG for the four readings of its protocol.
doctamper_schedule = 'official'
doctamper_min_quality = 75
# Ours, the paper gives no mixture: domains in equal shares and, within one, the smaller sets of
# forgeries less often. Of 18 samples, how many are of each set. (Concatenated as they are, SACP is
# seen in 0.4 % of the samples: ..._plain-mixture.py)
mixture = {
    'natural/tampCOCO': 2, 'natural/CASIAv2': 1, 'natural/MIML': 2, 'natural/COCO': 1,
    'document/SACP': 1, 'document/DocTamper': 5,
    'face/FaceShifter': 4, 'face/CelebA-HQ': 2,
}  # fmt: skip
# Ours: so many images of every training set are validated on, not trained on. They share sources
# with the others: for learning curves and the best checkpoint, no substitute for a test.
held_out = 50

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
doctamper_history = [  # free augmentation, then a history as in its test
    dict(type='mmseg.RandomCrop', crop_size=crop_size),
    dict(type='RandomFlip', prob=0.5),
    dict(
        type='mmomni.DocTamperJPEG', schedule=doctamper_schedule,
        min_quality=doctamper_min_quality,
    ),
]
pack_boxes = [dict(type='mmomni.MaskToBoxes'), dict(type='mmomni.PackManipulationInputs')]
train_pipeline = [
    *_base_.load,
    dict(type='RandomChoice', transforms=[keep_history, new_history], prob=[0.5, 0.5]),
    *pack_boxes,
]
doctamper_train_pipeline = [
    *_base_.load,
    dict(type='RandomChoice', transforms=[new_history, doctamper_history], prob=[0.5, 0.5]),
    *pack_boxes,
]
doctamper_val_pipeline = [  # one save of the unaltered tile, the same each time
    *_base_.load,
    dict(
        type='mmomni.RandomJPEGCompress', quality=(85, 85), times=(1, 1), subsampling=['4:2:0']
    ),
    dict(type='mmomni.ExtractDCT'),
    dict(type='mmomni.PackManipulationInputs'),
]

train_sets = dict(
    natural=['tampCOCO', 'CASIAv2', 'MIML', 'COCO'],
    document=['SACP'],
    face=['FaceShifter', 'CelebA-HQ'],
)
test_sets = dict(
    natural=['CASIAv1', 'Coverage', 'NIST16', 'IMD20', 'CocoGlide'],
    document=['SACP'],
    face=['FaceShifter'],
)
doctamper_test_sets = ['TestingSet', 'FCD', 'SCD']

train_dataloader = dict(
    batch_size=2,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='mmomni.DomainBalancedSampler', weights=mixture),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        datasets=[
            *(
                dict(
                    type='mmomni.ManipulationDataset', domain=domain, name=name,
                    data_root=data_root + name, ann_file='train.txt', pipeline=train_pipeline,
                    held_out=held_out,
                )
                for domain, names in train_sets.items() for name in names
            ),
            dict(
                type='mmomni.DocTamperDataset', domain='document', name='DocTamper',
                data_root=data_root + 'DocTamper/DocTamperV1-TrainingSet',
                pipeline=doctamper_train_pipeline, held_out=held_out,
            ),
        ],
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        datasets=[
            dict(
                each, split='held_out', test_mode=True,
                pipeline=(
                    doctamper_val_pipeline if each['name'] == 'DocTamper' else _base_.val_pipeline
                ),
            )
            for each in train_dataloader['dataset']['datasets']
        ],
    ),
)
val_evaluator = dict(type='mmomni.SelectionMetric')
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmomni.ReproducibleConcatDataset',
        pipeline=_base_.single_image_pipeline,
        datasets=[
            *(
                dict(
                    type='mmomni.ManipulationDataset', domain=domain, name=name,
                    data_root=data_root + name, ann_file='test.txt', pipeline=_base_.test_pipeline,
                    test_mode=True,
                )
                for domain, names in test_sets.items() for name in names
            ),
            *(
                dict(
                    type='mmomni.DocTamperDataset', domain='document', name=f'DocTamper-{subset}',
                    data_root=f'{data_root}DocTamper/DocTamperV1-{subset}',
                    pipeline=[
                        *_base_.load,
                        dict(
                            type='mmomni.DocTamperJPEG', schedule=doctamper_schedule,
                            factors=f'{data_root}DocTamper/pks/DocTamperV1-{subset}'
                            f'_{doctamper_min_quality}.pk',
                        ),
                        dict(type='mmomni.PackManipulationInputs'),
                    ],
                    test_mode=True,
                )
                for subset in doctamper_test_sets
            ),
        ],
    ),
)
# Every set is scored by all protocols; the tables of tools/test.py take for each the paper's, and
# for FaceShifter two: the paper's text says per_image, its table fits pooled counts.
test_evaluator = [
    dict(type='mmomni.ManipulationMetric', protocol='per_image'),
    dict(type='mmomni.ManipulationMetric', protocol='doctamper'),
    dict(type='mmomni.ManipulationMetric', protocol='pooled'),
    dict(type='mmomni.GateReport'),
]
