"""Other trainers' token files, made from the ids that Megatron's ``.bin`` holds.

- ``nanogpt``: ``.nanogpt.bin``, raw uint16, each document followed by the end id; vocabularies below 65,500 only.
- ``llmc``: ``.llmc.bin``, 256 int32 of header (magic 20240520 and version 1 for uint16, 20240801 and 7 for uint32;
  then the number of ids) and the ids, each document *preceded* by the end id.
- ``olmo``: ``.npy``, raw ids despite the suffix (OLMo-core maps them with the dtype that its configuration names), and
  ``.csv.gz``, lines of start, end, id, source, line.
- ``datatrove``: ``.ds``, raw ids of 2 or 4 bytes; ``.ds.index``, ends of documents in ids (uint64); ``.ds.metadata``,
  tokenizer and width, number of ids, the same for people.

Where the content is the same as the ``.bin``, the file is a hard link to it and takes no space.
"""

from __future__ import annotations

import gzip
import io
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pilebuilder.errors import RecipeError, TaskError
from pilebuilder.models.vocabulary import Tokenizer
from pilebuilder.tokenize.sidecar import Documents

LLMC_HEADER = 256
LLMC_MAGIC = {2: (20240520, 1), 4: (20240801, 7)}
COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What an export is made from: the ids of one shard as they lie on disk, and what is known about them."""

    path: Path
    width: int
    """Bytes of an id in the file: 2 (uint16) or 4 (int32 and uint32 alike, as no id reaches 2^31)."""
    lengths: np.ndarray
    """Ids of each document, its end id included (int64)."""
    documents: Documents
    tokenizer: Tokenizer
    source: str
    """Public name of the shard."""

    @property
    def total(self) -> int:
        return int(self.lengths.sum())


Output = Callable[[str], Path]
"""Declares a file by its suffix and gives the path to write it to."""


def check(formats: list[str], tokenizer: Tokenizer) -> None:
    """Refuse, before anything runs, a format that cannot hold the vocabulary."""
    if "nanogpt" in formats and tokenizer.dtype != "uint16":
        raise RecipeError(
            f"tokenize.formats: nanogpt holds ids below 65,500 only, and {tokenizer.name} has {tokenizer.size};"
            " remove the format or take a smaller vocabulary"
        )


def write(format_: str, tokens: Tokens, output: Output) -> None:
    """Write one format's files."""
    {"nanogpt": _nanogpt, "llmc": _llmc, "olmo": _olmo, "datatrove": _datatrove}[format_](tokens, output)


def _nanogpt(tokens: Tokens, output: Output) -> None:
    _same(tokens, output("nanogpt.bin"))


def _llmc(tokens: Tokens, output: Output) -> None:
    if tokens.total >= 1 << 31:
        raise TaskError(f"{tokens.source}: llm.c files hold fewer than 2^31 ids; raise shard.count")
    magic, version = LLMC_MAGIC[tokens.width]
    header = np.zeros(LLMC_HEADER, "<i4")
    header[:3] = magic, version, tokens.total
    end = np.array([tokens.tokenizer.eod], f"<u{tokens.width}").tobytes()
    with tokens.path.open("rb") as source, output("llmc.bin").open("wb") as target:
        target.write(header.tobytes())
        # d1 E d2 E becomes E d1 E d2: the end id moves from the back to the front of the file.
        left = tokens.total * tokens.width - tokens.width
        if left >= 0:
            target.write(end)
        while left > 0:
            left -= target.write(source.read(min(left, COPY_BYTES)))


def _olmo(tokens: Tokens, output: Output) -> None:
    _same(tokens, output("npy"))
    ends = np.cumsum(tokens.lengths)
    rows = io.StringIO()
    ids = np.ascontiguousarray(tokens.documents.ids).tobytes().hex()
    for line, (end, size) in enumerate(zip(ends.tolist(), tokens.lengths.tolist(), strict=True)):
        rows.write(f"{end - size},{end},{ids[32 * line : 32 * line + 32]},{tokens.source},{line + 1}\n")
    with output("csv.gz").open("wb") as file, gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
        packed.write(rows.getvalue().encode())


def _datatrove(tokens: Tokens, output: Output) -> None:
    _same(tokens, output("ds"))
    output("ds.index").write_bytes(np.cumsum(tokens.lengths).astype("<u8").tobytes())
    lines = (f"{tokens.tokenizer.name}|{tokens.width}", str(tokens.total), for_people(tokens.total))
    output("ds.metadata").write_text("\n".join(lines))


def for_people(count: int) -> str:
    """A number of tokens in three digits: ``1.23 GT``.

    >>> for_people(999), for_people(46_064_953), for_people(1_200_000_000)
    ('999 T', '46.1 MT', '1.20 GT')
    """
    value, units = float(count), ["", "k", "M", "G", "T"]
    while value >= 999.5 and len(units) > 1:
        value, units = value / 1000, units[1:]
    digits = 0 if value >= 100 or not units[0] else 1 if value >= 10 else 2
    return f"{value:.{digits}f} {units[0]}T"


def _same(tokens: Tokens, path: Path) -> None:
    path.unlink(missing_ok=True)
    try:
        os.link(tokens.path, path)
    except OSError:
        shutil.copyfile(tokens.path, path)
