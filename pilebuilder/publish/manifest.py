"""``MANIFEST.json``: every file of a publication with size and SHA-256. It is the last word on what was published."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pilebuilder.publish.problem import PublishError

NAME = "MANIFEST.json"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file to publish: a file here, a range of one, or bytes made for the purpose."""

    path: str
    """In the repository, with ``/``."""
    size: int
    sha256: str
    source: Path | bytes = field(repr=False, compare=False)
    start: int = 0
    """Where in the source a part begins."""
    of: str = ""
    """The file that this is a part of; empty for a whole one. Parts in the order of their paths make it again."""

    def open(self) -> io.BufferedIOBase:
        """The content, as a seekable stream."""
        if isinstance(self.source, bytes):
            return io.BytesIO(self.source)
        return Window(self.source, self.start, self.size)

    def read(self) -> bytes:
        with self.open() as stream:
            return stream.read()

    @property
    def whole(self) -> bool:
        """Whether it is a whole file on disk, which others may open by path."""
        return isinstance(self.source, Path) and not self.of

    def as_json(self) -> dict[str, Any]:
        entry: dict[str, Any] = {"path": self.path, "bytes": self.size, "sha256": self.sha256}
        return entry | ({"of": self.of} if self.of else {})


def made(path: str, content: bytes) -> Item:
    """A file that exists only in memory."""
    return Item(path=path, size=len(content), sha256=hashlib.sha256(content).hexdigest(), source=content)


class Window(io.BufferedIOBase):
    """A range of a file, as if it were a file. Deliberately without `fileno`: clients ask that for the size."""

    def __init__(self, path: Path, start: int, length: int) -> None:
        self._stream = path.open("rb")
        self._start, self._length, self._at = start, length, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._length - self._at)
        count = left if size is None or size < 0 else min(size, left)
        self._stream.seek(self._start + self._at)
        data = self._stream.read(count)
        self._at += len(data)
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a publication holds."""

    corpus: Mapping[str, str]
    """name, title, version"""
    lock: str
    """Digest of ``corpus.lock``: two publications with the same one hold the same corpus."""
    tool: str
    components: Mapping[str, Mapping[str, Any]]
    """Component -> its config and its documents, in all and by split."""
    absent: Sequence[str]
    """Groups of the lock's files that were not published: ledger, tokens."""
    accepted: Sequence[str]
    """Kinds of concerns that the publisher went on in spite of."""
    files: Mapping[str, Item]
    """By path; the manifest itself is not among them."""

    def to_bytes(self) -> bytes:
        """Its one text form: sorted, without a clock."""
        data = {
            "format": FORMAT,
            "corpus": dict(self.corpus),
            "lock": self.lock,
            "tool": self.tool,
            "components": {k: dict(v) for k, v in self.components.items()},
            "absent": list(self.absent),
            "accepted": list(self.accepted),
            "files": [item.as_json() for _, item in sorted(self.files.items())],
        }
        return (json.dumps(data, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @classmethod
    def from_bytes(cls, raw: bytes, where: str) -> Manifest:
        """Parse one; paths that would leave the folder are refused."""
        try:
            data = json.loads(raw)
            if data["format"] != FORMAT:
                raise PublishError("bad_manifest", f"{where} has format {data['format']}; this version reads {FORMAT}")
            files = {}
            for entry in data["files"]:
                path, of = safe(entry["path"]), safe(entry.get("of") or "x")
                files[path] = Item(
                    path=path,
                    size=int(entry["bytes"]),
                    sha256=str(entry["sha256"]),
                    source=b"",
                    of=of if entry.get("of") else "",
                )
            return cls(
                corpus=data["corpus"],
                lock=str(data["lock"]),
                tool=str(data["tool"]),
                components=data["components"],
                absent=data["absent"],
                accepted=data["accepted"],
                files=files,
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise PublishError("bad_manifest", f"{where} is not a manifest of pilebuilder ({error!r})") from None


def safe(path: str) -> str:
    """A relative path that stays inside its folder; raises `ValueError` for any other."""
    parts = path.split("/")
    if not path or "\\" in path or "\0" in path or path.startswith("/") or any(p in ("", ".", "..") for p in parts):
        raise ValueError(f"{path!r} is not a path inside a repository")
    return path
