"""Causal attention through PyTorch's kernels, checked once against the formula before the first step.

On a GPU cuDNN's kernel comes first, then flash, memory-efficient and the plain one. cuDNN's has given NaN gradients
with explicit masks in some releases, so it never gets one: rows are causal without a mask, and the document mask
excludes it. Shapes: B rows, H heads, T positions, K channels of a head.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

ROW = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
MASKED = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def reference(q_bhtk: Tensor, k_bhtk: Tensor, v_bhtk: Tensor, mask_b1tt: Tensor | None = None) -> Tensor:
    """The formula, in the precision of its input and with every score in memory."""
    scores = q_bhtk @ k_bhtk.transpose(-2, -1) / q_bhtk.shape[-1] ** 0.5
    if mask_b1tt is None:
        length = q_bhtk.shape[-2]
        mask_b1tt = torch.ones(length, length, dtype=torch.bool, device=q_bhtk.device).tril()
    return scores.masked_fill(~mask_b1tt, float("-inf")).softmax(-1) @ v_bhtk


def document_mask(document_bt: Tensor) -> Tensor:
    """(B, 1, T, T), true where a position may look: not ahead, and in its own document."""
    length = document_bt.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=document_bt.device).tril()
    return (document_bt[:, None, :, None] == document_bt[:, None, None, :]) & causal


def attend(q_bhtk: Tensor, k_bhtk: Tensor, v_bhtk: Tensor, mask_b1tt: Tensor | None = None) -> Tensor:
    """Causal attention, (B, H, T, K)."""
    attention = functional.scaled_dot_product_attention
    if mask_b1tt is None:
        return attention(q_bhtk, k_bhtk, v_bhtk, is_causal=True)
    if not q_bhtk.is_cuda:
        return attention(q_bhtk, k_bhtk, v_bhtk, attn_mask=mask_b1tt)
    with sdpa_kernel(MASKED):
        return attention(q_bhtk, k_bhtk, v_bhtk, attn_mask=mask_b1tt)


def select_backend(device: torch.device, dtype: torch.dtype, heads: int, head_width: int, length: int) -> str:
    """Turn on the first kernel whose values and gradients agree with the formula; its name, for the logbook.

    On a CPU there is one kernel and nothing to choose: ``cpu``.
    """
    if device.type != "cuda":
        return "cpu"
    for backend in ROW:
        _enable(backend)
        if _agrees(device, dtype, heads, head_width, min(length, 1024)):
            return str(backend.name).lower()
    raise RuntimeError("no attention kernel of this PyTorch agrees with the formula on this GPU")


def _enable(chosen: SDPBackend) -> None:
    """Allow one kernel, and the two that a mask needs."""
    torch.backends.cuda.enable_cudnn_sdp(chosen == SDPBackend.CUDNN_ATTENTION)
    torch.backends.cuda.enable_flash_sdp(chosen == SDPBackend.FLASH_ATTENTION)
    torch.backends.cuda.enable_mem_efficient_sdp(chosen == SDPBackend.EFFICIENT_ATTENTION)
    torch.backends.cuda.enable_math_sdp(chosen == SDPBackend.MATH)


def _agrees(device: torch.device, dtype: torch.dtype, heads: int, head_width: int, length: int) -> bool:
    maker = torch.Generator(device).manual_seed(0)
    shape = (2, heads, length, head_width)
    exact = [torch.randn(shape, generator=maker, device=device, dtype=torch.float32) for _ in range(3)]
    inputs = [x.to(dtype).requires_grad_() for x in exact]
    wanted = [x.detach().float().requires_grad_() for x in inputs]
    try:
        found = attend(*inputs)
        found.float().square().sum().backward()
    except RuntimeError:
        return False
    right = reference(*wanted)
    right.square().sum().backward()
    pairs = [(found, right), *((a.grad, b.grad) for a, b in zip(inputs, wanted, strict=True))]
    # bf16 keeps 8 bits; a wrong kernel is off by the size of the values themselves.
    limit = 0.05 if dtype == torch.bfloat16 else 1e-3
    return all(float(((a.float() - b).norm() / b.norm()).detach()) < limit for a, b in pairs)  # type: ignore[union-attr]
