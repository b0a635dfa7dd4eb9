"""The network: a decoder of identical blocks, in two families.

``modern`` is the block of Qwen3 (RMSNorm, rotary positions, RMSNorm of each query and key head, SwiGLU or squared
ReLU, no biases), or Llama's: the same without norms of queries and keys. ``neox`` is GPT-NeoX's (LayerNorm, biases,
GELU, a quarter of each head rotated, attention and MLP side by side). Weights are fp32; each layer casts them to the
type of what it gets, so there is no autocast. Shapes: B rows, T positions, D width, H heads, K channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from pilebuilder.train.attention import LAYOUTS, Layout, Past, attend
from pilebuilder.train.config import VOCABULARY_MULTIPLE, Model
from pilebuilder.train.loss import linear_cross_entropy

NEOX_ROTATED = 0.25
"""Share of each head that carries positions in GPT-NeoX and Pythia (``rotary_pct``)."""

INIT = 0.02
"""Standard deviation of initial weights (GPT-2)."""


class Linear(nn.Linear):  # type: ignore[misc]
    """A linear layer that casts its fp32 weights to the type of its input."""

    def reset_parameters(self) -> None:
        """Draw nothing: `GPT.reset` does."""

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return functional.linear(x, self.weight.to(x.dtype), bias)


def together(layers: list[Linear], x: Tensor) -> tuple[Tensor, ...]:
    """Several layers on one input as one product: larger matrices use a GPU better, and the cast joins them anyway."""
    weight = torch.cat([layer.weight.to(x.dtype) for layer in layers])
    bias = None if layers[0].bias is None else torch.cat([layer.bias.to(x.dtype) for layer in layers])
    parts: tuple[Tensor, ...] = functional.linear(x, weight, bias).split([layer.out_features for layer in layers], -1)
    return parts


class RMSNorm(nn.Module):  # type: ignore[misc]
    """Root mean square normalisation with a learned gain, computed in fp32."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + 1e-6)).to(x.dtype) * self.weight.to(x.dtype)


class LayerNorm(nn.LayerNorm):  # type: ignore[misc]
    """Layer normalisation in the type of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(
            x, self.normalized_shape, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps
        )


def rotary(
    start: int, stop: int, channels: int, base: float, device: torch.device | None = None
) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary embedding of positions `start` up to `stop`, (T, channels / 2) each, fp32."""
    exponent = torch.arange(0, channels, 2, dtype=torch.float32, device=device) / channels
    angle = torch.outer(torch.arange(start, stop, dtype=torch.float32, device=device), base**-exponent)
    return angle.cos(), angle.sin()


def rotate(x_bhtk: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the first ``2 * cos.shape[1]`` channels, halves paired as in Llama and GPT-NeoX; leave the others."""
    half = cos.shape[1]
    first, second, rest = x_bhtk[..., :half], x_bhtk[..., half : 2 * half], x_bhtk[..., 2 * half :]
    cos, sin = cos.to(x_bhtk.dtype), sin.to(x_bhtk.dtype)
    return torch.cat((first * cos - second * sin, second * cos + first * sin, rest), -1)


class Attention(nn.Module):  # type: ignore[misc]
    """Multi-head causal self-attention."""

    def __init__(self, shape: Model) -> None:
        super().__init__()
        self.heads, modern = shape.heads, shape.family == "modern"
        self.q, self.k, self.v, self.out = (Linear(shape.width, shape.width, bias=not modern) for _ in range(4))
        self.q_norm = RMSNorm(shape.head_width) if modern and shape.qk_norm else nn.Identity()
        self.k_norm = RMSNorm(shape.head_width) if modern and shape.qk_norm else nn.Identity()

    def forward(self, x_btd: Tensor, cos: Tensor, sin: Tensor, layout: Layout, past: Past | None) -> Tensor:
        b, t, d = x_btd.shape
        parts = together([self.q, self.k, self.v], x_btd)
        q, k, v = (part.view(b, t, self.heads, -1).transpose(1, 2) for part in parts)
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        k, v = past.extend(k, v) if past else (k, v)
        return self.out(attend(q, k, v, layout).transpose(1, 2).reshape(b, t, d))


class MLP(nn.Module):  # type: ignore[misc]
    """Two matrices around a nonlinearity; three with a gate."""

    def __init__(self, shape: Model) -> None:
        super().__init__()
        self.kind = shape.activation if shape.family == "modern" else "gelu"
        bias = shape.family == "neox"
        self.up = Linear(shape.width, shape.hidden, bias=bias)
        self.down = Linear(shape.hidden, shape.width, bias=bias)
        self.gate = Linear(shape.width, shape.hidden, bias=False) if self.kind == "swiglu" else None

    def forward(self, x: Tensor) -> Tensor:
        if self.gate is not None:
            gate, up = together([self.gate, self.up], x)
            return self.down(functional.silu(gate) * up)
        up = self.up(x)
        return self.down(functional.relu(up).square() if self.kind == "relu2" else functional.gelu(up))


class Block(nn.Module):  # type: ignore[misc]
    """Attention and MLP: one after the other (``modern``) or side by side on the same input (``neox``)."""

    def __init__(self, shape: Model) -> None:
        super().__init__()
        norm = RMSNorm if shape.family == "modern" else LayerNorm
        self.parallel = shape.family == "neox"
        self.attention_norm, self.mlp_norm = norm(shape.width), norm(shape.width)
        self.attention, self.mlp = Attention(shape), MLP(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, layout: Layout = None, past: Past | None = None) -> Tensor:
        attended = x + self.attention(self.attention_norm(x), cos, sin, layout, past)
        return attended + self.mlp(self.mlp_norm(x if self.parallel else attended))


class GPT(nn.Module):  # type: ignore[misc]
    """Token ids in, the last hidden states out; `loss` and `logits` apply the head."""

    def __init__(self, shape: Model, vocabulary: int, seed: int = 0) -> None:
        super().__init__()
        self.shape = shape
        padded = -(-vocabulary // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
        self.embed = nn.Embedding.from_pretrained(torch.empty(padded, shape.width), freeze=False)  # drawn by `reset`
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width) if shape.family == "modern" else LayerNorm(shape.width)
        self.head = Linear(shape.width, padded, bias=False)
        self.compute, self.layout, self.compiled = torch.float32, "stretches", False
        """Type of activations; how attention stays within documents (`attention.LAYOUTS`); see `compile_parts`."""
        self.reset(seed)

    @torch.no_grad()
    def reset(self, seed: int) -> None:
        """Initial weights from a seed: normal, 0.02, those that write to the residual smaller by sqrt(2 L) (GPT-2)."""
        maker = torch.Generator().manual_seed(seed)
        for name, weight in self.named_parameters():
            if weight.ndim == 2:
                writes = name.endswith(("attention.out.weight", "mlp.down.weight"))
                scale = INIT / (2 * self.shape.layers) ** 0.5 if writes else INIT
                weight.copy_(torch.randn(weight.shape, generator=maker) * scale)
            else:
                weight.fill_(0.0 if name.endswith("bias") else 1.0)

    def forward(self, ids_bt: Tensor, document_bt: Tensor | None = None, past: list[Past] | None = None) -> Tensor:
        """Hidden states after the last norm, (B, T, D).

        With `document_bt`, attention stays within documents. With `past` (see `no_past`) the ids follow those that it
        has seen, and are added to it.
        """
        share = 1.0 if self.shape.family == "modern" else NEOX_ROTATED
        start = past[0].length if past else 0
        channels, stop = int(self.shape.head_width * share), start + ids_bt.shape[1]
        cos, sin = rotary(start, stop, channels, self.shape.rotary_base, ids_bt.device)
        layout = None if document_bt is None else LAYOUTS[self.layout](document_bt)
        x = self.embed(ids_bt).to(self.compute)
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin, layout, past[i] if past else None)
        return self.norm(x)

    def compile_parts(self) -> None:
        """Compile, at their first use, the blocks (one graph serves them all), the last norm and the loss."""
        self.compiled = True
        for part in (*self.blocks, self.norm):
            part.compile(dynamic=False)

    def no_past(self, capacity: int) -> list[Past]:
        """What `forward` takes as `past` before the first of at most `capacity` positions."""
        return [Past(capacity) for _ in self.blocks]

    def loss(
        self,
        ids_bt: Tensor,
        target_bt: Tensor,
        *,
        scale: float,
        z_loss: float = 0.0,
        document_bt: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Scaled sum of losses and the negative log-likelihood of each token, (B, T), in nats."""
        hidden, target = self(ids_bt, document_bt).flatten(0, 1), target_bt.flatten()
        loss, nll = linear_cross_entropy(
            hidden, self.head.weight, target, scale=scale, z_loss=z_loss, compiled=self.compiled
        )
        return loss, nll.view(target_bt.shape)

    def logits(self, ids_bt: Tensor) -> Tensor:
        """(B, T, V with padding), for few tokens."""
        return self.head(self(ids_bt))
