"""What every reader is put through: cuts, flips, empty and wrong files. Fixtures are bytes; nothing is downloaded."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from pilebuilder.read.base import Batch, Item, Quarantined, Raw, Record, Skipped

Reader = Callable[[Raw], Iterator[Item]]

ERROR_PAGE = b"<!DOCTYPE html>\n<html><head><title>503</title></head><body><p>Service unavailable</p></body></html>\n"
CANARY = "canary-7c1e9f"


def as_raw(path: Path, name: str = "", **facts: Any) -> Raw:
    """A file as the fetch stage would hand it over, unless `facts` says otherwise."""
    data = path.read_bytes()
    known = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data), "component": "test", **facts}
    return Raw(path=path, name=name or path.name, **known)


def read(reader: Reader, data: bytes, name: str, folder: Path, **facts: Any) -> list[Item]:
    """Everything a reader yields for these bytes under this name."""
    path = folder / "raw" / name.replace("/", "__")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return list(reader(as_raw(path, name, **facts)))


def records(items: Iterable[Item]) -> list[Record]:
    """Documents, rows of batches among them."""
    found: list[Record] = []
    for item in items:
        if isinstance(item, Record):
            found.append(item)
        elif isinstance(item, Batch):
            found += [
                Record(
                    key=row["id"], text=row["text"], offset=row["origin_offset"], meta=json.loads(row["meta"] or "{}")
                )
                for row in item.table.to_pylist()
            ]
    return found


def skipped(items: Iterable[Item]) -> dict[str, int]:
    """Skipped records by reason."""
    found: dict[str, int] = {}
    for item in items:
        if isinstance(item, Skipped):
            found[item.reason] = found.get(item.reason, 0) + item.count
    return found


def reasons(items: Iterable[Item]) -> list[str]:
    """Reasons of what was quarantined, in order."""
    return [item.reason for item in items if isinstance(item, Quarantined)]


def cuts(data: bytes, edges: Iterable[int] = ()) -> Iterator[bytes]:
    """The data cut at 20 fractions, at the given edges, and one byte before the end; more than white space is lost."""
    points = {len(data) * k // 20 for k in range(20)} | set(edges) | {len(data) - 1}
    yield from (data[:n] for n in sorted(points) if data[n:].strip())


def assert_cuts_are_detected(
    reader: Reader, data: bytes, name: str, folder: Path, edges: Iterable[int] = (), *, by_length: bool = False
) -> None:
    """Every cut is a quarantine row. `by_length`: the format has no end mark, the fetched length proves it."""
    whole = read(reader, data, name, folder)
    most = len(records(whole))
    assert most, whole
    assert not reasons(whole), whole
    for cut in cuts(data, edges):
        items = read(reader, cut, name, folder, **({"bytes": len(data)} if by_length else {}))
        assert reasons(items), f"cut at {len(cut)} of {len(data)}: {len(records(items))} documents"
        assert len(records(items)) <= most


def assert_flips_are_survived(reader: Reader, data: bytes, name: str, folder: Path, times: int = 60) -> None:
    """One flipped bit at a time: no exception, and no more documents than there are."""
    draw, most = random.Random(7), len(records(read(reader, data, name, folder)))
    for _ in range(times):
        damaged = bytearray(data)
        damaged[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
        assert len(records(read(reader, bytes(damaged), name, folder))) <= most + 1


def assert_wrong_files_are_named(reader: Reader, name: str, folder: Path) -> None:
    """An empty file, white space, an error page, and noise each give a reason and no document."""
    noise = random.Random(3).randbytes(3000)
    for data in (b"", b" \n\t\n", ERROR_PAGE, noise, b"\0" * 2048):
        items = read(reader, data, name, folder)
        assert not records(items), (data[:40], items)
        assert reasons(items), (data[:40], items)
