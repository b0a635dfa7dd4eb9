"""One run per output folder: a kernel lock, released by the kernel when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import sys
import time
from pathlib import Path
from types import TracebackType

from pilebuilder.errors import LockedError

STATE = ".pilebuilder"


class RunLock:
    """``with RunLock(root):`` holds the output folder; raises `LockedError` naming the live holder."""

    def __init__(self, root: Path) -> None:
        self.path = root / STATE / "lock"
        self._handle: int | None = None

    def __enter__(self) -> RunLock:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise LockedError(
                f"{self.path.parent.parent} is in use by another run ({describe(self.path)});"
                " wait for it, stop it, or build into another folder with --out"
            ) from None
        holder = {
            "pid": os.getpid(),
            "host": platform.node(),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
            "command": " ".join(sys.argv)[:400],
        }
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode(), 0)
        self._handle = handle
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            os.ftruncate(self._handle, 0)
            os.close(self._handle)
            self._handle = None


def describe(path: Path) -> str:
    """Who holds (or last held) a lock file, in words."""
    try:
        holder = json.loads(path.read_text())
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (OSError, ValueError, KeyError):
        return "holder unknown"


def is_held(root: Path) -> bool:
    """Whether a live run holds the folder."""
    try:
        handle = os.open(root / STATE / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
