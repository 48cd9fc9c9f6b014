"""The registries of mmomni: children of mmengine's, filled on first use.

Configs name our types with their scope, ``type='mmomni.ModalGateEncoder'``; no ``custom_imports``
is needed because every registry knows where its modules live.
"""

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from difflib import get_close_matches
from importlib import import_module

from mmengine.registry import DATA_SAMPLERS as MMENGINE_DATA_SAMPLERS
from mmengine.registry import DATASETS as MMENGINE_DATASETS
from mmengine.registry import EVALUATOR as MMENGINE_EVALUATOR
from mmengine.registry import HOOKS as MMENGINE_HOOKS
from mmengine.registry import INFERENCERS as MMENGINE_INFERENCERS
from mmengine.registry import LOG_PROCESSORS as MMENGINE_LOG_PROCESSORS
from mmengine.registry import LOOPS as MMENGINE_LOOPS
from mmengine.registry import METRICS as MMENGINE_METRICS
from mmengine.registry import MODEL_WRAPPERS as MMENGINE_MODEL_WRAPPERS
from mmengine.registry import MODELS as MMENGINE_MODELS
from mmengine.registry import OPTIM_WRAPPER_CONSTRUCTORS as MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS
from mmengine.registry import OPTIM_WRAPPERS as MMENGINE_OPTIM_WRAPPERS
from mmengine.registry import OPTIMIZERS as MMENGINE_OPTIMIZERS
from mmengine.registry import PARAM_SCHEDULERS as MMENGINE_PARAM_SCHEDULERS
from mmengine.registry import TRANSFORMS as MMENGINE_TRANSFORMS
from mmengine.registry import VISBACKENDS as MMENGINE_VISBACKENDS
from mmengine.registry import VISUALIZERS as MMENGINE_VISUALIZERS
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
# Nothing of ours needs the comparators, so `mmomni.models` does not import them.
MODELS = Registry(
    'model', parent=MMENGINE_MODELS, locations=['mmomni.models', 'mmomni.models.comparators']
)
METRICS = Registry('metric', parent=MMENGINE_METRICS, locations=['mmomni.evaluation.metrics'])
HOOKS = Registry('hook', parent=MMENGINE_HOOKS, locations=['mmomni.engine.hooks'])
INFERENCERS = Registry('inferencer', parent=MMENGINE_INFERENCERS, locations=['mmomni.apis'])
OPTIM_WRAPPER_CONSTRUCTORS = Registry(
    'optimizer wrapper constructor',
    parent=MMENGINE_OPTIM_WRAPPER_CONSTRUCTORS,
    locations=['mmomni.engine.optimizers'],
)

# Nothing of ours is in these. mmengine gives what stands in a `_base_` of the package, as
# `mmomni::...`, our scope, and warns of a failure to come where that scope has no registry.
NOTHING = ['mmomni.engine']
EVALUATOR = Registry('evaluator', parent=MMENGINE_EVALUATOR, locations=NOTHING)
LOG_PROCESSORS = Registry('log_processor', parent=MMENGINE_LOG_PROCESSORS, locations=NOTHING)
LOOPS = Registry('loop', parent=MMENGINE_LOOPS, locations=NOTHING)
MODEL_WRAPPERS = Registry('model_wrapper', parent=MMENGINE_MODEL_WRAPPERS, locations=NOTHING)
OPTIMIZERS = Registry('optimizer', parent=MMENGINE_OPTIMIZERS, locations=NOTHING)
OPTIM_WRAPPERS = Registry('optim_wrapper', parent=MMENGINE_OPTIM_WRAPPERS, locations=NOTHING)
PARAM_SCHEDULERS = Registry(
    'parameter scheduler', parent=MMENGINE_PARAM_SCHEDULERS, locations=NOTHING
)
VISBACKENDS = Registry('vis_backend', parent=MMENGINE_VISBACKENDS, locations=NOTHING)
VISUALIZERS = Registry('visualizer', parent=MMENGINE_VISUALIZERS, locations=NOTHING)


def is_registered(registry: Registry, kind: str) -> bool:
    """Whether a name, with its scope or without, is that of a type in the tree of a registry."""
    try:
        if registry.get(kind) is not None:
            return True
    except Exception:  # noqa: BLE001  (packages that cannot be imported may raise anything)
        return False
    return '.' not in kind and any(kind in names for _, names in _types_by_scope(registry))


def similar_type(registry: Registry, kind: str) -> str:
    """The registered type that a name may have been meant for, as the end of a sentence."""
    scoped: dict[str, str] = {}
    for scope, names in _types_by_scope(registry):
        for name in names:
            scoped.setdefault(name, f'{scope}.{name}' if scope else name)
    close = get_close_matches(kind.rpartition('.')[2], scoped, n=1, cutoff=0.75)
    return f'; is it {scoped[close[0]]}?' if close else ''


def _types_by_scope(registry: Registry) -> Iterator[tuple[str, list[str]]]:
    """Names of types without scope, ours first; mmengine's have the scope ``''``.

    Others' packages are imported one by one, as far as is asked, and what they print at that is
    of no use here.
    """
    root = registry
    while root.parent is not None:
        root = root.parent
    import_module('mmseg.registry')  # whose types configs name without a scope
    own = [scope for scope in ('mmomni', 'mmseg') if scope in root.children]
    others = [scope for scope in root.children if scope not in own]
    for scope in [*own, '', *others]:
        child = root.children[scope] if scope else root
        with redirect_stdout(io.StringIO()):
            child.import_from_location()
        yield scope, list(child.module_dict)
