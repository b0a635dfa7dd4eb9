"""Formats of one document per file: the file itself, or each file in a tar or zip of them, as bytes with a name."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pilebuilder.read.archives import DEFAULT as CAPS
from pilebuilder.read.archives import Caps, Member, Readable, Refused, tar_members, zip_members
from pilebuilder.read.base import Item, Quarantined, Raw, Skipped
from pilebuilder.read.streams import DEFAULT, Limits, Stream, StreamError, blocks, decode, kind_of, open_stream

MAX_FILE = 64 << 20
"""Bytes of one file that becomes one document; a text of that size has ten million words."""


@dataclass(frozen=True, slots=True)
class Content:
    """One file to make a document of."""

    name: str
    """Its name: the raw file's, or ``ARCHIVE/MEMBER``."""
    path: str
    """Its name within the archive, or the raw file's own."""
    data: bytes
    offset: int


def contents(
    raw: Raw, *, limit: int = MAX_FILE, limits: Limits = DEFAULT, caps: Caps = CAPS, only: tuple[str, ...] = ()
) -> Iterator[Content | Item]:
    """The raw file, decompressed; or, when that is a tar or zip by its first bytes, its files in order.

    A member that cannot be had (a link is passed over as ``link``) costs itself. `only` are suffixes: members named
    otherwise are skipped as ``not_named`` in the ledger. Raises `StreamError` where the whole cannot be read on.
    """
    with raw.path.open("rb") as file:
        packed = file.read(4) == b"PK\3\4"
    if packed:
        yield from _members(raw, zip_members(raw.path, caps), limit, only)
        return
    pieces = blocks(raw.path, limits=limits, expect=raw.name)
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= 512:
            break
    if _is_tar(head):
        stream = io.BufferedReader(Stream(_chain(head, pieces)), 1 << 18)
        yield from _members(raw, tar_members(stream, caps), limit, only)
        return
    parts, size = list[bytes](), 0
    for piece in _chain(head, pieces):
        size += len(piece)
        if size > limit:
            yield Quarantined(reason="too_large", detail=f"more than {limit} bytes", key=raw.name)
            return
        parts.append(piece)
    yield Content(raw.name, _bare(raw.name), b"".join(parts), 0)


@dataclass(frozen=True, slots=True)
class Part:
    """One file to read records from: the raw file, or a member of a zip. It must be read before the next is asked for.

    What breaks a member is a `StreamError` of its `stream`, and costs that member only.
    """

    name: str
    path: str
    stream: Readable
    offset: int


def parts(raw: Raw, caps: Caps = CAPS) -> Iterator[Part | Item]:
    """As `contents`, for tables of any size in a file of their own or in a zip: as streams."""
    with raw.path.open("rb") as file:
        packed = file.read(4) == b"PK\3\4"
    if not packed:
        with open_stream(raw.path, expect=raw.name) as stream:
            yield Part(raw.name, _bare(raw.name), stream, 0)
        return
    for member in zip_members(raw.path, caps):
        if isinstance(member, Refused):
            yield _refused(member, f"{raw.name}/{member.name}")
        else:
            yield Part(f"{raw.name}/{member.name}", member.name, member, member.offset)


def _chain(head: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from rest


def _bare(name: str) -> str:
    """A file's name without the suffix of its compression."""
    return name.removesuffix(Path(name).suffix) if Path(name).suffix in (".gz", ".zst", ".bz2", ".xz") else name


def _is_tar(head: bytes) -> bool:
    """Whether a block is a tar header: by its magic, or, for the oldest tars, by its checksum."""
    if len(head) < 512:
        return False
    if head[257:262] == b"ustar":
        return True
    import tarfile

    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return head[:1] != b"\0"


def _members(
    raw: Raw, members: Iterator[Member | Refused], limit: int, only: tuple[str, ...]
) -> Iterator[Content | Item]:
    for member in members:
        name = f"{raw.name}/{member.name}"
        if isinstance(member, Refused):
            yield _refused(member, name)
        elif only and not member.name.lower().endswith(only):
            yield Skipped(reason="not_named", offset=member.offset, key=name)
        else:
            try:
                data = member.content(limit)
            except StreamError as error:
                yield Quarantined(reason=error.reason, offset=member.offset, detail=error.detail, key=name)
                if error.reason == "truncated":
                    return
                continue
            yield Content(name, member.name, data, member.offset)


def _refused(member: Refused, name: str) -> Item:
    if member.reason in ("link", "special_file"):
        return Skipped(reason=member.reason, offset=member.offset, key=name)
    return Quarantined(reason=member.reason, offset=member.offset, detail=member.detail, key=name)


def unpacked(data: bytes, limit: int) -> bytes:
    """A member's own compression removed, by its first bytes; raises `StreamError`."""
    if kind_of(data[:64]) == "plain":
        return data
    return b"".join(decode(io.BytesIO(data), limits=Limits(max_bytes=limit)))


def is_binary(data: bytes) -> bool:
    """Whether bytes are no text: a NUL near the beginning and no mark of UTF-16 or UTF-32."""
    marked = data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:4] == b"\0\0\xfe\xff"
    return b"\0" in data[:8000] and not marked


def binary(content: Content) -> Skipped:
    """The row for a file that is no text."""
    return Skipped(reason="binary", offset=content.offset, key=content.name)
