"""From a token to the document it came from, and from a document to its tokens: what a loss spike is traced with.

Cheap: the index (``.idx``) and the side file (``.docs``) are mapped, a binary search finds the document, and one frame
of the shard is unpacked for its line. No ledger is read; with the id, `pilebuilder why` tells the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.errors import PilebuilderError
from pilebuilder.frames import SeekableFile
from pilebuilder.tokenize import megatron, sidecar


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One document in one token file."""

    tokens: str
    """Stem of the token file: ``tokens/train_00``."""
    shard: str
    """Name of the shard that holds its text: ``train/00.jsonl.zst``."""
    document: int
    """Its number in both, from 0: the line of the shard, the sequence of the index."""
    start: int
    stop: int
    """Its tokens, end of document included, are those from `start` up to `stop` of the file."""
    id: str
    component: str
    text_bytes: int
    offset: int | None = None
    """The token that was asked for, counted from the document's first."""

    def as_json(self) -> dict[str, Any]:
        """Plain values by field name."""
        return {name: getattr(self, name) for name in self.__slots__}


class TokenFile:
    """The token files of one shard, mapped. `path` is the stem, or any of the files."""

    def __init__(self, path: Path) -> None:
        self.stem = path.with_suffix("") if path.suffix in (".bin", ".idx", ".docs", ".json") else path
        try:
            self.manifest = json.loads(self.stem.with_suffix(".json").read_bytes())
            self.index = megatron.read_index(self.stem.with_suffix(".idx"))
            self.documents = sidecar.read(self.stem.with_suffix(".docs"))
        except OSError as error:
            raise PilebuilderError(
                f"{error.filename}: {error.strerror}; give the stem of a token file, such as DIR/tokens/train_00"
            ) from error
        except ValueError as error:
            raise PilebuilderError(f"{self.stem}.json is not a token manifest: {error}") from error
        if len(self.index) != len(self.documents):
            raise PilebuilderError(
                f"{self.stem}: the index has {len(self.index)} documents, the side file {len(self.documents)};"
                " they are not of one build: run it again"
            )
        size = self.stem.with_suffix(".bin").stat().st_size
        if self.index.total * self.index.dtype.itemsize != size:
            raise PilebuilderError(f"{self.stem}.bin has {size} bytes, its index describes another size; build again")

    @cached_property
    def tokens(self) -> np.ndarray:
        """All ids of the file, mapped."""
        path = self.stem.with_suffix(".bin")
        return np.memmap(path, self.index.dtype, "r") if self.index.total else np.zeros(0, self.index.dtype)

    def place(self, document: int, offset: int | None = None) -> Place:
        """A document by number."""
        docs = self.documents
        return Place(
            tokens=f"{self.stem.parent.name}/{self.stem.name}",
            shard=f"{self.manifest['shard']['name']}.jsonl.zst",
            document=document,
            start=int(self.index.starts[document]),
            stop=int(self.index.starts[document] + self.index.lengths[document]),
            id=docs.ids[document].tobytes().hex(),
            component=self.manifest["components"][int(docs.component[document])]["name"],
            text_bytes=int(docs.text_bytes[document]),
            offset=offset,
        )

    def at(self, offset: int) -> Place:
        """The document that holds token `offset` of the file."""
        if not 0 <= offset < self.index.total:
            raise PilebuilderError(
                f"{self.stem}.bin holds tokens 0 to {self.index.total - 1}; there is no token {offset}"
            )
        document = int(np.searchsorted(self.index.starts, offset, "right")) - 1
        return self.place(document, offset - int(self.index.starts[document]))

    def find(self, document_id: str) -> Iterator[Place]:
        """Places of a document, by its id or the beginning of it (8 digits or more)."""
        wanted = document_id.strip().lower()
        if not 8 <= len(wanted) <= 32 or set(wanted) - set("0123456789abcdef"):
            raise PilebuilderError(f"{document_id!r} is no document id: give 32 hex digits, or at least the first 8")
        head = np.frombuffer(bytes.fromhex(wanted[: len(wanted) // 2 * 2]), np.uint8)
        rows = np.flatnonzero(self.documents.ids[:, 0] == head[0])
        rows = rows[(self.documents.ids[rows, : len(head)] == head).all(axis=1)]
        for row in rows:
            if self.documents.ids[row].tobytes().hex().startswith(wanted):
                yield self.place(int(row))

    def line(self, place: Place) -> dict[str, Any]:
        """The document itself, as it stands in the shard: ``text`` and ``meta`` (address, licence, chosen signals)."""
        path = self.stem.parent.parent / place.shard
        try:
            with SeekableFile(path) as shard:
                row: dict[str, Any] = json.loads(shard.line(int(self.documents.starts[place.document])))
        except OSError as error:
            raise PilebuilderError(f"{path}: {error.strerror}; the shard must lie beside the token files") from error
        except ValueError as error:
            raise PilebuilderError(f"{path} does not fit {self.stem}.docs; build again: {error}") from error
        if row.get("meta", {}).get("id") != place.id:
            raise PilebuilderError(f"{path} does not fit {self.stem}.docs: they are not of one build; run it again")
        return row

    def around(self, offset: int, reach: int = 20) -> tuple[np.ndarray, int]:
        """Ids of the same document around a token, and the token's place among them."""
        place = self.at(offset)
        start, stop = max(place.start, offset - reach), min(place.stop, offset + reach + 1)
        return np.asarray(self.tokens[start:stop]), offset - start


def trace_offset(path: Path, offset: int) -> tuple[Place, dict[str, Any]]:
    """The document of a token, and its line in the shard."""
    file = TokenFile(path)
    place = file.at(offset)
    return place, file.line(place)


def trace_id(folder: Path, document_id: str) -> list[tuple[Place, dict[str, Any]]]:
    """Every place of a document in a build's token files (more than one if it was repeated), with its line."""
    stems = sorted(p.with_suffix("") for p in (folder / "tokens").glob("*.docs"))
    if not stems:
        raise PilebuilderError(f"{folder} has no token files; build up to the stage tokenize first")
    found = [
        (place, file.line(place)) for stem in stems for file in [TokenFile(stem)] for place in file.find(document_id)
    ]
    if not found:
        raise PilebuilderError(
            f"no token file of {folder} holds document {document_id};"
            f" `pilebuilder why {document_id}` says what became of it"
        )
    names = {place.id for place, _ in found}
    if len(names) > 1:
        raise PilebuilderError(f"{document_id} fits {len(names)} documents; give more digits")
    return found
