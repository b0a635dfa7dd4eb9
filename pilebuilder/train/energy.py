"""Energy of a run: counters where the machine has them, an estimate that says so where it has none.

GPU: NVML's total energy counter (Volta and later), else its power times the time since the last reading. CPU: RAPL's
counters of packages and memory when this user may read them, else CPU seconds of this process times `CPU_WATTS`.
Counters count everything that runs on what they belong to. Carbon is energy times PUE times grid intensity, both
settings.
"""

from __future__ import annotations

import ctypes
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

CPU_WATTS = 8.0
"""Of one busy core with its share of the package, an assumption: 4.4 W (EPYC 7763, 280 W over 64 cores) to 9.4 W
(Xeon 8375C, 300 W over 32)."""
GRID_GCO2_PER_KWH = 480.0
"""World average of electricity in 2023 (Ember's review of 2024)."""
PUE = 1.2
"""Energy of the building over that of its machines: an efficient room; the surveyed average was 1.58 in 2023."""
RAPL = Path("/sys/class/powercap")
NVML = "libnvidia-ml.so.1"
EVERY = 10.0
"""Seconds between readings: RAPL's counters wrap after 65 kJ on some processors (minutes at 300 W), and powers must be
seen often to add up to an energy."""


class Source(Protocol):
    """Something that counts energy."""

    method: str

    def joules(self) -> float:
        """Since this source was made; raises `OSError`."""


class Rapl:
    """Package and memory counters of the CPU, from Linux's powercap folder.

    Zones of all depths lie side by side: ``intel-rapl:0`` (``name``: package-0), ``intel-rapl:0:0`` (core, part of its
    package), ``intel-rapl:0:1`` (dram, beside it), ``intel-rapl:1`` (psys on laptops: the whole board, packages
    included). AMD's processors have the same names. Since Linux 5.10 only root may read ``energy_uj``.
    """

    def __init__(self, folder: Path = RAPL) -> None:
        zones = [(p, (p / "name").read_text().strip()) for p in sorted(folder.glob("intel-rapl:*"))]
        kept = [(p, name) for p, name in zones if name.startswith("package") or name == "dram"]
        if not any(name != "dram" for _, name in kept):
            raise OSError(f"no RAPL counters in {folder}")
        self.files = [p / "energy_uj" for p, _ in kept]
        self.ranges = [int((p / "max_energy_range_uj").read_text()) for p, _ in kept]
        if min(self.ranges) <= 0:
            raise OSError(f"{folder}: a RAPL counter without range")
        self.method = f"RAPL counters of {', '.join(name for _, name in kept)}; all that runs on them"
        self.last = [int(p.read_text()) for p in self.files]
        self.total = 0

    def joules(self) -> float:
        for i, path in enumerate(self.files):
            now = int(path.read_text())
            self.total += (now - self.last[i]) % (self.ranges[i] + 1)  # counters wrap
            self.last[i] = now
        return self.total / 1e6


class CpuEstimate:
    """CPU seconds of this process times an assumed power; `why` nothing better is there."""

    def __init__(self, why: str = "no counter was looked for") -> None:
        self.method = f"not measured: {why}; estimate: CPU seconds of the process times {CPU_WATTS:g} W per busy core"
        self.first = time.process_time()

    def joules(self) -> float:
        return (time.process_time() - self.first) * CPU_WATTS


class Nvml:
    """One GPU through the driver's own library; needs no package."""

    def __init__(self, uuid: str, library: Any = None) -> None:
        self.library = library or ctypes.CDLL(NVML)
        self._call("nvmlInit_v2")
        self.handle = ctypes.c_void_p()
        name = uuid if uuid.startswith("GPU-") else f"GPU-{uuid}"
        self._call("nvmlDeviceGetHandleByUUID", name.encode(), ctypes.byref(self.handle))
        self.total, self.at = 0.0, time.perf_counter()
        self.first: int | None = None
        try:
            self.first = self._counter()
            self.method = "NVML total energy counter of the GPU"
        except OSError:
            self._power()
            self.method = f"NVML power of the GPU, read every {EVERY:g} s and times the time between"

    def joules(self) -> float:
        if self.first is not None:
            return (self._counter() - self.first) / 1e3
        now = time.perf_counter()
        self.total += self._power() * (now - self.at)
        self.at = now
        return self.total

    def _counter(self) -> int:
        """Millijoules since the driver was loaded."""
        value = ctypes.c_ulonglong()
        self._call("nvmlDeviceGetTotalEnergyConsumption", self.handle, ctypes.byref(value))
        return int(value.value)

    def _power(self) -> float:
        """Watts."""
        value = ctypes.c_uint()
        self._call("nvmlDeviceGetPowerUsage", self.handle, ctypes.byref(value))
        return value.value / 1e3

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self.library, name)(*arguments)
        if code:
            raise OSError(f"{name} failed with code {code}")


class Meter:
    """Reads the sources of a machine, ``cpu`` and ``gpu``; one that fails is never the end of a run."""

    def __init__(self, sources: dict[str, Source], missing: dict[str, str] | None = None) -> None:
        self.sources, self.missing = sources, missing or {}
        self._last = dict.fromkeys(sources, 0.0)
        self._lock = threading.Lock()

    @classmethod
    def of_device(cls, device: Any, *, host: bool = True) -> Meter:
        """For a run on a `torch.device`; `host`: whether this process counts what its whole machine takes."""
        sources, missing = {}, {}
        if source := cpu_source(host=host):
            sources["cpu"] = source
        if device.type == "cuda":
            import torch

            try:
                sources["gpu"] = Nvml(str(torch.cuda.get_device_properties(device).uuid))
            except (OSError, AttributeError) as error:
                missing["gpu"] = f"not measured: {error}"
        return cls(sources, missing)

    def method(self) -> dict[str, str]:
        """How each part is counted, or why it is not, for the start of a run."""
        return {name: source.method for name, source in self.sources.items()} | self.missing

    def joules(self) -> dict[str, float]:
        """Of each part since the meter was made; a part that can no longer be read keeps its last value."""
        with self._lock:
            for name, source in self.sources.items():
                if name in self.missing:
                    continue
                try:
                    self._last[name] = source.joules()
                except (OSError, ValueError) as error:
                    self.missing[name] = f"not measured from {self._last[name]:.0f} J on: {error}"
            return dict(self._last)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Read every `EVERY` seconds, in the background."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(EVERY):
                self.joules()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()


def cpu_source(*, host: bool = True, folder: Path = RAPL) -> Source | None:
    """Counters when they can be read, else the estimate. Counters are of the machine: one process counts them."""
    try:
        counters = Rapl(folder)
    except (OSError, ValueError) as error:
        return CpuEstimate(str(error))
    return counters if host else None


def host_memory() -> int:
    """Largest memory of this process so far, bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def carbon(joules: float, pue: float = PUE, grid: float = GRID_GCO2_PER_KWH) -> tuple[float, float]:
    """kWh drawn from the grid and grams of CO2 equivalent.

    >>> carbon(3.6e6, pue=1.0, grid=480.0)
    (1.0, 480.0)
    """
    drawn = joules / 3.6e6 * pue
    return drawn, drawn * grid
