"""Sizes, amounts and times as people write them: ``64 MiB``, ``2 GB``, ``10_000 docs``, ``3 files``, ``2 h 1 min``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_SIZE = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZE |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_NUMBER = re.compile(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


@dataclass(frozen=True, slots=True)
class Take:
    """How much of a component to fetch: so many bytes, documents or files."""

    amount: int
    unit: Literal["bytes", "documents", "files"]


def parse_size(text: str | int) -> int:
    """Bytes from ``64 MiB`` or ``2 GB`` (powers of 1024 with an i, of 1000 without) or a plain number.

    >>> parse_size("1.5 KiB"), parse_size("2 MB"), parse_size(512)
    (1536, 2000000, 512)
    """
    number, unit = _split(text)
    if unit.lower() not in _SIZE and unit:
        raise ValueError(f"{text!r} is not a size; write a number and a unit such as 64 MiB or 2 GB")
    return int(number * _SIZE.get(unit.lower(), 1))


def parse_take(text: str | int) -> Take:
    """An amount to fetch.

    >>> parse_take("10_000 docs")
    Take(amount=10000, unit='documents')
    """
    number, unit = _split(text)
    unit = unit.lower()
    if unit in ("docs", "doc", "documents"):
        return Take(int(number), "documents")
    if unit in ("files", "file", "items", "item"):
        return Take(int(number), "files")
    if unit in _SIZE:
        return Take(int(number * _SIZE[unit]), "bytes")
    raise ValueError(f"{text!r} is not an amount; write for example 2 GB, 10_000 docs or 3 files")


def _split(text: str | int) -> tuple[float, str]:
    match = _NUMBER.fullmatch(str(text))
    if not match:
        raise ValueError(f"{text!r} is not an amount; write a number and a unit such as 64 MiB or 2 GB")
    return float(match[1].replace("_", "").replace(",", "")), match[2]


def show_bytes(n: float) -> str:
    """A size for people, powers of 1024.

    >>> show_bytes(1536), show_bytes(0), show_bytes(20 * 2**20)
    ('1.5 KiB', '0 B', '20.0 MiB')
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1024:
            return f"{n:.0f} B" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1024
    return f"{n:.1f} TiB"


def show_seconds(seconds: float) -> str:
    """A length of time for people.

    >>> show_seconds(0.0042), show_seconds(3.24), show_seconds(75), show_seconds(7260), show_seconds(300_000)
    ('4.2 ms', '3.2 s', '1 min 15 s', '2 h 1 min', '3.5 days')
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds >= 0.05 or not seconds else f"{seconds * 1000:.2g} ms"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min" if minutes < 48 * 60 else f"{seconds / 86400:.1f} days"
