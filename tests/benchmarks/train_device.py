"""What the three runs of `tests.benchmarks.train` share: the device, the clock, predictions, and the JSON they write."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from pilebuilder.train.config import Model
from pilebuilder.train.model import GPT, INIT

PREDICTED: dict[str, dict[str, Any]] = {
    # Roofline with GEMM 680, attention 450 forward and 380 backward TFLOP/s, 85 % of copy bandwidth: 49 / 52.5 / 57.7 %
    # of peak on an H100; known to be 8 to 10 % optimistic for networks of this size, hence these.
    "A": {
        "copy TB/s": {"H100": [2.7, 3.2], "H200": [3.9, 4.6]},
        "matmul 8192 TFLOP/s": {"H100": [700, 810], "H200": [700, 810]},
        "cuDNN forward over flash, T 2048, head 128": {"H100": [1.4, 2.0], "H200": [1.4, 2.0]},
        "loss chunked and compiled, peak GB, 64k tokens": {"H100": [0.6, 2.6], "H200": [0.6, 2.6]},
    },
    "B": {
        "mfu 124m": {"H100": [0.42, 0.50], "H200": [0.45, 0.54]},
        "mfu 350m": {"H100": [0.45, 0.53], "H200": [0.48, 0.56]},
        "mfu 1.3b": {"H100": [0.50, 0.58], "H200": [0.52, 0.60]},
        "speed-up 350m": {"H100": [1.6, 2.3], "H200": [1.6, 2.3]},
        "compile seconds 350m": {"H100": [10, 40], "H200": [10, 40]},
    },
    "C": {
        "input wait": {"H100": [0.0, 0.001], "H200": [0.0, 0.001]},
        "resume equal": {"H100": [1, 1], "H200": [1, 1]},
    },
}


class Bench:
    """The device, the sizes, and where results go."""

    def __init__(self, run: str, out: Path | None, miniature: bool, corpus: Path | None) -> None:
        self.run, self.out, self.mini, self.corpus = run, out, miniature, corpus
        self.preset: str | None = None
        self.limit = 9.0
        if not miniature and not torch.cuda.is_available():
            sys.exit("no GPU here: nothing is measured. --miniature runs the same code on the CPU and claims nothing")
        if not miniature:  # what an earlier run left compiled would hide the time that compiling takes
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp(prefix="inductor-")
        self.device = torch.device("cpu" if miniature else "cuda", None if miniature else 0)
        self.began = time.monotonic()
        self.dtype = torch.float32 if miniature else torch.bfloat16
        name = "CPU" if miniature else torch.cuda.get_device_name()
        self.kind = next((k for k in ("H200", "H100") if k in name), "")
        self.measured: dict[str, Any] = {}
        self.head = {
            "run": run,
            "claims": "none: miniature on a CPU" if miniature else "as measured on this device",
            "device": name,
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "python": platform.python_version(),
            "command": " ".join(["python -m tests.benchmarks.train", *sys.argv[1:]]),
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "predicted": {name: value.get(self.kind) for name, value in PREDICTED[run].items()},
        }
        self.write()

    def write(self) -> None:
        """Everything so far; the first time, the predictions alone."""
        verdicts = {}
        for name, limits in self.head["predicted"].items():  # type: ignore[attr-defined]
            if limits and name in self.measured and not self.mini:
                verdicts[name] = "hit" if limits[0] <= self.measured[name] <= limits[1] else "miss"
        content = {**self.head, "measured": self.measured, "verdicts": verdicts}
        if self.out:
            fresh = self.out.with_name(f".{self.out.name}.partial")
            fresh.write_text(json.dumps(content, indent=1) + "\n")
            fresh.replace(self.out)  # a run that is cut off leaves whole figures
        self.content = content

    def note(self, name: str, value: Any) -> None:
        """Keep a figure, and show it."""
        self.measured[name] = value
        print(f"{name:60} {value}", flush=True)
        self.write()

    @property
    def minutes(self) -> float:
        """Since the start."""
        return (time.monotonic() - self.began) / 60

    def tried(self, name: str, work: Callable[..., Any], *arguments: Any) -> Any:
        """What `work` gives; when it fails that is noted and the rest goes on (None)."""
        if self.mini:
            return work(*arguments)
        try:
            return work(*arguments)
        except Exception as error:  # kernels and compilers have exceptions of their own
            traceback.print_exc()
            self.note(f"{name}: failed", f"{type(error).__name__}: {str(error).strip()[:300]}")
            gc.collect()
            torch.cuda.empty_cache()
            return None

    def once(self, work: Callable[[], Any]) -> float:
        """Seconds of one call, the device's work included."""
        begin = time.perf_counter()
        work()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    def seconds(self, work: Callable[[], Any], repeat: int = 20) -> tuple[float, float]:
        """Median duration, and the relative difference of two such medians."""
        repeat = 2 if self.mini else repeat
        work()
        medians = []
        for _ in range(2):
            taken = []
            for _ in range(repeat):
                if self.device.type == "cuda":
                    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
                    begin.record()
                    work()
                    end.record()
                    end.synchronize()
                    taken.append(begin.elapsed_time(end) / 1e3)
                else:
                    at = time.perf_counter()
                    work()
                    taken.append(time.perf_counter() - at)
            medians.append(statistics.median(taken))
        return min(medians), abs(medians[0] - medians[1]) / min(medians)

    def rate(self, name: str, amount: float, work: Callable[[], Any], repeat: int = 20) -> float:
        """Note `amount` per second, and its spread."""
        taken, spread = self.seconds(work, repeat)
        found = float(f"{amount / taken:.4g}")
        self.note(name, found)
        self.measured[f"{name}, spread"] = round(spread, 4)
        return found

    @contextmanager
    def peak_memory(self, above: bool = True) -> Iterator[Callable[[], float]]:
        """GB that were allocated at most inside, `above` what was there or in all; 0 on a CPU."""
        if self.device.type != "cuda":
            yield lambda: 0.0
            return
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() if above else 0
        yield lambda: round((torch.cuda.max_memory_allocated() - before) / 1e9, 3)


class Drawn(GPT):
    """A network whose weights are drawn on the device: seconds instead of minutes."""

    def __init__(self, shape: Model, vocabulary: int, bench: Bench) -> None:
        with bench.device:
            super().__init__(shape, vocabulary)
        self.compute = bench.dtype

    @torch.no_grad()
    def reset(self, seed: int) -> None:
        torch.manual_seed(seed)
        for weight in self.parameters():
            if weight.ndim == 2:
                weight.normal_(std=INIT)
            else:
                weight.fill_(1.0)


def random(bench: Bench, *shape: int, seed: int = 1) -> torch.Tensor:
    maker = torch.Generator(bench.device).manual_seed(seed)
    return torch.randn(shape, generator=maker, device=bench.device, dtype=torch.float32).to(bench.dtype)
