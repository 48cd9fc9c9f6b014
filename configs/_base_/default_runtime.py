default_scope = 'mmseg'
env_cfg = dict(
    cudnn_benchmark=True,  # cuDNN's autotuning; in which phases: default_hooks.cuda_math
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    # Seconds for which processes wait for one of them, as while the first draws or looks for files.
    dist_cfg=dict(backend='nccl', timeout=1800),
)
vis_backends = [dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')]
visualizer = dict(
    type='mmseg.SegLocalVisualizer', vis_backends=vis_backends, name='visualizer', alpha=0.4
)
tta_model = dict(type='mmomni.ManipulationTTAModel')  # for --tta of tools/test.py
log_processor = dict(by_epoch=False)
log_level = 'INFO'
randomness = dict(seed=0)  # a seed drawn at random could not be resumed exactly
load_from = None
resume = False

default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50, log_metric_by_epoch=False),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='mmomni.SafeCheckpointHook',
        by_epoch=False,
        interval=5000,
        max_keep_ckpts=3,
        # of mmomni.SelectionMetric; where there is no validation there is no best one
        save_best='selection/average/IoU',
        rule='greater',
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    # on CUDA: phases with TF32 (of train, val, test; [] for none) and with autotuning
    cuda_math=dict(type='mmomni.CudaMathHook', tf32=['train'], autotune=['train']),
    visualization=dict(type='mmomni.VisualizationHook'),  # draws where draw=True, or --show-dir
)
custom_hooks = [
    dict(type='mmomni.StepSeedHook'),
    dict(type='mmomni.ResumedBatchHook'),
    dict(type='mmomni.ResumedValidationHook'),
    dict(type='mmomni.FiniteLossHook'),
    dict(type='mmomni.ModalGateHook'),
    # pictures of a test, in the work dir
    dict(type='mmomni.ScoreCurvesHook'),
    dict(type='mmomni.AreaPlotHook'),
    dict(type='mmomni.ExtremesHook'),
]
