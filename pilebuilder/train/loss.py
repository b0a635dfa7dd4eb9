"""Cross-entropy of a linear head, chunk by chunk: the whole logits never exist.

At 64k tokens and a vocabulary of 50k, fp32 logits take 13 GB. Here each chunk's gradient is formed as soon as its
logits are there (as in Liger's fused loss), so that at most one chunk of logits is alive. Softmax and sums are in
fp32, or in fp64 when the input is. Shapes: N tokens, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

IGNORE = -100
"""Target of a position that is not predicted."""

CHUNK, CHUNK_CPU = 4096, 512
"""Tokens whose logits exist at once: 0.8 GB in fp32 at a vocabulary of 50k; fewer on a CPU, for its caches."""


def _slopes(logits_nv: Tensor, target_n: Tensor, z_loss: float) -> tuple[Tensor, Tensor, Tensor]:
    """Of a chunk: negative log-likelihoods (N,), loss of each token (N,), and the gradient with respect to its logits
    in their type. Written without in-place steps, so that a compiler makes two passes over the logits of it."""
    wide = logits_nv.to(torch.promote_types(logits_nv.dtype, torch.float32))
    kept = target_n != IGNORE
    safe = torch.where(kept, target_n, 0)[:, None]
    lse = wide.logsumexp(-1)
    nll = torch.where(kept, lse - wide.gather(1, safe)[:, 0], 0.0)
    loss = nll + z_loss * torch.where(kept, lse.square(), 0.0)
    softmax = (wide - lse[:, None]).exp() * (1 + 2 * z_loss * lse)[:, None]
    hit = torch.arange(wide.shape[1], device=wide.device) == safe
    slope = torch.where(kept[:, None], softmax - hit.to(wide.dtype), 0.0)
    return nll, loss, slope.to(logits_nv.dtype)


def _losses(logits_nv: Tensor, target_n: Tensor, z_loss: float) -> tuple[Tensor, Tensor]:
    """The first two alone, where nothing is learnt."""
    wide = logits_nv.to(torch.promote_types(logits_nv.dtype, torch.float32))
    kept = target_n != IGNORE
    lse = wide.logsumexp(-1)
    nll = torch.where(kept, lse - wide.gather(1, torch.where(kept, target_n, 0)[:, None])[:, 0], 0.0)
    return nll, nll + z_loss * torch.where(kept, lse.square(), 0.0)


def _slopes_in_place(logits_nv: Tensor, target_n: Tensor, z_loss: float) -> tuple[Tensor, Tensor, Tensor]:
    """The same without a compiler: little memory is written."""
    wide = logits_nv.to(torch.promote_types(logits_nv.dtype, torch.float32))
    kept = target_n != IGNORE
    safe = torch.where(kept, target_n, 0)[:, None]
    lse = wide.logsumexp(-1)
    nll = torch.where(kept, lse - wide.gather(1, safe)[:, 0], 0.0)
    loss = nll + z_loss * torch.where(kept, lse.square(), 0.0)
    slope = wide.sub_(lse[:, None]).exp_().mul_((1 + 2 * z_loss * lse)[:, None])
    slope.scatter_add_(1, safe, torch.full_like(safe, -1, dtype=wide.dtype))
    return nll, loss, slope.masked_fill_(~kept[:, None], 0).to(logits_nv.dtype)


@cache
def _compiled_slopes() -> Callable[..., tuple[Tensor, Tensor, Tensor]]:
    compiled: Callable[..., tuple[Tensor, Tensor, Tensor]] = torch.compile(_slopes, dynamic=False)
    return compiled


def _add_product(total: Tensor, a: Tensor, b: Tensor) -> None:
    """total += a @ b, where fp32 totals take fp32 products of bf16 factors when the device has them."""
    if a.is_cuda and a.dtype != total.dtype:
        total += torch.mm(a, b, out_dtype=total.dtype)
    else:
        total += a @ b


class _LinearCrossEntropy(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(
        ctx: Any,
        hidden_nd: Tensor,
        weight_vd: Tensor,
        target_n: Tensor,
        scale: float,
        z_loss: float,
        chunk: int,
        compiled: bool,
    ) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(hidden_nd.dtype, torch.float32)
        weight = weight_vd.to(hidden_nd.dtype)
        learn = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        nll_n = hidden_nd.new_zeros(len(target_n), dtype=wide)
        total = hidden_nd.new_zeros((), dtype=wide)
        grad_hidden = torch.zeros_like(hidden_nd) if learn else None
        grad_weight = torch.zeros_like(weight_vd, dtype=torch.promote_types(weight_vd.dtype, wide)) if learn else None
        find = _losses if not learn else _compiled_slopes() if compiled else _slopes_in_place
        for start in range(0, len(target_n), chunk):
            part = slice(start, start + chunk)
            hidden = hidden_nd[part]
            nll_n[part], loss, *slope = find(hidden @ weight.T, target_n[part], z_loss)
            total += loss.sum()
            if grad_hidden is not None and grad_weight is not None:
                grad_hidden[part] = slope[0] @ weight
                _add_product(grad_weight, slope[0].T, hidden)
        if learn:
            ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.scale = scale
        ctx.mark_non_differentiable(nll_n)
        return total * scale, nll_n

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        grad_hidden, grad_weight = ctx.saved_tensors
        factor = grad * ctx.scale
        return grad_hidden * factor.to(grad_hidden.dtype), grad_weight * factor, None, None, None, None, None


def linear_cross_entropy(
    hidden_nd: Tensor,
    weight_vd: Tensor,
    target_n: Tensor,
    *,
    scale: float,
    z_loss: float = 0.0,
    chunk: int | None = None,
    compiled: bool = False,
) -> tuple[Tensor, Tensor]:
    """Scaled sum of the losses (nats, differentiable) and each token's negative log-likelihood (nats, not).

    `scale` multiplies the sum: one over the tokens of the whole batch gives a mean over every micro-batch together.
    Positions whose target is `IGNORE` count nothing. `z_loss` adds that much of the squared log-partition. `compiled`
    lets a compiler fuse the work on the logits of each chunk.
    """
    if not torch.is_grad_enabled():  # a function of autograd forms gradients for whatever requires them
        hidden_nd, weight_vd = hidden_nd.detach(), weight_vd.detach()
    size = chunk or (CHUNK_CPU if hidden_nd.device.type == "cpu" else CHUNK)
    loss, nll_n = _LinearCrossEntropy.apply(hidden_nd, weight_vd, target_n, scale, z_loss, size, compiled)
    return loss, nll_n
