"""Files of one component: JSON lines in zstd frames, or Parquet with the columns ``text`` and ``meta``."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.build.store import sync
from pilebuilder.publish.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np

FRAME = 4 << 20
GROUP = 16 << 20
"""Bytes of JSON lines that become one row group of Parquet, about; so much is held for each component."""
LEVEL = 3
SKIPPABLE, SEEKABLE = 0x184D2A5E, 0x8F92EAB1
"""Magic numbers of the frame that holds a seek table, and of its end."""
PLAIN = {"origin_offset": "int64", "copy": "int64"}
STRINGS = ("url", "date", "licence", "meta", "origin_file")


def features(corpus: Corpus) -> list[tuple[str, str]]:
    """Fields of ``meta`` in order, with the Hub's names of their types.

    The shard stage writes strings and integers of known fields; a signal's type is looked up in the first lines of
    the shards, and every number among them counts as float64, so that one schema fits all files.
    """
    wanted = (corpus.lock["recipe"]["stages"].get("shard") or {}).get("meta") or []
    found = [("pile_set_name", "string"), ("id", "string")]
    signals = [n for n in wanted if n.startswith("signal.")]
    kinds = _signal_kinds(corpus, [n.removeprefix("signal.") for n in signals]) if signals else {}
    for name in wanted:
        key = name.removeprefix("signal.")
        kind = kinds[key] if name in signals else PLAIN.get(name, "string")
        found.append((key, kind))
    return found


def _signal_kinds(corpus: Corpus, names: list[str]) -> dict[str, str]:
    import orjson
    import zstandard

    kinds: dict[str, str] = {}
    for path in corpus.shards("train") + corpus.shards("val") + corpus.shards("test"):
        with (corpus.root / path).open("rb") as raw:
            head = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True).read(FRAME)
        for line in head[: head.rfind(b"\n") + 1].splitlines():
            meta = orjson.loads(line)["meta"]
            for name in names:
                value = meta.get(name)
                if value is not None:
                    kind = "bool" if isinstance(value, bool) else "string" if isinstance(value, str) else "float64"
                    kinds.setdefault(name, kind)
        if len(kinds) == len(names):
            break
    return {name: kinds.get(name, "float64") for name in names}


class LinesWriter:
    """JSON lines in independent zstd frames of about 4 MiB, each with its size and a checksum, and a seek table.

    As in the shards, any reader may start at any frame, and a file above a Hub's limit can be cut between frames.
    """

    def __init__(self, path: Path) -> None:
        import zstandard

        self.path, self.documents, self.line_bytes = path, 0, 0
        self.out = path.open("wb")
        self.compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
        self.held: list[bytes] = []
        self.size = 0
        self.frames: list[tuple[int, int]] = []

    def write(self, lines: Any, chosen: np.ndarray) -> None:
        """Add the chosen lines (a large-binary array and a mask)."""
        data, count = _chosen(lines, chosen)
        self.documents += count
        self.line_bytes += len(data)
        self.held.append(data)
        self.size += len(data)
        if self.size >= FRAME:
            self._flush()

    def _flush(self) -> None:
        packed = self.compressor.compress(b"".join(self.held))
        self.out.write(packed)
        self.frames.append((len(packed), self.size))
        self.held, self.size = [], 0

    def close(self) -> None:
        if self.size:
            self._flush()
        if self.documents:
            self.out.write(seek_table(self.frames))
        self.out.flush()
        os.fsync(self.out.fileno())
        self.out.close()

    def abandon(self) -> None:
        self.out.close()
        self.path.unlink(missing_ok=True)


def seek_table(frames: Sequence[tuple[int, int]]) -> bytes:
    """The last frame of a file in zstd's seekable format, from (compressed, content) bytes of each frame."""
    body = b"".join(struct.pack("<II", *sizes) for sizes in frames) + struct.pack("<IBI", len(frames), 0, SEEKABLE)
    return struct.pack("<II", SKIPPABLE, len(body)) + body


class ParquetWriter:
    """The same rows as columns; row groups of about 16 MiB of lines, zstd."""

    def __init__(self, path: Path, kinds: list[tuple[str, str]]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        types = {"string": pa.string(), "int64": pa.int64(), "float64": pa.float64(), "bool": pa.bool_()}
        meta = pa.struct([(name, types[kind]) for name, kind in kinds])
        self.schema = pa.schema([("text", pa.string()), ("meta", meta)])
        self.path, self.documents, self.line_bytes = path, 0, 0
        self.writer = pq.ParquetWriter(path, self.schema, compression="zstd")
        self.held: list[bytes] = []
        self.size = 0

    def write(self, lines: Any, chosen: np.ndarray) -> None:
        """Add the chosen lines (a large-binary array and a mask)."""
        data, count = _chosen(lines, chosen)
        self.documents += count
        self.line_bytes += len(data)
        self.held.append(data)
        self.size += len(data)
        if self.size >= GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.json as pj

        data = b"".join(self.held)
        table = pj.read_json(
            pa.BufferReader(data),
            read_options=pj.ReadOptions(block_size=len(data) + 1, use_threads=False),
            parse_options=pj.ParseOptions(explicit_schema=self.schema, unexpected_field_behavior="error"),
        )
        self.writer.write_table(table, row_group_size=max(1, table.num_rows))
        self.held, self.size = [], 0

    def close(self) -> None:
        if self.size:
            self._flush()
        self.writer.close()
        sync(self.path)

    def abandon(self) -> None:
        self.writer.close()
        self.path.unlink(missing_ok=True)


def _chosen(lines: Any, chosen: np.ndarray) -> tuple[bytes, int]:
    """The bytes of the chosen lines, one after another, and their number."""
    import numpy as np
    import pyarrow as pa

    from pilebuilder.document import text_buffers

    kept = lines.filter(pa.array(chosen))
    data, offsets = text_buffers(kept)
    return np.asarray(data[offsets[0] : offsets[-1]]).tobytes(), len(kept)
