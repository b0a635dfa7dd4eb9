"""Causal attention, alone or within documents, through PyTorch's kernels; what a run uses is checked by the formula.

On a GPU the first of cuDNN's kernel, flash, memory-efficient and the plain one is taken (`select_kernel`). Attention
within documents (`Layout`) is computed in one of three ways that give the same values (`select_layout`):

- ``blocks``: FlexAttention skips the blocks of 128 x 128 scores in which no document meets itself. On a GPU.
- ``stretches``: the documents one by one, each as a row of its own. On a CPU; nothing is computed in vain.
- ``mask``: a T x T mask per row. Where the others do not serve. cuDNN's kernel never gets it: with explicit masks it
  has given NaN gradients in some releases.

Shapes: B rows, H heads, T positions, K channels of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.attention.flex_attention import BlockMask, flex_attention

KERNELS = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""Fastest first on Hopper, by others' measurements; on other GPUs flash is as fast as cuDNN's or faster."""

ANY_SHAPE = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
"""Take masks, and the shapes that the faster ones refuse."""

BLOCK = 128
"""Positions in a side of FlexAttention's blocks."""

Layout: TypeAlias = BlockMask | list[int] | Tensor | None
"""Who sees whom besides the past: blocks, lengths of stretches, a mask (B, 1, T, T), or everyone."""


def reference(q_bhtk: Tensor, k_bhtk: Tensor, v_bhtk: Tensor, mask_b1tt: Tensor | None = None) -> Tensor:
    """The formula, in the precision of its input and with every score in memory."""
    scores = q_bhtk @ k_bhtk.transpose(-2, -1) / q_bhtk.shape[-1] ** 0.5
    if mask_b1tt is None:
        mask_b1tt = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
    return scores.masked_fill(~mask_b1tt, float("-inf")).softmax(-1) @ v_bhtk


def attend(q_bhtk: Tensor, k_bhtk: Tensor, v_bhtk: Tensor, layout: Layout = None) -> Tensor:
    """Causal attention, (B, H, T, K). Without a layout there may be more keys than queries: earlier positions."""
    attention = functional.scaled_dot_product_attention
    if isinstance(layout, BlockMask):
        flex = flex_attention if torch.compiler.is_compiling() else _compiled_flex()
        return flex(q_bhtk, k_bhtk, v_bhtk, block_mask=layout)
    if isinstance(layout, list):
        return _by_stretches(q_bhtk, k_bhtk, v_bhtk, layout)
    if layout is not None:
        if not q_bhtk.is_cuda:
            return attention(q_bhtk, k_bhtk, v_bhtk, attn_mask=layout)
        with sdpa_kernel(ANY_SHAPE):
            return attention(q_bhtk, k_bhtk, v_bhtk, attn_mask=layout)
    new, known = q_bhtk.shape[2], k_bhtk.shape[2]
    if new == known:
        return attention(q_bhtk, k_bhtk, v_bhtk, is_causal=True)
    mask = torch.ones(new, known, dtype=torch.bool, device=q_bhtk.device).tril(known - new)
    return attention(q_bhtk, k_bhtk, v_bhtk, attn_mask=mask)


@cache
def _compiled_flex() -> Callable[..., Tensor]:
    """FlexAttention for a network that is not compiled; by itself it would hold every score."""
    compiled: Callable[..., Tensor] = torch.compile(flex_attention, dynamic=False)
    return compiled


def _by_stretches(q_bhtk: Tensor, k_bhtk: Tensor, v_bhtk: Tensor, lengths: list[int]) -> Tensor:
    b, h, t, channels = q_bhtk.shape
    rows = [x.transpose(0, 1).reshape(1, h, b * t, channels).split(lengths, 2) for x in (q_bhtk, k_bhtk, v_bhtk)]
    parts = [attend(q, k, v) for q, k, v in zip(*rows, strict=True)]
    return torch.cat(parts, 2).view(h, b, t, channels).transpose(0, 1)


# -- layouts: from the document of each position


def stretches(document_bt: Tensor) -> Tensor:
    """The number of each position's stretch of one document within its row, (B, T), never falling."""
    changed = document_bt[:, 1:] != document_bt[:, :-1]
    return functional.pad(changed.cumsum(1), (1, 0))


def by_mask(document_bt: Tensor) -> Tensor:
    """(B, 1, T, T), true where a position may look: not ahead, and in its own stretch of a document."""
    stretch, length = stretches(document_bt), document_bt.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=document_bt.device).tril()
    return (stretch[:, None, :, None] == stretch[:, None, None, :]) & causal


def by_stretches(document_bt: Tensor) -> list[int]:
    """Lengths of all stretches, row after row. Read by the host."""
    stretch = stretches(document_bt)
    number = (stretch + (torch.arange(len(stretch), device=stretch.device) * stretch.shape[1])[:, None]).flatten()
    lengths: list[int] = torch.unique_consecutive(number, return_counts=True)[1].tolist()
    return lengths


def by_blocks(document_bt: Tensor) -> BlockMask:
    """The blocks in which something is seen, apart for those in which all is; T must be a multiple of `BLOCK`.

    As stretches never fall along a row, the first and last position of a block tell all about it: nothing of T x T is
    formed, and the host reads nothing.
    """
    stretch = stretches(document_bt)
    first, last = stretch[:, ::BLOCK], stretch[:, BLOCK - 1 :: BLOCK]
    n = torch.arange(first.shape[1], device=stretch.device)
    whole = (n[:, None] > n) & (first[:, None, :] == last[:, :, None])
    some = (n[:, None] >= n) & (last[:, None, :] >= first[:, :, None]) & ~whole

    def seen(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        return (stretch[b, q] == stretch[b, k]) & (q >= k)

    listed = [x[:, None] for blocks in (some, whole) for x in _listed(blocks)]
    length = stretch.shape[1]
    return BlockMask.from_kv_blocks(*listed, BLOCK_SIZE=BLOCK, mask_mod=seen, seq_lengths=(length, length))


def _listed(blocks_bnn: Tensor) -> tuple[Tensor, Tensor]:
    """How many are set in each line, and which: those first."""
    chosen = blocks_bnn.int()
    return chosen.sum(-1, dtype=torch.int32), torch.argsort(chosen, dim=-1, descending=True, stable=True).int()


LAYOUTS: dict[str, Callable[[Tensor], Layout]] = {"blocks": by_blocks, "stretches": by_stretches, "mask": by_mask}


# -- the choice, before the first step


def select_kernel(
    device: torch.device, dtype: torch.dtype, heads: int, head_width: int, length: int
) -> tuple[SDPBackend | None, dict[str, str]]:
    """The first kernel whose values and gradients agree with the formula, and why each one before it does not.

    On a CPU there is one kernel and nothing to choose: None.
    """
    refused: dict[str, str] = {}
    if device.type != "cuda":
        return None, refused
    hopper = torch.cuda.get_device_capability(device)[0] == 9
    for kernel in KERNELS if hopper else KERNELS[1:]:
        with sdpa_kernel(kernel):
            why = _disagreement(device, dtype, heads, head_width, min(length, 1024), "")
        if not why:
            return kernel, refused
        refused[kernel.name.lower()] = why
    raise RuntimeError(f"no attention kernel of this PyTorch agrees with the formula on this GPU: {refused}")


def preferring(kernel: SDPBackend | None) -> Any:
    """A context in which attention takes `kernel`, and others for what it refuses, as rows of one token."""
    return nullcontext() if kernel is None else sdpa_kernel([kernel, *ANY_SHAPE], set_priority=True)


def select_layout(
    device: torch.device, dtype: torch.dtype, heads: int, head_width: int, length: int, *, compiled: bool
) -> tuple[str, dict[str, str]]:
    """A name of `LAYOUTS`, and why faster ones are not taken. `compiled`: whether blocks of the network are."""
    if device.type != "cuda":
        # The lengths would be constants of a compiled block: another block for every batch.
        return ("mask" if compiled else "stretches"), {}
    if length % BLOCK:
        return "mask", {"blocks": f"data.sequence {length} is no multiple of {BLOCK}"}
    why = _disagreement(device, dtype, heads, head_width, min(length, 1024), "blocks")
    return ("mask", {"blocks": why}) if why else ("blocks", {})


def _disagreement(
    device: torch.device, dtype: torch.dtype, heads: int, head_width: int, length: int, layout: str
) -> str:
    """How values or gradients differ from the formula in fp32, on random numbers; empty when they do not."""
    maker = torch.Generator(device).manual_seed(0)
    shape = (2, heads, length, head_width)
    drawn = (torch.randn(shape, generator=maker, device=device) for _ in range(3))
    inputs = q, k, v = tuple(x.to(dtype).requires_grad_() for x in drawn)
    exact = q32, k32, v32 = tuple(x.detach().float().requires_grad_() for x in inputs)
    documents = torch.arange(2 * length, device=device).view(2, length) // (length // 3 + 1)
    try:
        found = attend(q, k, v, LAYOUTS[layout](documents) if layout else None)
        found.float().square().sum().backward()
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # compilers raise exceptions of their own
        return f"{type(error).__name__}: {str(error).strip()[:200]}"
    right = reference(q32, k32, v32, by_mask(documents) if layout else None)
    right.square().sum().backward()
    pairs = [(found, right), *((a.grad, b.grad) for a, b in zip(inputs, exact, strict=True))]
    errors = [float(((a.float() - b).norm() / b.norm()).detach()) for a, b in pairs]  # type: ignore[union-attr]
    # bf16 keeps 8 bits; a wrong kernel is off by the size of the values themselves.
    limit = 0.05 if dtype == torch.bfloat16 else 1e-3
    return "" if all(error < limit for error in errors) else f"relative errors {', '.join(f'{e:.2g}' for e in errors)}"


# -- generation


class Past:
    """Keys and values of the positions that went through one block."""

    def __init__(self, capacity: int) -> None:
        self.capacity, self.length = capacity, 0
        self.k_bhtk = self.v_bhtk = torch.empty(0)

    def extend(self, k_bhtk: Tensor, v_bhtk: Tensor) -> tuple[Tensor, Tensor]:
        """Add new positions; the keys and values of all."""
        stop = self.length + k_bhtk.shape[2]
        assert stop <= self.capacity, "more positions than there is room for"
        if not self.length:
            room = (*k_bhtk.shape[:2], self.capacity, k_bhtk.shape[3])
            self.k_bhtk, self.v_bhtk = k_bhtk.new_empty(room), v_bhtk.new_empty(room)
        self.k_bhtk[:, :, self.length : stop], self.v_bhtk[:, :, self.length : stop] = k_bhtk, v_bhtk
        self.length = stop
        return self.k_bhtk[:, :, :stop], self.v_bhtk[:, :, :stop]
