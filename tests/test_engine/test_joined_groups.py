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


# ---- keys that combine -------------------------------------------------------------------------


@pytest.fixture
def network():
    """Two parts of a convolution, a norm and an embedding."""

    def part():
        return nn.ModuleDict(
            dict(conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), table=nn.Embedding(5, 2))
        )

    return nn.ModuleDict(dict(body=part(), head=part()))


KEYS = {'body': dict(lr_mult=0.1), 'table': dict(decay_mult=0.0)}


def options_of(network, keys=KEYS, constructor='mmomni.JoinedGroups', **rules):
    """Learning rate and decay of each parameter, as multiples of the base."""
    paramwise = dict(norm_decay_mult=0.0, bias_decay_mult=0.0, custom_keys=keys, **rules)
    wrapper = build_optim_wrapper(
        network,
        dict(CONFIG, constructor=constructor, paramwise_cfg=paramwise),
    )
    of = {id(p): g for g in groups_of(wrapper, network) for p in g['params']}
    return {
        name: (round(of[id(p)]['lr'] / 1e-2, 6), round(of[id(p)]['weight_decay'] / 0.1, 6))
        for name, p in network.named_parameters()
    }


def expected_of(body_lr, head_lr=1.0):
    free = ('conv.bias', 'norm.weight', 'norm.bias', 'table.weight')
    names = ('conv.weight', *free)
    rates = dict(body=body_lr, head=head_lr)
    return {f'{p}.{n}': (rates[p], 0.0 if n in free else 1.0) for p in rates for n in names}


def test_a_rate_of_a_part_leaves_the_rules_of_decay_in_force(network):
    assert options_of(network, combine_keys=True) == expected_of(0.1)


def test_without_combining_it_does_not_as_in_mmengine(network):
    """Whence the option: norms and biases of the part decay."""
    found = options_of(network)
    assert found == options_of(network, constructor='DefaultOptimWrapperConstructor')
    assert found['body.norm.weight'] == found['body.conv.bias'] == (0.1, 1.0)
    assert found['body.table.weight'] == (1.0, 0.0)  # the longer key undoes the rate


@pytest.mark.parametrize('long', ['body.table', 'body.table.weight'])
def test_each_option_comes_from_the_longest_key_that_names_it(network, long):
    keys = KEYS | {long: dict(decay_mult=0.5), 'body.norm': dict(lr_mult=0.2)}
    expected = expected_of(0.1) | {
        'body.table.weight': (0.1, 0.5), 'body.norm.weight': (0.2, 0.0),
        'body.norm.bias': (0.2, 0.0),
    }  # fmt: skip
    assert options_of(network, keys, combine_keys=True) == expected


def test_a_key_of_both_names_both(network):
    keys = {'body': dict(lr_mult=0.1, decay_mult=0.5)}
    found = options_of(network, keys, combine_keys=True)
    assert {found[name] for name in found if name.startswith('body')} == {(0.1, 0.5)}
    assert found['head.norm.weight'] == (1.0, 0.0)
    assert found['head.table.weight'] == (1.0, 1.0)


def test_a_group_for_each_rate_and_decay_is_logged(network):
    logger = MMLogger.get_current_instance()
    logger.setLevel(logging.INFO)
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger.addHandler(handler)
    try:
        options_of(network, combine_keys=True)
    finally:
        logger.removeHandler(handler)
    assert logger.level == logging.INFO
    counts = [int(line.split()[0]) for line in lines if ' parameters: ' in line]
    assert sum(counts) == len(list(network.parameters()))
    assert not any('paramwise_options' in line for line in lines)


@pytest.mark.skipif(
    not hasattr(torch.optim.Optimizer, 'register_load_state_dict_pre_hook'),
    reason='this torch has no hooks there: its own message stays',
)
def test_groups_of_other_rules_are_refused_with_a_remedy(network):
    """torch says that a group does not match, and not what to do."""
    rules = dict(norm_decay_mult=0.0, bias_decay_mult=0.0, custom_keys=KEYS)
    wrappers = [
        build_optim_wrapper(
            network,
            dict(CONFIG, constructor='mmomni.JoinedGroups', paramwise_cfg=dict(rules, **more)),
        )
        for more in ({}, dict(combine_keys=True))
    ]
    state = wrappers[0].state_dict()
    wrappers[0].load_state_dict(copy.deepcopy(state))
    with pytest.raises(ValueError, match='resume with the config that lies in its work dir'):
        wrappers[1].load_state_dict(copy.deepcopy(state))
