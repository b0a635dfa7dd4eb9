"""Files of one component: JSON lines in zstd frames, or Parquet with the columns ``text`` and ``meta``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.atomic import sync
from pilebuilder.frames import FrameWriter
from pilebuilder.publish.corpus import Corpus

if TYPE_CHECKING:
    import numpy as np

FRAME = 4 << 20
GROUP = 16 << 20
"""Bytes of JSON lines that become one row group of Parquet, about; so much is held for each component."""
LEVEL = 3
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
    """JSON lines in zstd frames of about 4 MiB with a seek table, as in the shards.

    A file above a Hub's limit can be cut between frames.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.documents, self.line_bytes = path, 0, 0
        self.out = FrameWriter(path, FRAME, LEVEL)

    def write(self, lines: Any, chosen: np.ndarray) -> None:
        """Add the chosen lines (a large-binary array and a mask)."""
        data, offsets = _chosen(lines, chosen)
        self.documents += len(offsets) - 1
        self.line_bytes += len(data)
        self.out.write(data, offsets)

    def close(self) -> None:
        self.out.close()
        sync(self.path)

    def abandon(self) -> None:
        self.out.file.close()
        self.path.unlink(missing_ok=True)


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
        data, offsets = _chosen(lines, chosen)
        self.documents += len(offsets) - 1
        self.line_bytes += len(data)
        self.held.append(data.tobytes())
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


def _chosen(lines: Any, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bytes of the chosen lines, one after another, and the offset of each, from 0."""
    import numpy as np
    import pyarrow as pa

    from pilebuilder.document import text_buffers

    data, offsets = text_buffers(lines.filter(pa.array(chosen)))
    return np.asarray(data[offsets[0] : offsets[-1]]), offsets - offsets[0]
