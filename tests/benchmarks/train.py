"""Speed of training on one GPU: ``python -m tests.benchmarks.train A|B|C [--out FILE] [--corpus DIR] [--miniature]``.

A: ceilings and kernels (copies, matrix products at our shapes, attention, the loss, the optimizers). B: whole steps of
124M, 350M and 1.3B, from our own eager FlashAttention-2 baseline to the default, one change at a time; ``--preset``
takes one size, so that three commands of a few minutes each do what one of 20 would. C: a run on a real corpus, killed
and resumed; input stall, checkpoint stall and energy. ``--minutes`` (default 9) ends B and C in time: what was not
reached is named. A figure that cannot be had is noted with its error, and the rest goes on.

The output holds the predictions, which are written before anything is measured, then what was measured: device,
versions, command, and for each prediction hit or miss. Every figure is the median of its repetitions, taken twice;
`spread` is the relative difference of the two. MFU counts 6 N_matmul + 12 L d T per token against 989 TFLOP/s.
Needs torch, numpy, safetensors and pydantic, and nothing from a network.

``--miniature`` runs the same code with tiny shapes on a CPU, to show that it works. It claims nothing.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from pilebuilder.train import logbook, optim
from pilebuilder.train.config import TrainConfig
from pilebuilder.train.energy import Meter
from pilebuilder.train.model import GPT
from pilebuilder.train.planning import PEAK, flops_per_token
from tests.benchmarks.train_device import Bench, Drawn
from tests.benchmarks.train_kernels import matmul_rate, run_a

VOCABULARY = 50_257

# -- run B

VARIANTS = ("eager, flash, whole logits, AdamW", "+ blocks compiled", "+ cuDNN", "+ chunked loss", "+ Muon")
LAST = len(VARIANTS) - 1


BATCH = {"124m": 524_288, "350m": 524_288, "1.3b": 262_144}
"""Tokens of a step, as in the presets (a quarter for 1.3b: a step of it takes 20 seconds)."""


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


def cell(bench: Bench, preset: str, level: int, micro: int) -> float:
    """One size with the first `level` changes; tokens per second."""
    tokens = 512 if bench.mini else BATCH[preset]
    config = TrainConfig.preset(
        preset,
        optimizer={"name": "muon" if level >= 4 else "adamw"},
        batch_tokens=tokens,
        micro_tokens=min(micro, tokens),
        **({"data": {"sequence": 128}} if bench.mini else {}),
    )
    vocabulary = 2048 if bench.mini else VOCABULARY
    torch._dynamo.reset()
    model = Drawn(config.model, vocabulary, bench)
    if level >= 1 and not bench.mini:
        model.compile_parts()
    optimizer = optim.Optimizer(model, config.optimizer)
    maker = torch.Generator().manual_seed(1)
    ids = torch.randint(0, vocabulary, (config.rows, config.data.sequence + 1), generator=maker).to(bench.device)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1
        one_step(model, config, level, ids, optimizer)

    kernel = SDPBackend.CUDNN_ATTENTION if level >= 2 else SDPBackend.FLASH_ATTENTION
    with nullcontext() if bench.mini else sdpa_kernel(kernel), bench.peak_memory(above=False) as peak:
        first = bench.once(step)
        second = bench.once(step)
        meter, steps = Meter.of_device(bench.device), 0
        taken, spread = bench.seconds(step, max(3, min(10, round(5 / second))))
        joules = meter.joules().get("gpu")
        memory = peak()
    rate = tokens / taken
    whole, causal = flops_per_token(config, vocabulary)
    figures = {"tokens/s": round(rate), "spread": round(spread, 4), "peak GB": memory, "micro_tokens": micro}
    if not bench.mini:  # shares of an H100's peak
        figures |= {"mfu": round(whole * rate / PEAK, 4), "mfu_causal": round(causal * rate / PEAK, 4)}
        figures["of the measured matmul"] = round(whole * rate / (1e12 * bench.measured["matmul 8192 TFLOP/s"]), 4)
    figures["first step more, seconds"] = round(first - second, 1)  # compiling, plans of cuDNN and cuBLAS
    if joules:
        figures["J/token"] = round(joules / (steps * tokens), 6)
    bench.note(f"{preset}, {VARIANTS[level]}", figures)
    if level == LAST and not bench.mini:
        bench.note(f"mfu {preset}", figures["mfu"])
        bench.note(f"compile seconds {preset}", figures["first step more, seconds"])
    return rate


def cell_that_fits(bench: Bench, preset: str, level: int) -> float:
    """`cell`, with smaller pieces while memory runs out."""
    wide = bench.kind == "H200"
    micro = {"124m": 131_072, "350m": 65_536, "1.3b": 32_768 if wide else 16_384}.get(preset, 512)
    if level < 3:  # whole logits in fp32 take 1.4 MB per token
        micro = min(micro, 16_384)
    while True:
        try:
            return cell(bench, preset, level, micro)
        except torch.OutOfMemoryError:
            if micro <= 4096:
                raise
            micro //= 2
        gc.collect()  # outside the handler: the error holds what is to be freed
        torch.cuda.empty_cache()


def run_b(bench: Bench) -> None:
    sizes = ("mini",) if bench.mini else (bench.preset,) if bench.preset else ("124m", "350m", "1.3b")
    matmul_rate(bench)
    for preset in sizes:
        rates = {}
        # The default first: its time to compile is that of a fresh machine, and it is what must not be missed.
        for level in (LAST, 0, *range(1, LAST)):
            name = f"{preset}, {VARIANTS[level]}"
            if bench.minutes > bench.limit:
                bench.note(f"{name}: not run", f"{bench.limit:g} minutes were over")
                continue
            rates[level] = bench.tried(name, cell_that_fits, bench, preset, level)
            gc.collect()
            if bench.device.type == "cuda":
                torch.cuda.empty_cache()
        if rates.get(LAST) and rates.get(0):
            bench.note(f"speed-up {preset}", round(rates[LAST] / rates[0], 3))


# -- run C


def truth(corpus: str, out: str, settings: str, kill_at: int) -> None:
    """One process of run C: train, and be killed after a step when asked to."""
    from pilebuilder import train

    def watch(row: Any) -> None:
        if row["kind"] == "step" and row["step"] == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    train.run(Path(corpus), Path(out), TrainConfig.model_validate_json(settings), progress=watch)


def one_run(bench: Bench, out: Path, config: TrainConfig, kill_at: int = -1) -> list[dict[str, Any]]:
    """Train in a process of its own, a second one after a kill; the steps of the logbook."""
    line = [sys.executable, "-m", "tests.benchmarks.train", "worker", str(bench.corpus), str(out)]
    for at in (kill_at, -1) if kill_at >= 0 else (-1,):
        done = subprocess.run([*line, config.model_dump_json(), str(at)], check=False)
        wanted = -signal.SIGKILL if at >= 0 else 0
        if done.returncode != wanted:
            raise RuntimeError(f"the run in {out.name} ended with code {done.returncode}, not {wanted}")
    if bench.out:
        shutil.copy(out / logbook.NAME, bench.out.with_name(f"{bench.out.stem}.{out.name}.jsonl"))
    return logbook.steps(out / logbook.NAME)


def exported(bench: Bench, run: Path) -> None:
    """Logits of the exported run in transformers against ours, fp32 on the device."""
    from transformers import AutoModelForCausalLM

    from pilebuilder.train.export import export
    from pilebuilder.train.subject import open_subject

    subject = open_subject(run)
    folder = export(subject, run / "export", evaluations=[])
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).to(bench.device).eval()
    ids = torch.randint(0, int(subject.identity["vocab_size"]), (2, 512), device=bench.device)
    with torch.no_grad():
        ours, found = subject.network.logits(ids), theirs(ids).logits
    bench.note("export, largest difference of logits", float((ours - found).abs().max()))
    del subject, theirs, ours, found
    gc.collect()
    if bench.device.type == "cuda":
        torch.cuda.empty_cache()  # the next run needs the room


def run_c(bench: Bench) -> None:
    if bench.corpus is None:
        sys.exit("run C trains on a real corpus: give --corpus, the folder of a build")
    steps = 8 if bench.mini else 48
    preset, batch = ("mini", 1024) if bench.mini else ("350m", 262_144)
    control = {
        "checkpoint_every": steps // 4,
        "log_every": 2,
        "evaluate_every": 0,
        "evaluate_tokens": 4096,
        "threads": 1,
        "device": bench.device.type,
    }
    config = TrainConfig.preset(
        preset,
        tokens=steps * batch,
        batch_tokens=batch,
        micro_tokens=min(batch, 32_768),
        control={**control, "deterministic": True},
    )
    fast = config.model_copy(update={"control": config.control.model_copy(update={"deterministic": False})})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        rows = bench.tried("fast", one_run, bench, root / "fast", fast)
        if rows:
            book = logbook.read(root / "fast" / logbook.NAME)
            stalls = [r["stalled_seconds"] for r in book if r.get("event") == "checkpoint"]
            steady = rows[steps // 4 :]
            bench.note("input wait", statistics.median(row["input_wait"] for row in steady))
            bench.note("checkpoint stall, seconds", max(stalls))
            bench.note("tokens/s, everything on", statistics.median(r["tokens_per_second"] for r in steady))
            if "gpu_joules" in rows[-1]:
                bench.note("J/token", round(rows[-1]["gpu_joules"] / (steps * batch), 6))
            bench.note("loss, first and last", [rows[0]["loss"], rows[-1]["loss"]])
        if rows and not bench.mini and find_spec("transformers"):
            bench.tried("export", exported, bench, root / "fast")
        whole = bench.tried("whole", one_run, bench, root / "whole", config)
        if whole:
            speed = statistics.median(r["tokens_per_second"] for r in whole[steps // 4 :])
            bench.note("tokens/s, everything on, deterministic", speed)
        if bench.minutes > 0.7 * bench.limit:
            bench.note("resume: not run", f"{bench.minutes:.1f} of {bench.limit:g} minutes were over")
            return
        killed = bench.tried("killed", one_run, bench, root / "killed", config, steps * 5 // 8)
        if whole and killed:
            pairs = [(a["loss"], b["loss"]) for a, b in zip(whole, killed, strict=True)]
            bench.note("resume equal", int(all(a == b for a, b in pairs)))
            bench.note("resume, largest difference of losses", max(abs((a or 0) - (b or 0)) for a, b in pairs))


def main(arguments: list[str]) -> dict[str, Any]:
    """Run, print, and return what was written."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", choices=["A", "B", "C"])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--preset", choices=["124m", "350m", "1.3b"], help="of run B: one size alone")
    parser.add_argument("--minutes", type=float, default=9.0, help="begin nothing after that")
    parser.add_argument("--miniature", action="store_true")
    given = parser.parse_args(arguments)
    bench = Bench(given.run, given.out, given.miniature, given.corpus)
    bench.preset, bench.limit = given.preset, given.minutes
    {"A": run_a, "B": run_b, "C": run_c}[given.run](bench)
    bench.write()
    return bench.content


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        truth(*sys.argv[2:5], int(sys.argv[5]))
    else:
        print(json.dumps(main(sys.argv[1:])["verdicts"]))
