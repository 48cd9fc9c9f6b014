"""Our types are found by their scoped names from any registry, without ``custom_imports``."""

import importlib
import subprocess
import sys

import mmengine.registry
import pytest
from mmengine.registry import Registry

from mmomni import registry as ours
from mmomni.models import comparators
from mmomni.registry import is_registered, similar_type

REGISTRIES = {name: value for name, value in vars(ours).items() if type(value) is Registry
              and value.scope == 'mmomni'}  # fmt: skip
TYPES = {
    'MODELS': [
        'AnomalyEnhancement', 'BoxSupervisionHead', 'ConvNeXt', 'ConvNeXtSwin',
        'DynamicWeightDecoder', 'EdgeCrossEntropy', 'EfficientNetLite', 'FrequencyPlanes',
        'HardPixelCrossEntropy', 'ImageLevelLoss', 'ManipulationTTAModel', 'ModalGateEncoder',
        'ModalGateHead', 'RGBPlanes', 'RegionLoss', 'TimmBackbone', 'WeightedCrossEntropy',
        *comparators.__all__,
    ],
    'TRANSFORMS': [
        'AlignedRandomCrop', 'DocTamperJPEG', 'ExtractDCT', 'FreeRandomCrop', 'InferencerLoader',
        'LoadImageFromFile', 'LoadImageFromNDArray', 'LoadManipulationMask', 'LoadOriginalImage',
        'MaskToBoxes', 'MirrorBlocks', 'PackManipulationInputs', 'Perturb', 'RandomJPEGCompress',
        'RandomLocalHistory', 'RandomLocalSensor', 'RandomPaste',
    ],
    'DATASETS': ['DocTamperDataset', 'ManipulationDataset', 'ReproducibleConcatDataset'],
    'DATA_SAMPLERS': ['DomainBalancedSampler', 'ReproducibleSampler'],
    'INFERENCERS': ['ManipulationInferencer'],
    'METRICS': ['GateReport', 'ImageLevelMetric', 'ManipulationMetric', 'SelectionMetric'],
    'HOOKS': [
        'AreaPlotHook', 'CudaMathHook', 'ExtremesHook', 'FiniteLossHook', 'FrozenStatisticsHook',
        'GalleryHook', 'ModalGateHook', 'ResumedBatchHook', 'ResumedValidationHook',
        'SafeCheckpointHook', 'SavePredictionsHook', 'ScoreCurvesHook', 'StepSeedHook',
        'TimeLimitHook', 'VisualizationHook',
    ],
    'OPTIM_WRAPPER_CONSTRUCTORS': ['JoinedGroups'],
}  # fmt: skip


@pytest.mark.parametrize('name', sorted(REGISTRIES))
def test_registry_is_a_child_of_mmengines(name):
    parent = getattr(mmengine.registry, name)
    assert REGISTRIES[name].parent is parent
    assert parent.children['mmomni'] is REGISTRIES[name]


@pytest.mark.parametrize('name', sorted(REGISTRIES))
def test_registry_knows_where_its_modules_live(name):
    locations = REGISTRIES[name]._locations
    assert locations
    for location in locations:
        assert importlib.import_module(location)


@pytest.mark.parametrize('name', TYPES)
def test_types(name):
    REGISTRIES[name].import_from_location()
    assert set(TYPES[name]) == set(REGISTRIES[name].module_dict)


@pytest.mark.parametrize('name', sorted(REGISTRIES))
def test_registered_class_is_public_in_its_package(name):
    """Whoever prefers Python to configs finds each of them in ``__all__``."""
    REGISTRIES[name].import_from_location()
    packages = [importlib.import_module(location) for location in REGISTRIES[name]._locations]
    for key, cls in REGISTRIES[name].module_dict.items():
        assert key == cls.__name__
        assert cls.__module__.startswith('mmomni.')
        assert any(getattr(package, key, None) is cls for package in packages)
        assert any(key in package.__all__ for package in packages)


def test_found_in_a_fresh_process_without_imports():
    """From mmengine's root and from mmseg's registries, as mmseg's runner asks for them."""
    code = [
        'import mmengine.registry, mmseg.registry',
        f'types = {TYPES!r}',
        'modules = mmengine.registry, mmseg.registry',
        'pairs = [(n, "mmomni." + t) for n in types for t in types[n]]',
        'found = [getattr(module, n).get(t) for module in modules for n, t in pairs]',
        f'assert len(found) == {2 * sum(map(len, TYPES.values()))} and None not in found, found',
    ]
    subprocess.run([sys.executable, '-W', 'ignore', '-c', '\n'.join(code)], check=True)


@pytest.mark.parametrize('name', TYPES)
def test_not_found_without_the_prefix(name):
    """An unscoped name means mmseg's: ours must not leak into another scope."""
    seg = importlib.import_module('mmseg.registry')
    registry = getattr(seg, name)
    for key in TYPES[name]:
        found = registry.get(key)
        assert found is None or not found.__module__.startswith('mmomni.')


def test_no_scope_of_ours_is_warned_of_in_a_fresh_process():
    """mmengine gives it to all that configs of the package say, as ``_base_``."""
    names = {*vars(mmengine.registry)} & {*REGISTRIES}
    assert {'LOOPS', 'VISUALIZERS', 'VISBACKENDS', 'OPTIM_WRAPPERS', 'PARAM_SCHEDULERS'} <= names
    code = [
        'import mmengine.registry',
        f'for name in {sorted(names)!r}:',
        '    registry = getattr(mmengine.registry, name)',
        "    with registry.switch_scope_and_registry('mmomni') as found:",
        "        assert found.scope == 'mmomni', name",
    ]
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', '\n'.join(code)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert 'Failed to search' not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ('kind', 'known', 'similar'),
    [
        ('mmomni.ManipulationDataset', True, '; is it mmomni.ManipulationDataset?'),
        ('ManipulationDataset', True, '; is it mmomni.ManipulationDataset?'),
        ('ADE20KDataset', True, '; is it mmseg.ADE20KDataset?'),
        ('ConcatDataset', True, '; is it ConcatDataset?'),
        ('CocoDataset', True, '; is it mmdet.CocoDataset?'),
        ('mmseg.datasets.ADE20KDataset', True, '; is it mmseg.ADE20KDataset?'),
        ('absent.ADE20KDataset', False, '; is it mmseg.ADE20KDataset?'),
        ('Q', False, ''),
    ],
)
def test_types_are_known_in_any_scope(kind, known, similar, capsys):
    pytest.importorskip('mmdet.registry')  # whose registries are children then
    registry = mmengine.registry.DATASETS
    assert is_registered(registry, kind) is known
    assert similar_type(registry, kind) == similar
    assert capsys.readouterr().out == ''
