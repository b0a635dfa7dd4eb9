"""Meters: a driver's counter, its power reading, RAPL's counters with their wrap, and the estimate that says so."""

from __future__ import annotations

import ctypes
import threading
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
    meter = energy.Meter({"cpu": energy.CpuEstimate(), "gpu": gpu})
    used = meter.joules()
    assert used["gpu"] == pytest.approx(2.5)
    assert used["cpu"] >= 0
    assert set(meter.method()) == {"cpu", "gpu"}


def test_a_source_that_fails_in_the_middle_keeps_its_last_value_and_says_why() -> None:
    driver = Driver()
    meter = energy.Meter({"gpu": energy.Nvml("abc", driver)})
    driver.millijoules += 2_500
    assert meter.joules() == {"gpu": pytest.approx(2.5)}
    driver.counter = False
    assert meter.joules() == {"gpu": pytest.approx(2.5)}
    assert meter.missing == {"gpu": "not measured from 2 J on: nvmlDeviceGetTotalEnergyConsumption failed with code 3"}


def test_sources_are_read_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a counter that wraps twice between two lines of the logbook would lose energy."""
    monkeypatch.setattr(energy, "EVERY", 0.001)
    driver = Driver(counter=False)
    meter = energy.Meter({"gpu": energy.Nvml("abc", driver)})
    seen, before = threading.Event(), threading.active_count()
    read = meter.sources["gpu"].joules

    def joules() -> float:
        seen.set()
        return read()

    monkeypatch.setattr(meter.sources["gpu"], "joules", joules)
    with meter.watched():
        assert seen.wait(10)
    assert threading.active_count() == before


def test_a_gpu_without_its_library_is_not_measured_and_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: type("Card", (), {"uuid": "abc"})())
    monkeypatch.setattr(energy, "NVML", "libno-such-driver.so")
    meter = energy.Meter.of_device(torch.device("cuda"))
    assert meter.method()["gpu"].startswith("not measured: libno-such-driver.so")
    assert set(meter.joules()) <= {"cpu"}


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


def powercap(folder: Path, zones: dict[str, str]) -> Path:
    """Linux's folder with these zones, each 900 mJ below its wrap."""
    (folder / "intel-rapl").mkdir()  # the control type itself
    (folder / "intel-rapl" / "enabled").write_text("1\n")
    for zone, name in zones.items():
        (folder / zone).mkdir()
        (folder / zone / "name").write_text(f"{name}\n")
        (folder / zone / "max_energy_range_uj").write_text("999999\n")
        (folder / zone / "energy_uj").write_text("900000\n")
        (folder / zone / "constraint_0_power_limit_uw").write_text("125000000\n")
    return folder


ZONES = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:2": "psys",
    "intel-rapl-mmio:0": "package-0",
}


def test_rapl_counters_of_packages_and_memory_are_added_and_wrap(tmp_path: Path) -> None:
    folder = powercap(tmp_path, ZONES)
    cpu = energy.Rapl(folder)
    assert [path.parent.name for path in cpu.files] == ["intel-rapl:0", "intel-rapl:0:1", "intel-rapl:1"]
    assert "package-0, dram, package-1" in cpu.method
    (folder / "intel-rapl:0" / "energy_uj").write_text("100000")  # through the wrap
    assert cpu.joules() == pytest.approx(0.2)
    (folder / "intel-rapl:0:1" / "energy_uj").write_text("950000")
    (folder / "intel-rapl:2" / "energy_uj").write_text("1")  # holds the packages: not counted again
    assert cpu.joules() == pytest.approx(0.25)


def test_why_rapl_is_not_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="no RAPL counters in"):
        energy.Rapl(tmp_path / "none")
    folder = powercap(tmp_path, ZONES)
    assert isinstance(energy.cpu_source(folder=folder), energy.Rapl)
    assert energy.cpu_source(folder=folder, host=False) is None  # another process of this machine counts them
    read = Path.read_text

    def guarded(path: Path, *arguments: Any) -> str:
        if path.name == "energy_uj":  # as for all but root
            raise PermissionError(13, "Permission denied", str(path))
        return read(path, *arguments)

    monkeypatch.setattr(Path, "read_text", guarded)
    found = energy.cpu_source(folder=folder)
    assert isinstance(found, energy.CpuEstimate)
    assert found.method.startswith("not measured: [Errno 13] Permission denied")
    assert "estimate: CPU seconds" in found.method


def test_the_estimate_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [1.0]
    monkeypatch.setattr(energy.time, "process_time", lambda: seconds[0])
    cpu = energy.CpuEstimate()
    seconds[0] += 10
    assert cpu.joules() == pytest.approx(10 * energy.CPU_WATTS)
    assert "estimate" in cpu.method


def test_carbon_is_energy_times_both_factors() -> None:
    assert energy.carbon(7.2e6, pue=1.5, grid=100.0) == (pytest.approx(3.0), pytest.approx(300.0))
