import pytest
import torch
from mmengine.model.weight_init import PretrainedInit
from torch import nn

from mmomni.models.pretrained import inflate, load_pretrained, pretrained_part


@pytest.fixture
def network():
    return nn.Sequential(nn.Conv2d(5, 2, 1), nn.BatchNorm2d(2))


@pytest.fixture
def load(network, tmp_path):
    def run(content, **init_cfg):
        torch.save(content, tmp_path / 'x.pth')
        init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'x.pth'), **init_cfg)
        load_pretrained(network, init_cfg, stem='0.weight', optional=('1.',))
        return network.state_dict()

    return run


def test_pretrained_part_of_an_init_cfg():
    part = dict(type='Pretrained', checkpoint='x.pth')
    drawn = dict(type='Normal', layer='Conv2d')
    assert pretrained_part(part) is part
    assert pretrained_part([part]) is part
    with pytest.raises(ValueError, match='only entry of init_cfg, got 2'):
        pretrained_part([part, drawn])
    assert pretrained_part(dict(type=PretrainedInit, checkpoint='x'))
    assert pretrained_part(drawn) is pretrained_part([drawn]) is pretrained_part(None) is None


def test_inflated_kernel():
    kernel = torch.randn(4, 3, 2, 2)
    larger = inflate(kernel, 5)
    assert torch.equal(larger[:, :3], kernel)
    assert larger.shape == (4, 5, 2, 2)
    assert not larger[:, 3:].any()


@pytest.mark.parametrize('shape', [(4, 6, 2, 2), (4, 3, 2, 2), (4,)])
def test_kernel_that_is_left_as_it_is(shape):
    """Of more planes than RGB nothing tells which are which."""
    kernel = torch.randn(shape)
    assert inflate(kernel, 9 if shape[1:2] == (6,) else 3) is kernel


def test_what_is_optional_may_lack(load):
    state_dict = load({'0.weight': torch.ones(2, 3, 1, 1), '0.bias': torch.ones(2)})
    assert state_dict['0.weight'][:, :3].all()
    assert not state_dict['0.weight'][:, 3:].any()
    assert state_dict['1.weight'].eq(1).all()


def test_old_files_count_no_batches(load, network):
    weights = {n: t for n, t in network.state_dict().items() if 'num_batches' not in n}
    load(weights)


def test_fewer_planes_than_the_file_is_another_shape(load):
    with pytest.raises(ValueError, match=r'0\.weight \(2, 6, 1, 1\) instead of \(2, 5, 1, 1\)'):
        load({'0.weight': torch.ones(2, 6, 1, 1), '0.bias': torch.ones(2)})


def test_stem_of_other_planes_is_another_shape(load):
    with pytest.raises(ValueError, match=r'0\.weight \(2, 4, 1, 1\) instead of \(2, 5, 1, 1\)'):
        load({'0.weight': torch.ones(2, 4, 1, 1), '0.bias': torch.ones(2)})


def test_log_says_that_the_start_is_not_from_scratch(load, network, log):
    load(network.state_dict())
    assert any('Sequential does not start from scratch: 7 weights of ' in line for line in log)


def test_part_of_a_file(load, network):
    named = {f'a.b.{name}': tensor for name, tensor in network.state_dict().items()}
    for prefix in ('a.b', 'a.b.'):
        load(named | {'other': torch.zeros(1)}, prefix=prefix)


def test_prefix_that_no_name_has(load, network):
    expected = r"x\.pth: no weight begins with the prefix 'backbone\.', it has 0\.weight.*leave"
    with pytest.raises(ValueError, match=expected):
        load(network.state_dict(), prefix='backbone.')


@pytest.mark.parametrize('content', [3, dict(epoch=3), dict(state_dict=dict(a='b'))])
def test_file_without_tensors(load, content):
    with pytest.raises(ValueError, match=r'x\.pth: expected a dict of tensors'):
        load(content)


def test_misspelt_init_cfg(load):
    with pytest.raises(TypeError, match='prefixes'):
        load({}, prefixes='backbone.')
