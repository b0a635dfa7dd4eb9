"""Energy of a run: counters where the machine has them, an estimate that says so where it has none.

GPU: NVML's total energy counter (Volta and later), else its power reading times the time since the last one. CPU:
RAPL's package counters when this user may read them, else CPU seconds of this process times `CPU_WATTS`. Counters of a
package count everything that runs on it. Carbon is energy times PUE times grid intensity, both settings.
"""

from __future__ import annotations

import ctypes
import resource
import sys
import time
from dataclasses import dataclass, field
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


class Source(Protocol):
    """Something that counts energy."""

    method: str

    def joules(self) -> float:
        """Since this source was made."""


class Rapl:
    """Package counters of the CPU."""

    def __init__(self, folder: Path = RAPL) -> None:
        self.files = sorted(p / "energy_uj" for p in folder.glob("intel-rapl:*") if p.name.count(":") == 1)
        if not self.files:
            raise OSError("no RAPL counters")
        self.ranges = [int((p.parent / "max_energy_range_uj").read_text()) for p in self.files]
        self.method = f"RAPL counters of {len(self.files)} packages, all that runs on them"
        self.last = [int(p.read_text()) for p in self.files]
        self.total = 0

    def joules(self) -> float:
        for i, path in enumerate(self.files):
            now = int(path.read_text())
            self.total += (now - self.last[i]) % (self.ranges[i] + 1)  # counters wrap
            self.last[i] = now
        return self.total / 1e6


class CpuEstimate:
    """CPU seconds of this process times an assumed power."""

    method = f"estimate: CPU seconds of the process times {CPU_WATTS:g} W per busy core"

    def __init__(self) -> None:
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
            self.method = "NVML power of the GPU, read at each line of the logbook"

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
        value = ctypes.c_uint()
        self._call("nvmlDeviceGetPowerUsage", self.handle, ctypes.byref(value))
        return value.value / 1e3

    def _call(self, name: str, *arguments: Any) -> None:
        code = getattr(self.library, name)(*arguments)
        if code:
            raise OSError(f"{name} failed with code {code}")


@dataclass(slots=True)
class Meter:
    """Adds up the sources of a machine; `reading` goes into every line of steps."""

    cpu: Source = field(default_factory=lambda: cpu_source())
    gpu: Source | None = None
    missing: str = ""
    """Why a GPU's energy is not counted."""

    @classmethod
    def of_device(cls, device: Any) -> Meter:
        """For a run on a `torch.device`."""
        if device.type != "cuda":
            return cls()
        import torch

        try:
            return cls(gpu=Nvml(str(torch.cuda.get_device_properties(device).uuid)))
        except (OSError, AttributeError) as error:
            return cls(missing=f"not measured: {error}")

    def method(self) -> dict[str, str]:
        """How each part is counted, for the start of a run."""
        gpu = {"gpu": self.gpu.method} if self.gpu else {"gpu": self.missing} if self.missing else {}
        return {"cpu": self.cpu.method, **gpu}

    def reading(self) -> dict[str, float]:
        """Joules since the start of this process' run, and the largest memory of the process (bytes)."""
        found = {"cpu_joules": round(self.cpu.joules(), 1)}
        if self.gpu:
            found["gpu_joules"] = round(self.gpu.joules(), 1)
        unit = 1 if sys.platform == "darwin" else 1024
        return found | {"host_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}


def cpu_source() -> Source:
    """Counters when they can be read, else the estimate."""
    try:
        return Rapl()
    except (OSError, ValueError):
        return CpuEstimate()


def carbon(joules: float, pue: float = PUE, grid: float = GRID_GCO2_PER_KWH) -> tuple[float, float]:
    """kWh drawn from the grid and grams of CO2 equivalent.

    >>> carbon(3.6e6, pue=1.0, grid=480.0)
    (1.0, 480.0)
    """
    drawn = joules / 3.6e6 * pue
    return drawn, drawn * grid
