"""Speed of training on one GPU: ``python -m tests.benchmarks.train A|B|C [--out FILE] [--corpus DIR] [--miniature]``.

A: ceilings and kernels (copies, matrix products at our shapes, attention, the loss, the optimizers). B: whole steps of
124M, 350M and 1.3B, from our own eager FlashAttention-2 baseline to the default, one change at a time. C: a run on a
real corpus, killed and resumed; input stall, checkpoint stall and energy. Each takes under ten minutes.

The output holds the predictions, which are written before anything is measured, then what was measured: device,
versions, command, and for each prediction hit or miss. Every figure is the median of its repetitions, taken twice;
`spread` is the relative difference of the two. MFU counts 6 N_matmul + 12 L d T per token against 989 TFLOP/s.

``--miniature`` runs the same code with tiny shapes on a CPU, to show that it works. It claims nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend

from pilebuilder.train import attention, logbook, loss, optim
from pilebuilder.train.config import TrainConfig
from pilebuilder.train.energy import Meter
from pilebuilder.train.model import GPT
from pilebuilder.train.planning import PEAK, flops_per_token
from tests.benchmarks.train_device import Bench
from tests.benchmarks.train_kernels import run_a

VOCABULARY = 50_257

# -- run B

VARIANTS = ("eager, flash, whole logits, AdamW", "+ blocks compiled", "+ cuDNN", "+ chunked loss", "+ Muon")


def whole_logits(model: GPT, ids: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The loss as most write it first."""
    logits = functional.linear(model(ids), model.head.weight.to(model.compute)).float()
    return functional.cross_entropy(logits.flatten(0, 1), target.flatten())


def one_step(model: GPT, config: TrainConfig, level: int, ids: torch.Tensor, optimizer: optim.Optimizer) -> None:
    n = config.micro_rows
    optimizer.zero()
    for start in range(0, len(ids), n):
        part = ids[start : start + n]
        if level < 3:
            value = whole_logits(model, part[:, :-1], part[:, 1:]) * (len(part) / len(ids))
        else:
            value, _ = model.loss(part[:, :-1], part[:, 1:], scale=1 / ids[:, 1:].numel())
        value.backward()
    optimizer.step(1e-4, optimizer.gradient_norm(), torch.ones((), device=ids.device))


def cell(bench: Bench, preset: str, level: int) -> float:
    """One size with the first `level` changes; tokens per second."""
    wide = bench.kind == "H200"
    micro = {"124m": 131_072, "350m": 65_536, "1.3b": 32_768 if wide else 16_384}.get(preset, 512)
    if level < 3:  # whole logits in fp32 take 1.4 MB per token
        micro = min(micro, 16_384)
    tokens = 512 if bench.mini else 4 * max(micro, 32_768)
    config = TrainConfig.preset(
        preset,
        optimizer={"name": "muon" if level >= 4 else "adamw"},
        batch_tokens=tokens,
        micro_tokens=min(micro, tokens),
        **({"data": {"sequence": 128}} if bench.mini else {}),
    )
    vocabulary = 2048 if bench.mini else VOCABULARY
    torch._dynamo.reset()
    loss.slopes = loss._slopes_in_place
    model = GPT(config.model, vocabulary).to(bench.device)
    model.compute = bench.dtype
    if not bench.mini:
        attention._enable(SDPBackend.CUDNN_ATTENTION if level >= 2 else SDPBackend.FLASH_ATTENTION)
    if level >= 1 and not bench.mini:
        for block in model.blocks:
            block.compile(dynamic=False)
    if level >= 3 and not bench.mini:
        loss.compile_slopes()
    optimizer = optim.Optimizer(model, config.optimizer)
    maker = torch.Generator().manual_seed(1)
    ids = torch.randint(0, vocabulary, (config.rows, config.data.sequence + 1), generator=maker).to(bench.device)
    name = f"{preset}, {VARIANTS[level]}"
    begin = time.perf_counter()
    with bench.peak_memory() as peak:
        one_step(model, config, level, ids, optimizer)
        if bench.device.type == "cuda":
            torch.cuda.synchronize()
        first = time.perf_counter() - begin
        meter = Meter.of_device(bench.device)
        taken, spread = bench.seconds(lambda: one_step(model, config, level, ids, optimizer), 10)
        joules = sum(v for k, v in meter.reading().items() if k == "gpu_joules")
        memory = peak()
    rate = tokens / taken
    whole, causal = flops_per_token(config, vocabulary)
    figures = {"tokens/s": round(rate), "spread": round(spread, 4), "peak GB": memory}
    if not bench.mini:  # shares of an H100's peak
        figures |= {"mfu": round(whole * rate / PEAK, 4), "mfu_causal": round(causal * rate / PEAK, 4)}
    figures |= {"compile seconds": round(first - taken, 1), "J/token": round(joules / (21 * tokens), 6)}
    bench.note(name, figures)
    if level == len(VARIANTS) - 1 and not bench.mini:
        bench.note(f"mfu {preset}", figures["mfu"])
        bench.note(f"compile seconds {preset}", figures["compile seconds"])
    return rate


def run_b(bench: Bench) -> None:
    for preset in ("mini",) if bench.mini else ("124m", "350m", "1.3b"):
        rates = []
        for level in range(len(VARIANTS)):
            gc.collect()
            if bench.device.type == "cuda":
                torch.cuda.empty_cache()
            rates.append(cell(bench, preset, level))
        bench.note(f"speed-up {preset}", round(rates[-1] / rates[0], 3))


# -- run C


def truth(corpus: str, out: str, settings: str, kill_at: int) -> None:
    """One process of run C: train, and be killed after a step when asked to."""
    from pilebuilder import train

    torch.use_deterministic_algorithms(True, warn_only=True)

    def watch(row: Any) -> None:
        if row["kind"] == "step" and row["step"] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    train.run(Path(corpus), Path(out), TrainConfig.model_validate_json(settings), progress=watch)


def run_c(bench: Bench) -> None:
    if bench.corpus is None:
        sys.exit("run C trains on a real corpus: give --corpus, the folder of a build")
    steps = 8 if bench.mini else 150
    preset, batch = ("mini", 1024) if bench.mini else ("350m", 262_144)
    control = {
        "checkpoint_every": steps // 4,
        "log_every": 2,
        "evaluate_every": 0,
        "evaluate_tokens": 4096,
        "threads": 1,
    }
    config = TrainConfig.preset(
        preset, tokens=steps * batch, batch_tokens=batch, control={**control, "device": bench.device.type}
    )
    with tempfile.TemporaryDirectory() as folder:
        curves = []
        for name, kill_at in (("whole", -1), ("killed", steps * 5 // 8)):
            out = Path(folder) / name
            line = [sys.executable, "-m", "tests.benchmarks.train", "worker", str(bench.corpus), str(out)]
            environment = {**os.environ, "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}
            codes = []
            for at in (kill_at, -1) if kill_at >= 0 else (-1,):
                done = subprocess.run([*line, config.model_dump_json(), str(at)], check=False, env=environment)
                codes.append(done.returncode)
            assert codes[-1] == 0, codes
            curves.append([row["loss"] for row in logbook.steps(out / logbook.NAME)])
        rows = logbook.steps(Path(folder) / "whole" / logbook.NAME)
        stalls = [r for r in logbook.read(Path(folder) / "whole" / logbook.NAME) if r.get("event") == "checkpoint"]
        energy = rows[-1].get("gpu_joules", 0.0) / (steps * batch)
        exact = curves[0] == curves[1]
        bench.note("resume equal", int(exact))
        bench.note("resume, largest difference of losses", max(abs(a - b) for a, b in zip(*curves, strict=True)))
        bench.note("input wait", statistics.median(row["input_wait"] for row in rows[steps // 4 :]))
        bench.note("checkpoint stall, seconds", max(r["stalled_seconds"] for r in stalls))
        bench.note("tokens/s, everything on, deterministic", statistics.median(r["tokens_per_second"] for r in rows))
        bench.note("J/token", round(energy, 6))
        bench.note("loss, first and last", [rows[0]["loss"], rows[-1]["loss"]])


def main(arguments: list[str]) -> dict[str, Any]:
    """Run, print, and return what was written."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", choices=["A", "B", "C"])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--miniature", action="store_true")
    given = parser.parse_args(arguments)
    bench = Bench(given.run, given.out, given.miniature, given.corpus)
    {"A": run_a, "B": run_b, "C": run_c}[given.run](bench)
    bench.write()
    return bench.content


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        truth(*sys.argv[2:5], int(sys.argv[5]))
    else:
        print(json.dumps(main(sys.argv[1:])["verdicts"]))
