"""Reads an output shard by the public definition of its format alone."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import zstandard


def content(path: Path) -> bytes:
    with path.open("rb") as file:
        return bytes(zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read())


def documents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in io.BytesIO(content(path))]
