import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmomni.models import fast


def split_heads(x: Tensor, num_heads: int) -> Tensor:
    """(B, L, C) -> (B, heads, L, C / heads)."""
    return x.unflatten(-1, (num_heads, -1)).transpose(1, 2)


def join_heads(x: Tensor) -> Tensor:
    """(B, heads, L, C / heads) -> (B, L, C)."""
    return x.transpose(1, 2).flatten(2)


def attend(query: Tensor, key: Tensor, value: Tensor, num_heads: int) -> Tensor:
    """Multi-head ``softmax(Q K^T / sqrt(d)) V``; Q is (B, L, C), K and V are (B, S, C)."""
    q, k, v = (split_heads(t.to(value.dtype), num_heads) for t in (query, key, value))
    return join_heads(F.scaled_dot_product_attention(q, k, v))


class Gathering(nn.Module):
    """The queries' look at all pixels: a module of its own, so that it can be told of the rest."""

    def __init__(self, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Queries (B, N, C); keys and values of the pixels (B, H W, C) -> (B, N, C)."""
        return attend(query, key, value, self.num_heads)


class QueryAttention(nn.Module):
    """Attention through a few learnable queries, linear in the number of pixels.

    Queries gather (they attend over the pixels), then pixels read (they attend over what was
    gathered): two matrix products with N queries each, never an (H W) x (H W) matrix.

    What a query gathers is added to the query itself, as in the induced attention of the Set
    Transformer (Lee et al., ICML 2019). Gathered alone, all tokens begin as the mean of the
    pixels: every pixel reads the same, and no gradient tells the queries apart.

    Args:
        channels: Channels of input and output, a multiple of ``num_heads``.
        num_queries: N.
        num_heads: Of both attentions.
    """

    def __init__(self, channels: int, num_queries: int, num_heads: int) -> None:
        super().__init__()
        if channels % num_heads:
            raise ValueError(
                f'channels must be a multiple of num_heads={num_heads}, got {channels}'
            )
        self.num_heads = num_heads
        self.queries = nn.Parameter(torch.empty(num_queries, channels))
        nn.init.normal_(self.queries)
        self.norm = nn.LayerNorm(channels)
        self.gathering = Gathering(num_heads)
        self.gather = nn.Linear(channels, 2 * channels)
        self.token_norm = nn.LayerNorm(channels)
        self.read_query = nn.Linear(channels, channels)
        self.read = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> the same."""
        pixels = self.norm(x.flatten(2).transpose(1, 2))
        queries = self.queries.expand(len(x), -1, -1)
        gathered = self.gathering(queries, *self.gather(pixels).chunk(2, dim=-1))
        tokens = self.token_norm(queries + gathered)
        key, value = self.read(tokens).chunk(2, dim=-1)
        read = attend(self.read_query(pixels), key, value, self.num_heads)
        return fast.laid_out_like(self.out(read).transpose(1, 2).reshape(x.shape), x)
