"""GPT-2's network, for comparison rows: it is evaluated and sampled from, never trained here.

LayerNorm before each part, learned positions, GELU in its tanh form, one matrix for embedding and head.
Shapes: B rows, T positions, D width, H heads.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from pilebuilder.train.attention import Past, attend
from pilebuilder.train.loss import linear_cross_entropy

EPSILON = 1e-5


class GPT2(nn.Module):  # type: ignore[misc]
    """Token ids in, the last hidden states out; `loss` and `logits` apply the head."""

    def __init__(self, vocabulary: int, length: int, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.length = length
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(length, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width, EPSILON)

    def forward(self, ids_bt: Tensor, past: list[Past] | None = None) -> Tensor:
        """Hidden states after the last norm, (B, T, D); with `past` as in `model.GPT`."""
        start = past[0].length if past else 0
        x = self.wte(ids_bt) + self.wpe.weight[start : start + ids_bt.shape[1]]
        for i, block in enumerate(self.h):
            x = block(x, past[i] if past else None)
        return self.ln_f(x)

    def no_past(self, capacity: int) -> list[Past]:
        """As in `model.GPT`."""
        return [Past(capacity) for _ in self.h]

    def loss(self, ids_bt: Tensor, target_bt: Tensor, *, scale: float) -> tuple[Tensor, Tensor]:
        """Scaled sum of losses and the negative log-likelihood of each token, (B, T), in nats."""
        hidden = self(ids_bt).flatten(0, 1)
        loss, nll = linear_cross_entropy(hidden, self.wte.weight, target_bt.flatten(), scale=scale)
        return loss, nll.view(target_bt.shape)

    def logits(self, ids_bt: Tensor) -> Tensor:
        """(B, T, V), for few tokens."""
        return self.head(self(ids_bt))

    def head(self, hidden: Tensor) -> Tensor:
        """Logits of hidden states: the embedding, used a second time."""
        return hidden @ self.wte.weight.T


class Block(nn.Module):  # type: ignore[misc]
    """Attention, then the MLP. Names are those of the published files; their matrices lie transposed there."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width, EPSILON), nn.LayerNorm(width, EPSILON)
        self.attn = nn.ModuleDict({"c_attn": nn.Linear(width, 3 * width), "c_proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"c_fc": nn.Linear(width, 4 * width), "c_proj": nn.Linear(4 * width, width)})

    def forward(self, x_btd: Tensor, past: Past | None) -> Tensor:
        b, t, d = x_btd.shape
        qkv = self.attn["c_attn"](self.ln_1(x_btd)).split(d, -1)
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in qkv)
        k, v = past.extend(k, v) if past else (k, v)
        x = x_btd + self.attn["c_proj"](attend(q, k, v).transpose(1, 2).reshape(b, t, d))
        inner = functional.gelu(self.mlp["c_fc"](self.ln_2(x)), approximate="tanh")
        return x + self.mlp["c_proj"](inner)


def rename(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published file's tensors under this network's names: prefix and constant masks off, matrices turned."""
    found = {}
    for name, tensor in tensors.items():
        short = name.removeprefix("transformer.")
        if short.endswith((".attn.bias", ".attn.masked_bias")) or short == "lm_head.weight":
            continue
        turned = short.startswith("h.") and short.endswith("weight") and tensor.ndim == 2
        found[short] = tensor.T.contiguous() if turned else tensor
    return found
