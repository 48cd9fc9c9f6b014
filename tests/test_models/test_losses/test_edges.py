import pytest
import torch

from mmomni.models.losses import edge_labels

LABELS = torch.tensor(
    [
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
        [0, 0, 0, 1, 1, 1],
    ]
)[None]


def test_edges_lie_on_both_sides_and_not_at_the_border_of_the_image():
    expected = torch.tensor(
        [
            [0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0],
            [0, 0, 1, 1, 1, 1],
            [0, 0, 1, 1, 1, 1],
            [0, 0, 1, 1, 0, 0],
            [0, 0, 1, 1, 0, 0],
        ]
    )[None]
    assert torch.equal(edge_labels(LABELS, (6, 6)), expected)


def test_a_smaller_edge_is_one_where_there_is_any():
    assert edge_labels(LABELS, (3, 3)).tolist() == [[[0, 0, 0], [0, 1, 1], [0, 1, 0]]]


def test_no_edge_towards_ignored_pixels():
    labels = LABELS.clone()
    labels[:, :, :3] = 255
    edges = edge_labels(labels, (6, 6))
    assert (edges[..., :2] == 255).all()
    assert edges[0, :, 2].tolist() == [255, 255, 1, 1, 255, 255]  # diagonal to both kinds
    assert edges[0, 4:, 3].tolist() == [0, 0]


@pytest.mark.parametrize('label', [0, 1, 255])
def test_one_kind_alone_has_no_edge(label):
    expected = 255 if label == 255 else 0
    assert (edge_labels(torch.full((2, 8, 8), label), (4, 2)) == expected).all()
