"""Where the samples of real input lie, when they do: a folder ``shared/samples`` beside the checkout."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

SAMPLES = Path(__file__).resolve().parents[1] / ".." / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no samples beside the checkout")


@functools.cache
def manifest() -> dict[str, dict[str, Any]]:
    """Facts of each sample file by its path; empty without samples."""
    if not (SAMPLES / "MANIFEST.json").is_file():
        return {}
    listed = json.loads((SAMPLES / "MANIFEST.json").read_text(encoding="utf-8"))
    return {entry["path"]: entry for entry in listed["files"]}
