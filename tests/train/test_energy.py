"""Meters: a driver's counter, its power reading, RAPL's counters with their wrap, and the estimate that says so."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.train import energy


class Driver:
    """What NVML's library does, with numbers of ours."""

    def __init__(self, *, counter: bool = True, device: bool = True) -> None:
        self.counter, self.device = counter, device
        self.millijoules, self.milliwatts = 5_000_000, 300_000

    def nvmlInit_v2(self) -> int:
        return 0

    def nvmlDeviceGetHandleByUUID(self, name: bytes, handle: Any) -> int:
        assert name == b"GPU-abc"
        return 0 if self.device else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any, value: Any) -> int:
        ctypes.cast(value, ctypes.POINTER(ctypes.c_ulonglong))[0] = self.millijoules
        return 0 if self.counter else 3

    def nvmlDeviceGetPowerUsage(self, handle: Any, value: Any) -> int:
        ctypes.cast(value, ctypes.POINTER(ctypes.c_uint))[0] = self.milliwatts
        return 0


def test_the_drivers_counter_is_read() -> None:
    driver = Driver()
    gpu = energy.Nvml("abc", driver)
    driver.millijoules += 2_500
    assert gpu.joules() == pytest.approx(2.5)
    assert "counter" in gpu.method
    meter = energy.Meter(cpu=energy.CpuEstimate(), gpu=gpu)
    reading = meter.reading()
    assert reading["gpu_joules"] == 2.5
    assert reading["cpu_joules"] >= 0
    assert reading["host_memory_bytes"] > 1 << 20
    assert set(meter.method()) == {"cpu", "gpu"}


def test_without_a_counter_power_is_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(energy.time, "perf_counter", lambda: now[0])
    gpu = energy.Nvml("abc", Driver(counter=False))
    now[0] += 10
    assert gpu.joules() == pytest.approx(3000)
    now[0] += 1
    assert gpu.joules() == pytest.approx(3300)
    assert "power" in gpu.method


def test_a_card_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="failed with code 6"):
        energy.Nvml("GPU-abc", Driver(device=False))


def test_rapl_counters_wrap(tmp_path: Path) -> None:
    for i, name in enumerate(("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "max_energy_range_uj").write_text("999999\n")
        (folder / "energy_uj").write_text(f"{900_000 + i}\n")
    cpu = energy.Rapl(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("100000")
    assert cpu.joules() == pytest.approx(0.2)
    assert "2 packages" in cpu.method
    with pytest.raises(OSError, match="no RAPL"):
        energy.Rapl(tmp_path / "none")


def test_the_estimate_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [1.0]
    monkeypatch.setattr(energy.time, "process_time", lambda: seconds[0])
    cpu = energy.CpuEstimate()
    seconds[0] += 10
    assert cpu.joules() == pytest.approx(10 * energy.CPU_WATTS)
    assert cpu.method.startswith("estimate")


def test_carbon_is_energy_times_both_factors() -> None:
    assert energy.carbon(7.2e6, pue=1.5, grid=100.0) == (pytest.approx(3.0), pytest.approx(300.0))
