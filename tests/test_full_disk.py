"""A disk that is really full: a small tmpfs. Needs the right to mount; elsewhere it is skipped."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pilebuilder.build.verify import verify
from tests import mini

SHARES = (0.05, 0.25, 0.5, 0.7)
"""Disk sizes as shares of what the whole build needs: each stops in a later stage."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mount = tmp_path / "disk"
    mount.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("this user may not mount a file system")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def build(recipe: Path, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pilebuilder", "build", str(recipe), "-o", str(out), "-w", "1"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def resize(mount: Path, kib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kib}k", str(mount)], check=True)


def test_a_full_disk_stops_with_code_5_and_the_same_command_goes_on(small_disk: Path, tmp_path: Path) -> None:
    recipe = mini.make(tmp_path / "raw", documents=100)
    elsewhere = tmp_path / "elsewhere"
    assert build(recipe, elsewhere).returncode == 0
    need = sum({p.stat().st_ino: p.stat().st_blocks * 512 for p in elsewhere.rglob("*")}.values()) // 1024
    out = small_disk / "out"
    for share in SHARES:
        resize(small_disk, int(need * share))
        done = build(recipe, out)
        assert done.returncode == 5, (share, done.returncode, done.stderr)
        assert "no space left" in done.stderr
        assert "Traceback" not in done.stderr
        assert not (out / "corpus.lock").exists()
    resize(small_disk, 64 << 10)
    done = build(recipe, out)
    assert done.returncode == 0, done.stderr
    assert verify(out) == []
    assert (out / "corpus.lock").read_bytes() == (elsewhere / "corpus.lock").read_bytes()
