"""Where this machine's caches lie, and which sources decide a kernel. Loads nothing, so planning can ask, too."""

from __future__ import annotations

import os
import re
from pathlib import Path

_IMPORT = re.compile(rb"^from pilebuilder\.kernels\.(\w+) import", re.M)


def cache_root() -> Path:
    """Folder of this machine's caches (machine code, Unicode tables); losing it costs only time."""
    if chosen := os.environ.get("PILEBUILDER_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(base) / "pilebuilder"


def imported(source: bytes) -> list[str]:
    """Names of the kernel modules that a kernel module's source imports, in its order."""
    return [name.decode() for name in _IMPORT.findall(source)]
