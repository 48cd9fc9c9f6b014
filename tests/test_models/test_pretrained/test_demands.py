import pytest
import torch
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from safetensors.torch import save_file
from torch import nn

from mmomni.models.pretrained import demand_start, demand_weights


def part(*init_cfg, **parts):
    """A module with an ``init_cfg``, around others."""
    module = BaseModule(list(init_cfg))
    for name, each in parts.items():
        module.add_module(name, each)
    return module


def pretrained(checkpoint):
    return dict(type='Pretrained', checkpoint=str(checkpoint))


def test_all_absent_files_are_named_with_their_modules(tmp_path):
    model = part(
        dict(type='Normal', layer='Conv2d'),
        backbone=part(
            backbone=part(pretrained('package://no_such_weights')),
            fph=part(pretrained(tmp_path / 'head.pth')),
        ),
        heads=nn.ModuleList([part(), part(pretrained(tmp_path / 'box.pth'), dict(type='Xavier'))]),
    )
    with pytest.raises(FileNotFoundError) as caught:
        demand_weights(model)
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert 'backbone.backbone.init_cfg: ' in lines[1]
    assert 'pip install no-such-weights' in lines[1]
    assert f'backbone.fph.init_cfg: expected {tmp_path}/head.pth' in lines[2]
    assert 'heads.1.init_cfg' in lines[3]


def test_what_is_there_or_elsewhere_is_let_through(tmp_path, monkeypatch):
    torch.save({}, tmp_path / 'a.pth')
    monkeypatch.setenv('HOME', str(tmp_path))
    demand_weights(
        part(
            a=part(pretrained(tmp_path / 'a.pth')),
            b=part(pretrained('~/a.pth')),
            c=part(pretrained('https://example.org/b.pth')),
            d=nn.Conv2d(1, 1, 1),
        )
    )


def test_an_absent_start_is_named(tmp_path):
    start = tmp_path / 'iter_40000.pth'
    with pytest.raises(FileNotFoundError, match=f'load_from: expected {start}, found no such'):
        demand_start(Config(dict(load_from=str(start))))
    torch.save({}, start)
    demand_start(Config(dict(load_from=str(start))))
    demand_start(Config())
    demand_start(Config(dict(load_from=None)))


@pytest.mark.parametrize(('size', 'reason'), [(0, 'is empty'), (200, 'is cut short')])
def test_a_torn_start_is_named(size, reason, tmp_path):
    start = tmp_path / 'iter_40000.pth'
    torch.save(dict(a=torch.ones(20)), start)
    start.write_bytes(start.read_bytes()[:size])
    with pytest.raises(FileNotFoundError, match=f'expected a whole file, {start} {reason}'):
        demand_start(Config(dict(load_from=str(start))))


def test_the_host_loads_published_safetensors(tmp_path):
    """mmengine itself would take them for a pickle."""
    weights = dict(a=torch.arange(3.0))
    save_file(weights, tmp_path / 'a.safetensors')
    content = CheckpointLoader.load_checkpoint(str(tmp_path / 'a.safetensors'), 'cpu')
    torch.testing.assert_close(content['state_dict'], weights)
    assert content['meta']['dataset_meta']['classes'] == ('authentic', 'tampered')
    (tmp_path / 'b.safetensors').write_bytes(b'no weights')
    with pytest.raises(ValueError, match=r'b\.safetensors is damaged, or no safetensors file'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'b.safetensors'), 'cpu')
