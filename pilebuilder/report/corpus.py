"""A corpus that was made elsewhere: a folder of JSON lines or Parquet, read into partitions for the report.

Every line that is no document is counted in quarantine with file, place and cause; nothing is left out in silence.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pilebuilder.document import document_id, schema
from pilebuilder.errors import RecipeError
from pilebuilder.ledger import context
from pilebuilder.partition import write_table
from pilebuilder.task import Artifact, Task, Workspace, digest_file

if TYPE_CHECKING:
    pass

ENDINGS = (".jsonl", ".ndjson", ".json", ".parquet")
COMPRESSED = (".zst", ".gz", ".bz2", ".xz")
OURS = {"reports", "ledger", "tokens", "work"}
"""Folders of a finished build that hold no documents."""
SPLITS = {"val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
PARTITION = 32 << 20
"""Bytes of text of one component that are held before they are written."""
ROWS = 4096
TEXT_KEYS = ("text", "content", "raw_content")
KEYS = ("pile_set_name", "red_pajama_subset", "component")
"""Where a record says which part of the corpus it belongs to, in its metadata or beside it."""
MOST_COMPONENTS = 500
_FORBIDDEN = re.compile(r"[^\w .()+&'-]+")


@dataclass(frozen=True, slots=True)
class File:
    """One file of the corpus."""

    path: Path
    name: str
    """Relative to the corpus, with forward slashes."""

    @property
    def split(self) -> str:
        """What the name says: train, val or test."""
        words = re.split(r"[^a-z]+", self.name.lower())
        return next((SPLITS[w] for w in words if w in SPLITS), "train")

    @property
    def part(self) -> str:
        """The component of records that name none: the first folder that is no split, else none."""
        folders = [p for p in self.name.split("/")[:-1] if p.lower() not in {"train", "data", *SPLITS}]
        return folders[0] if folders else ""


def find_files(folder: Path, out: Path) -> list[File]:
    """Files of documents in a folder, sorted by name; raises `RecipeError` when there are none."""
    found = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        parts = name.split("/")
        hidden = any(p.startswith(".") for p in parts) or parts[0] in OURS or path.is_relative_to(out)
        if not hidden and path.is_file() and bare(name).endswith(ENDINGS):
            found.append(File(path, name))
    if not found:
        raise RecipeError(
            f"{folder}: no file of documents; looked for {', '.join(ENDINGS)}, plain or with {', '.join(COMPRESSED)}"
        )
    return found


def bare(name: str) -> str:
    """The name without the ending of a compression, in lower case."""
    lower = name.lower()
    return next((lower.removesuffix(c) for c in COMPRESSED if lower.endswith(c)), lower)


@dataclass(frozen=True, slots=True)
class Keys:
    """Where records have what; dots go into nested objects. None asks for the usual names."""

    component: str | None = None
    text: str | None = None


def tasks(files: list[File], name: str, keys: Keys) -> list[Task]:
    """One task a file."""
    made = []
    for i, file in enumerate(files):
        digest, size = digest_file(file.path)
        facts = {"name": file.name, "split": file.split, "part": file.part or name}
        source = Artifact(path=str(file.path.absolute()), sha256=digest, bytes=size, kind="raw", facts=facts)
        made.append(
            Task(
                stage="read",
                name=f"{file.name}/{i:05}",
                function="pilebuilder.report.corpus:read",
                code="report.corpus/2",
                params={"keys": asdict(keys), "split": file.split},
                inputs=(source,),
            )
        )
    return made


def component_name(value: Any, otherwise: str) -> str:
    """A name that a recipe takes: letters of any script, digits and a few signs, at most 80.

    >>> component_name("a/b <c>", "x"), component_name(None, "x")
    ('a b c', 'x')
    """
    text = " ".join(_FORBIDDEN.sub(" ", str(value)).split())[:80].strip() if isinstance(value, str) else ""
    text = text.lstrip(" .()+&'-")
    return text or otherwise


def value_at(record: Any, key: str) -> Any:
    """What stands under a key; its dots go into nested objects. None when nothing does."""
    for step in key.split("."):
        record = record.get(step) if isinstance(record, Mapping) else None
    return record


@dataclass(slots=True)
class Reader:
    """Documents of one file on their way into partitions by component."""

    task: Task
    work: Workspace
    held: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    size: dict[str, int] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    documents: int = 0
    text: int = 0

    @property
    def file(self) -> str:
        return str(self.task.inputs[0].facts["name"])

    def refuse(self, place: int, reason: str, detail: bytes | str = b"") -> None:
        """Count a record that is no document."""
        component = str(self.task.inputs[0].facts["part"])
        count = self.work.tally.of(component_name(component, "data"))
        count.seen += 1
        count.quarantined[reason] += 1
        shown = context(detail.encode("utf-8", "surrogatepass") if isinstance(detail, str) else detail)
        self.work.journal.add(
            component=component_name(component, "data"),
            step="corpus",
            action="quarantined",
            reason=reason,
            file=self.file,
            offset=place,
            detail=shown,
        )

    def take(self, record: Any, place: int, raw: bytes = b"") -> None:
        """One record; a document goes to its component's partition."""
        if not isinstance(record, Mapping):
            return self.refuse(place, "not_an_object", raw)
        wanted = self.task.params["keys"]["text"]
        text = value_at(record, wanted) if wanted else next((record[k] for k in TEXT_KEYS if k in record), None)
        if not isinstance(text, str):
            return self.refuse(place, "no_text", raw)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return self.refuse(place, "bad_utf8", raw)
        meta = record.get("meta") or record.get("metadata") or {}
        meta = meta if isinstance(meta, Mapping) else {}
        component = component_name(self.named(record, meta), component_name(self.task.inputs[0].facts["part"], "data"))
        row = self.row(record, meta, place, component)
        count = self.work.tally.of(component)
        count.seen += 1
        count.kept += 1
        count.bytes_in += size
        count.bytes_out += size
        self.documents, self.text = self.documents + 1, self.text + size
        self.held.setdefault(component, []).append(row | {"text": text})
        self.size[component] = self.size.get(component, 0) + size
        if self.size[component] >= PARTITION:
            self.flush(component)
        elif sum(self.size.values()) >= 2 * PARTITION:
            self.flush(max(sorted(self.size), key=lambda name: self.size[name]))
        return None

    def named(self, record: Mapping[str, Any], meta: Mapping[str, Any]) -> Any:
        """What the record says of its component."""
        if wanted := self.task.params["keys"]["component"]:
            return value_at(record, wanted)
        return next((held[k] for k in KEYS for held in (meta, record) if isinstance(held.get(k), str)), None)

    def row(self, record: Mapping[str, Any], meta: Mapping[str, Any], place: int, component: str) -> dict[str, Any]:
        def known(*names: str) -> str | None:
            return next((h[n] for n in names for h in (meta, record) if isinstance(h.get(n), str) and h[n]), None)

        identity = meta.get("id") or record.get("id")
        return {
            "id": str(identity) if identity else document_id(component, f"{self.file}#{place}"),
            "component": component,
            "url": known("url", "source_url"),
            "date": known("date", "created", "timestamp"),
            "licence": known("licence", "license"),
            "meta": "{}",
            "origin_file": self.file,
            "origin_offset": place,
        }

    def flush(self, component: str) -> None:
        """Write what is held of a component as a partition."""
        import pyarrow as pa

        rows = self.held.pop(component, [])
        size = self.size.pop(component, 0)
        if not rows:
            return
        number = self.parts[component] = self.parts.get(component, -1) + 1
        table = pa.Table.from_pylist(rows, schema=schema())
        label = document_id(component, "")[:8]
        path = self.work.output(
            f"{label}-{number:05}.parquet",
            "partition",
            component=component,
            documents=len(rows),
            text_bytes=size,
            split=self.task.params["split"],
        )
        write_table(table, path)


def read(task: Task, work: Workspace) -> None:
    """One file into partitions of its components; `facts` tell what it holds."""
    reader, source = Reader(task, work), task.inputs[0]
    records = _parquet if bare(source.path).endswith(".parquet") else _lines
    try:
        records(reader, work.open(source))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reader.refuse(reader.documents, "unreadable", f"{type(error).__name__}: {error}")
    for component in sorted(reader.held):
        reader.flush(component)
    work.facts.update(
        name=source.facts["name"],
        split=task.params["split"],
        documents=reader.documents,
        text_bytes=reader.text,
        sha256=source.sha256,
        bytes=source.bytes,
    )


def _parquet(reader: Reader, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(ROWS, use_threads=False):
            for record in batch.to_pylist():
                reader.take(record, place)
                place += 1
    except pa.ArrowInvalid as error:
        raise ValueError(str(error)) from error


def _lines(reader: Reader, path: Path) -> None:
    import orjson

    place = 0
    for line in opened(path):
        if line.strip():
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError:
                reader.refuse(place, "bad_json", line)
            else:
                reader.take(record, place, line)
        place += len(line)


def opened(path: Path) -> Iterator[bytes]:
    """Lines of a file, plain or compressed, by its first bytes."""
    with path.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        yield from io.BufferedReader(_plain(raw, head), 1 << 20)


def _plain(raw: BinaryIO, head: bytes) -> Any:
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        return zstandard.ZstdDecompressor(max_window_size=1 << 31).stream_reader(raw, read_across_frames=True)
    if head.startswith(b"\x1f\x8b"):
        import gzip

        return gzip.GzipFile(fileobj=raw)
    if head.startswith(b"BZh"):
        import bz2

        return bz2.BZ2File(raw)
    if head.startswith(b"\xfd7zXZ"):
        import lzma

        return lzma.LZMAFile(raw)
    return raw


def texts_of(path: Path) -> Iterator[str]:
    """Texts of the documents of one file; what is no document is passed over (`read` counts it)."""
    import orjson

    if bare(path.name).endswith(".parquet"):
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(ROWS, columns=["text"], use_threads=False):
            yield from (text for text in batch.column("text").to_pylist() if text)
        return
    for line in opened(path):
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        text = record.get("text") if isinstance(record, Mapping) else None
        if isinstance(text, str):
            yield text
