"""Texts from files that a person names: examples to train on, items of evaluation sets. Nothing is skipped silently.

Formats by suffix: ``.jsonl`` or ``.ndjson`` (one object a line), ``.json`` (a list, or one object), ``.csv`` and
``.tsv`` with a head line, ``.txt`` (one text a line), each also as ``.gz`` or ``.zst``; and ``.parquet``. A name
``package:path`` points into an installed package.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from importlib.resources import files
from pathlib import Path
from typing import Any

from pilebuilder.errors import PilebuilderError, RecipeError
from pilebuilder.task import digest_file

PLAIN = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")


class ExampleError(PilebuilderError):
    """A file of texts that does not read; the message names file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """One file of texts."""

    path: Path
    sha256: str


def expand(patterns: Iterable[str]) -> list[Path]:
    """Files that names, globs and ``package:path`` stand for, sorted; `RecipeError` for one that fits no file."""
    found: set[Path] = set()
    for pattern in patterns:
        package, colon, inside = pattern.partition(":")
        if colon and len(package) > 1 and not Path(pattern).exists():
            try:
                paths = [Path(str(files(package) / inside))]
            except (ModuleNotFoundError, TypeError) as error:
                raise RecipeError(f"{pattern}: no package named {package!r} is installed") from error
        else:
            paths = [Path(p) for p in glob(pattern, recursive=True)]
        paths = [p for p in paths if p.is_file()]
        if not paths:
            raise RecipeError(f"no file matches {pattern!r}")
        found.update(paths)
    return sorted(found)


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file by its name."""
    return {path.name: digest_file(path)[0] for path in paths}


def texts(path: Path, fields: Sequence[str] = ()) -> Iterator[str]:
    """One string per record: its `fields` (or, without any, all of its strings) joined by a line end."""
    for record in records(path):
        yield "\n".join(_strings(record, fields, path))


def labelled(path: Path, fields: Sequence[str], label: str) -> Iterator[tuple[str, str]]:
    """Text and label of each record."""
    for record in records(path):
        if not isinstance(record, dict) or label not in record:
            raise ExampleError(f"{path}: a record has no field {label!r}; it has {_names(record)}")
        yield "\n".join(_strings({k: v for k, v in record.items() if k != label}, fields, path)), str(record[label])


def _names(record: Any) -> str:
    return ", ".join(map(str, record)) if isinstance(record, dict) else "no fields"


def _strings(record: Any, fields: Sequence[str], path: Path) -> list[str]:
    if not fields:
        return list(_every(record))
    found: list[str] = []
    for name in fields:
        if not isinstance(record, dict) or name not in record:
            raise ExampleError(f"{path}: a record has no field {name!r}; it has {_names(record)}")
        found += _every(record[name])
    return found


def _every(value: Any) -> Iterator[str]:
    """Strings in a nested value, in order."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key in value:
            yield from _every(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _every(item)


def records(path: Path) -> Iterator[Any]:
    """Records of a file: objects, or strings for a text file."""
    suffixes = [s.lower() for s in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in (".gz", ".zst") else ""
    kind = suffixes[-1] if suffixes else ""
    if kind == ".parquet" and not packed:
        yield from _parquet(path)
        return
    if kind not in PLAIN:
        raise ExampleError(f"{path}: unknown format; known suffixes: {', '.join(PLAIN)} (also .gz, .zst) and .parquet")
    try:
        raw = _unpack(path, packed)
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ExampleError(f"{path}: not UTF-8 at byte {error.start}") from error
    except (OSError, EOFError) as error:
        raise ExampleError(f"{path}: cannot be read: {error}") from error
    if kind == ".txt":
        yield from (line for line in text.splitlines() if line.strip())
    elif kind in (".csv", ".tsv"):
        yield from csv.DictReader(io.StringIO(text), delimiter="," if kind == ".csv" else "\t")
    elif kind == ".json":
        value = _json(text, path, 1)
        yield from value if isinstance(value, list) else [value]
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield _json(line, path, number)


def _unpack(path: Path, packed: str) -> bytes:
    if packed == ".gz":
        with gzip.open(path) as stream:
            return stream.read()
    if packed == ".zst":
        return unzstd(path)
    return path.read_bytes()


def unzstd(path: Path) -> bytes:
    """Content of all zstd frames of a file; `ExampleError` where it is damaged or ends inside a frame."""
    import zstandard

    left, content = path.read_bytes(), []
    try:
        while left:
            frame = zstandard.ZstdDecompressor().decompressobj()
            content.append(frame.decompress(left))
            if not frame.eof:
                raise ExampleError(f"{path}: the zstd data end inside a frame; the file is cut: copy it again")
            left = frame.unused_data
    except zstandard.ZstdError as error:
        raise ExampleError(f"{path}: damaged zstd data: {error}") from error
    return b"".join(content)


def _json(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ExampleError(f"{path}, line {line}: not JSON: {error}") from error


def _parquet(path: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        for batch in pq.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise ExampleError(f"{path}: not readable Parquet: {error}") from error
