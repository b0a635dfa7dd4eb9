"""One run per output folder, whatever happened to the last one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pilebuilder.build.lockfile import RunLock, is_held
from pilebuilder.errors import LockedError

HOLD = """
import sys, time
from pathlib import Path
from pilebuilder.build.lockfile import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_run_is_refused_and_told_who_holds(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    try:
        assert is_held(tmp_path)
        with (
            pytest.raises(LockedError, match=f"in use by another run \\(process {holder.pid} ") as caught,
            RunLock(tmp_path),
        ):
            pass
        assert caught.value.exit_code == 4
    finally:
        holder.kill()
        holder.wait()


def test_the_lock_dies_with_its_holder(tmp_path: Path) -> None:
    holder = hold(tmp_path)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert not is_held(tmp_path)
    with RunLock(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
