"""The registries of mmomni: children of mmengine's, filled on first use.

Configs name our types with their scope, ``type='mmomni.ModalGateEncoder'``; no ``custom_imports``
is needed because every registry knows where its modules live.
"""

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import INFERENCERS as MMENGINE_INFERENCERS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import Registry

# `mmomni.datasets` imports none of its modules by itself.
DATASETS = Registry(
    'dataset',
    parent=MMENGINE_DATASETS,
    locations=['mmomni.datasets', 'mmomni.datasets.doctamper', 'mmomni.datasets.reproducible'],
)
DATA_SAMPLERS = Registry(
    'data sampler',
    parent=MMENGINE_DATA_SAMPLERS,
    locations=['mmomni.datasets', 'mmomni.datasets.domain_balanced_sampler'],
)
TRANSFORMS = Registry(
    'transform', parent=MMENGINE_TRANSFORMS, locations=['mmomni.datasets.transforms']
)
MODELS = Registry('model', parent=MMENGINE_MODELS, locations=['mmomni.models'])
METRICS = Registry('metric', parent=MMENGINE_METRICS, locations=['mmomni.evaluation.metrics'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, locations=['mmomni.engine.hooks'])
INFERENCERS = Registry('inferencer', parent=MMENGINE_INFERENCERS, locations=['mmomni.apis'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    locations=['mmomni.engine.optimizers'],
)
