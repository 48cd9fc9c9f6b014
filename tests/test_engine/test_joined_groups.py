import copy
import logging

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.utils import digit_version
from torch import nn

CONFIG = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-2, weight_decay=0.1),
    clip_grad=dict(max_norm=1),
    paramwise_cfg=dict(
        norm_decay_mult=0.0, bias_decay_mult=0.0, custom_keys={'0.': dict(lr_mult=0.1)}
    ),
)


@pytest.fixture(autouse=True)
def quiet():
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(level)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 2, 1)
    )


def build(model, constructor, **optimizer):
    cfg = copy.deepcopy(CONFIG)
    cfg['optimizer'].update(optimizer)
    return build_optim_wrapper(model, dict(cfg, constructor=constructor))


def groups_of(wrapper, model):
    """Without the one of no parameter that mmengine logs the learning rate of."""
    parameters = set(model.parameters())
    return [group for group in wrapper.optimizer.param_groups if set(group['params']) & parameters]


def test_one_group_for_equal_options(model):
    groups = groups_of(build(model, 'mmomni.JoinedGroups'), model)
    found = {(group['lr'], group['weight_decay'], len(group['params'])) for group in groups}
    assert found == {(1e-3, 0.1, 1), (1e-2, 0.0, 4), (1e-2, 0.1, 2)}


def test_every_parameter_has_the_options_that_mmengine_gives_it(model):
    def options(constructor):
        return {
            parameter: (group['lr'], group['weight_decay'])
            for group in groups_of(build(model, constructor), model)
            for parameter in group['params']
        }

    assert options('mmomni.JoinedGroups') == options('DefaultOptimWrapperConstructor')


def test_learns_what_mmengines_learns(model):
    other = copy.deepcopy(model)
    x = torch.randn(2, 3, 9, 9)
    for network, constructor in (
        (model, 'mmomni.JoinedGroups'), (other, 'DefaultOptimWrapperConstructor'),
    ):  # fmt: skip
        wrapper = build(network, constructor)
        for _ in range(5):
            wrapper.update_params(network(x).square().mean())
    torch.testing.assert_close(model.state_dict(), other.state_dict())


@pytest.mark.parametrize('kind', ['Adam', 'AdamW'])
def test_fused_on_a_cpu_where_torch_has_it(model, kind):
    fused = build(model, 'mmomni.JoinedGroups', type=kind).optimizer.defaults['fused']
    assert fused is (True if digit_version(torch.__version__) >= digit_version('2.4') else None)


@pytest.mark.parametrize('options', [dict(fused=False), dict(foreach=True)])
def test_the_config_decides_on_kernels(model, options):
    wrapper = build(model, 'mmomni.JoinedGroups', **options)
    assert not wrapper.optimizer.defaults['fused']
    assert wrapper.optimizer.defaults['foreach'] == options.get('foreach')


def test_other_optimisers(model):
    wrapper = build(model, 'mmomni.JoinedGroups', type='SGD')
    assert type(wrapper.optimizer) is torch.optim.SGD
    assert len(groups_of(wrapper, model)) == 3


def test_resumes(model):
    wrapper, x = build(model, 'mmomni.JoinedGroups'), torch.randn(2, 3, 9, 9)
    wrapper.update_params(model(x).square().mean())
    other = copy.deepcopy(model)
    again = build(other, 'mmomni.JoinedGroups')
    again.load_state_dict(copy.deepcopy(wrapper.state_dict()))
    for network, owner in ((model, wrapper), (other, again)):
        owner.update_params(network(x).square().mean())
    torch.testing.assert_close(model.state_dict(), other.state_dict(), rtol=0, atol=0)
