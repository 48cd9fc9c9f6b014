import torch
from mmseg.models.backbones.swin import SwinBlockSequence

from mmomni.models.backbones import ConvNeXtSwin, ModalGateEncoder


def make():
    torch.manual_seed(0)
    return ConvNeXtSwin('atto', in_channels=6, tail_depths=(2, 1), layer_scale_init_value=1.0)


def test_four_levels():
    maps = make()(torch.randn(2, 6, 64, 96))
    shapes = [tuple(x.shape) for x in maps]
    assert shapes == [(2, 40, 16, 24), (2, 80, 8, 12), (2, 160, 4, 6), (2, 320, 2, 3)]


def test_the_tail_is_swin_on_the_tokens_in_row_order():
    stage = make().stages[2].eval()
    x = torch.randn(1, 160, 9, 8)  # not a multiple of the window: Swin pads
    tokens = torch.stack([x[0, :, i // 8, i % 8] for i in range(72)])[None]
    expected = stage.blocks(tokens, (9, 8))[0]
    torch.testing.assert_close(stage(x)[0, :, 5, 3], expected[0, 5 * 8 + 3])
    assert [type(s.blocks) for s in make().stages[2:]] == [SwinBlockSequence] * 2
    assert [len(s.blocks.blocks) for s in make().stages[2:]] == [2, 1]


def test_swin_blocks_have_the_sizes_of_the_paper():
    """Heads of 32 channels, four times the width within, windows of 7."""
    stages = make().stages[2:]
    for stage, channels in zip(stages, (160, 320), strict=True):
        for block in stage.blocks.blocks:
            assert block.attn.w_msa.num_heads == channels // 32
            assert block.ffn.feedforward_channels == 4 * channels
            assert block.attn.window_size == 7


def test_every_parameter_learns_inside_of_the_encoder(make_planes):
    torch.manual_seed(0)
    encoder = ModalGateEncoder(
        dict(type='mmomni.ConvNeXtSwin', arch='atto', tail_depths=(2, 1)), gate='fused',
        frequency_head=dict(hidden_channels=4, embed_channels=2, out_channels=32, num_blocks=1),
        aux_channels=6,
    )  # fmt: skip
    outputs = encoder(torch.stack([make_planes(64, 64)] * 2).float())
    sum(x.square().sum() for x in outputs if x is not None).backward()
    assert [n for n, p in encoder.named_parameters() if p.grad is None] == []
