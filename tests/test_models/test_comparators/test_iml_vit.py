from typing import ClassVar

import pytest
import torch

from mmomni.models.comparators import SimpleFeaturePyramid, WindowedViT
from mmomni.models.comparators import iml_vit as parts

from .contract import ComparatorTester

SMALL = dict(image_side=64, channels=8, num_heads=2, depth=2, global_blocks=[1], window=3)


class TestIMLViT(ComparatorTester):
    paper = 'imlvit_vit-base'
    lite = 'imlvit_vit-tiny'
    parameters = 91.78
    multiply_adds = 136.0
    losses: ClassVar = {'decode.loss_ce', 'decode.loss_edge'}
    shares = False


@pytest.fixture
def vit():
    torch.manual_seed(0)
    vit = WindowedViT(**SMALL).double().eval()
    for parameter in vit.relative.parameters():
        torch.nn.init.normal_(parameter)
    return vit


def test_attention_is_what_the_paper_of_mvit_writes():
    """Query and key, plus what the query says of their distance in rows, and in columns."""
    torch.manual_seed(0)
    attention = parts.Attention(6, 2).double()
    positions = parts.RelativePositions(4, 3).double()
    for parameter in positions.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(1, 3, 4, 6).double()
    query, key, value = attention.qkv(x[0]).unflatten(-1, (3, 2, 3)).unbind(-3)  # (3, 4, 2, 3)
    # made for 4 x 4 patches; three rows are told apart by the table interpolated to five
    rows = torch.nn.functional.interpolate(positions.rows.T[None], 5, mode='linear')[0].T
    expected = torch.zeros(3, 4, 2, 3).double()
    for i, j, head in torch.cartesian_prod(torch.arange(3), torch.arange(4), torch.arange(2)):
        q = query[i, j, head]
        logits = torch.stack([
            q @ key[k, m, head] / 3**0.5 + q @ rows[i - k + 2] + q @ positions.columns[j - m + 3]
            for k in range(3) for m in range(4)
        ])  # fmt: skip
        expected[i, j, head] = logits.softmax(0) @ value[:, :, head].flatten(0, 1)
    found = attention(x, positions)
    torch.testing.assert_close(found[0], attention.proj(expected.flatten(2)))


@pytest.mark.parametrize('size', [(6, 6), (4, 7), (1, 2)])
def test_windows_are_put_back_where_they_were(size):
    x = torch.rand(2, *size, 5)
    windows, grid = parts._windows(x, 3)
    assert windows.shape == (2 * grid[0] * grid[1], 3, 3, 5)
    assert torch.equal(windows[0, 0, 0], x[0, 0, 0])
    assert torch.equal(parts._from_windows(windows, grid, x.shape), x)


def test_windows_see_nothing_of_each_other_and_global_blocks_all(vit):
    image = torch.rand(1, 5, 96, 96).double()  # 6 x 6 patches, four windows
    changed = image.clone()
    changed[..., :16, :16] += 1

    def seen(globally):
        vit.blocks[1].window = None if globally else 3
        with torch.no_grad():
            return (vit(image)[0] != vit(changed)[0]).any(1)[0]

    within = torch.zeros(6, 6, dtype=torch.bool)
    within[:3, :3] = True
    vit.relative[1] = vit.relative[0]
    assert torch.equal(seen(globally=False), within)
    assert seen(globally=True).all()


def test_weights_of_a_masked_autoencoder_fit(vit, tmp_path):
    """By the names of facebookresearch/mae; what only a classifier has is left out."""
    theirs = {
        name.replace('projection', 'proj')
        .replace('mlp.layers.0.0', 'mlp.fc1')
        .replace('mlp.layers.1', 'mlp.fc2'): torch.rand_like(tensor)
        for name, tensor in vit.state_dict().items()
        if not name.startswith('relative.')
    }
    theirs |= {'cls_token': torch.rand(1, 1, 8), 'norm.weight': torch.rand(8)}
    torch.save(dict(model=theirs), tmp_path / 'mae.pth')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'mae.pth'))
    other = WindowedViT(**SMALL, init_cfg=init_cfg).double()
    other.init_weights()
    assert torch.equal(other.blocks[1].mlp.layers[1].bias, theirs['blocks.1.mlp.fc2.bias'])
    assert torch.equal(other.pos_embed, theirs['pos_embed'])
    assert not any(parameter.any() for parameter in other.relative.parameters())
    del theirs['blocks.0.attn.qkv.weight']
    torch.save(dict(model=theirs), tmp_path / 'mae.pth')
    with pytest.raises(ValueError, match=r'missing: blocks\.0\.attn\.qkv\.weight'):
        other.init_weights()


def test_positions_of_the_pretraining_are_taken_as_they_are(vit):
    assert torch.equal(vit._positions((14, 14)).flatten(1, 2), vit.pos_embed[:, 1:])
    assert vit._positions((3, 5)).shape == (1, 3, 5, 8)


def test_pyramid_has_strides_4_to_64():
    pyramid = SimpleFeaturePyramid(8, 4)
    sizes = [tuple(level.shape) for level in pyramid([torch.rand(2, 8, 8, 4)])]
    assert sizes == [(2, 4, 32, 16), (2, 4, 16, 8), (2, 4, 8, 4), (2, 4, 4, 2), (2, 4, 2, 1)]
