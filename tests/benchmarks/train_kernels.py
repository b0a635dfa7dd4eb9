"""Run A of `tests.benchmarks.train`: ceilings of the device, and the kernels that a step is made of."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch._functorch.config
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from pilebuilder.train import attention, loss, optim
from pilebuilder.train.config import TrainConfig
from tests.benchmarks.train_device import Bench, Drawn, random


def matmul_rate(bench: Bench) -> float:
    """TFLOP/s of a large product."""
    side = 128 if bench.mini else 8192
    a, b = random(bench, side, side), random(bench, side, side, seed=2)
    return bench.rate(f"matmul {side} TFLOP/s", 2 * side**3 / 1e12, lambda: a @ b)


def ceilings(bench: Bench) -> None:
    size = 1 << (20 if bench.mini else 30)
    source = torch.empty(size, dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    bench.rate("copy TB/s", 2 * size / 1e12, lambda: target.copy_(source))
    matmul_rate(bench)
    tokens = 256 if bench.mini else 65_536
    for width in (64,) if bench.mini else (768, 1024, 2048):
        for what, inner, outer in (
            ("qkv", width, 3 * width),
            ("out", width, width),
            ("up and gate", width, 2 * TrainConfig.parse({"model": {"width": width, "heads": 1}}).model.hidden),
        ):
            x, w, g = random(bench, tokens, inner), random(bench, outer, inner), random(bench, tokens, outer)
            flops = 2 * tokens * inner * outer / 1e12
            for way, left, right in (("forward", x, w.T), ("to input", g, w), ("to weight", g.T, x)):
                bench.rate(f"{what} of {width}, {way} TFLOP/s", flops, partial(torch.mm, left, right))


def attention_kernels(bench: Bench) -> None:
    kinds = [SDPBackend.MATH] if bench.mini else [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION]
    causal = partial(functional.scaled_dot_product_attention, is_causal=True)
    torch._functorch.config.donated_buffer = False  # `both_ways` goes backward again and again through one graph
    for head in (16,) if bench.mini else (128, 64):
        for length in (64,) if bench.mini else (2048, 4096, 8192):
            rows = max(1, (128 if bench.mini else 32_768) // length)
            heads = 2 if bench.mini else 2048 // head
            qkv = [random(bench, rows, heads, length, head, seed=s).requires_grad_() for s in range(3)]
            flops = 2 * rows * heads * length * length * head / 1e12  # half the square, two products
            place = f"T {length}, head {head}"
            found = []
            for kind in kinds:
                with sdpa_kernel(kind):
                    name = f"attention {kind.name.lower()}, {place}"
                    found.append(bench.tried(name, both_ways, bench, name, flops, causal, qkv))
            if len(found) == 2 and all(found):
                bench.note(f"cuDNN forward over flash, {place}", round(found[0] / found[1], 3))
            if head == 64:  # each shape of FlexAttention takes its time to compile
                continue
            documents = torch.arange(length, device=bench.device)[None].expand(rows, -1) // (length // 4)
            for layout in ("stretches", "mask") if bench.mini else ("blocks", "mask"):
                name = f"attention in 4 documents by {layout}, {place}"
                held = attention.LAYOUTS[layout](documents)
                work = partial(attention.attend, layout=held)
                bench.tried(name, both_ways, bench, name, flops / 4, work, qkv, 5)


def both_ways(
    bench: Bench, name: str, flops: float, attend: Callable[..., Any], qkv: list[torch.Tensor], repeat: int = 20
) -> float:
    """Forward and backward of one kernel; the forward rate."""
    out = attend(*qkv)
    grad = torch.randn_like(out)
    found = bench.rate(f"{name}, forward TFLOP/s", flops, partial(attend, *qkv), repeat)
    backward = partial(torch.autograd.grad, out, qkv, grad, retain_graph=True)
    bench.rate(f"{name}, backward TFLOP/s", 2.5 * flops, backward, repeat)
    return found


def losses(bench: Bench) -> None:
    tokens, width, vocabulary = (64, 32, 500) if bench.mini else (65_536, 1024, 50_304)
    hidden, weight = random(bench, tokens, width).requires_grad_(), random(bench, vocabulary, width, seed=2)
    weight = (0.02 * weight.float()).requires_grad_()
    target = torch.randint(0, vocabulary, (tokens,), device=bench.device)

    def naive() -> Any:
        logits = (hidden @ weight.to(hidden.dtype).T).float()
        return torch.autograd.grad(functional.cross_entropy(logits, target), (hidden, weight))

    def chunked(compiled: bool = False) -> Any:
        value, _ = loss.linear_cross_entropy(hidden, weight, target, scale=1 / tokens, compiled=compiled)
        return torch.autograd.grad(value, (hidden, weight))

    small = slice(0, 64 if bench.mini else 2048)
    exact = [x.detach()[small if x is hidden else slice(None)].double().requires_grad_() for x in (hidden, weight)]
    right = torch.autograd.grad(functional.cross_entropy(exact[0] @ exact[1].T, target[small]), exact)
    short = hidden.detach()[small].requires_grad_()
    value, _ = loss.linear_cross_entropy(short, weight, target[small], scale=1 / len(short))
    mine = torch.autograd.grad(value, (short, weight))
    errors = [float((a.double() - b).norm() / b.norm()) for a, b in zip(mine, right, strict=True)]
    bench.note("loss, relative error of both gradients against fp64", [float(f"{e:.3g}") for e in errors])
    for name, work in (
        ("chunked", chunked),
        ("chunked and compiled", partial(chunked, compiled=True)),
        ("naive", naive),  # last: it takes 50 GB
    ):
        if name.endswith("compiled"):
            if bench.mini:
                continue
            work()
        with bench.peak_memory() as peak:
            work()
            bench.note(f"loss {name}, peak GB, 64k tokens", peak())
        bench.rate(f"loss {name}, Mtokens/s", tokens / 1e6, work, 5)


def update(optimizer: optim.Optimizer, one: torch.Tensor) -> None:
    optimizer.step(1e-4, optimizer.gradient_norm(), one)


def optimizers(bench: Bench) -> None:
    for name in ("adamw", "muon"):
        config = TrainConfig.preset("mini" if bench.mini else "350m", optimizer={"name": name})
        model = Drawn(config.model, 300 if bench.mini else 50_257, bench)
        optimizer = optim.Optimizer(model, config.optimizer)
        for weight in model.parameters():
            weight.grad = torch.randn_like(weight)
        one = torch.ones((), device=bench.device)
        taken, spread = bench.seconds(partial(update, optimizer, one), 5)
        bench.note(f"{name} step of 350m, seconds", float(f"{taken:.4g}"))
        bench.measured[f"{name} step of 350m, spread"] = round(spread, 4)


def run_a(bench: Bench) -> None:
    for part in (ceilings, attention_kernels, losses, optimizers):
        bench.tried(part.__name__, part, bench)
