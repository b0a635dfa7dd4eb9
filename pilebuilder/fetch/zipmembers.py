"""Members of a large ZIP file on the web, without the file: its directory first, then the ranges that are wanted."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, Want
from pilebuilder.fetch.policy import Manners
from pilebuilder.fetch.select import rank
from pilebuilder.registry import fetcher
from pilebuilder.task import digest_file

TAIL = 65_557 + 20 + 56
"""Bytes at the end of a ZIP file in which its end records must lie: comment, locator, 64-bit record."""
DIRECTORY_LIMIT = 512 << 20
_END, _END64, _LOCATOR, _CENTRAL = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x01\x02"


@dataclass(frozen=True, slots=True)
class Member:
    """One file in the archive: where its local header begins, and its entry in the directory."""

    name: str
    offset: int
    packed: int
    entry: bytes


if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("zip-members", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMembers:
    """Files out of one large ZIP archive: the whole archive, or seeded runs of its members by range requests."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = True
    partial: ClassVar[bool] = False

    url: Annotated[str, Field(min_length=1, description="address of the archive")]
    include: Annotated[str, Field(description="expression that a member's name must fit")] = ""
    members: Annotated[int, Field(ge=1, le=10_000, description="members in one raw file of a sample")] = 50
    digest: Annotated[str, Field(description="kind:hexadecimal of the whole archive")] = ""
    delay: Annotated[float, Field(ge=0, le=3600, description="seconds between requests")] = 0.5

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """The archive itself, or seeded runs of members that lie side by side."""
        name = self.url.rpartition("/")[2].partition("?")[0] or "archive.zip"
        if want.bytes is None and want.files is None:
            yield Item(name=name, address=self.url, digest=self.digest or None)
            return
        size, version = self._size(web)
        wanted = re.compile(self.include) if self.include else None
        found = sorted(self._directory(web, size), key=lambda m: m.offset)
        ends = [m.offset for m in found[1:]] + [size]
        runs = [
            [(m, end) for m, end in zip(found[i : i + self.members], ends[i : i + self.members], strict=True)]
            for i in range(0, len(found), self.members)
        ]
        for index in sorted(range(len(runs)), key=lambda i: rank(want.seed, self.url, str(i))):
            run = [(m, end) for m, end in runs[index] if wanted is None or wanted.search(m.name)]
            if run:
                first, last = run[0][0].offset, min(run[-1][1], run[-1][0].offset + run[-1][0].packed + 70_000)
                entries = [m.entry.hex() for m, _ in run]
                yield Item(
                    name=f"{name.removesuffix('.zip')}/{index:06}.zip",
                    address=self.url,
                    estimate=last - first,
                    version=version,
                    extra={"_start": first, "_length": last - first, "_entries": entries, "members": len(run)},
                )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        if "_entries" not in item.extra:
            return tools.bring(web, item, target, manners=Manners(delay=self.delay))
        piece = target.with_name(target.name + ".piece")
        try:
            got = tools.bring(web, replace(item, name=f"{item.name}.piece"), piece, manners=Manners(delay=self.delay))
            rebuild(piece, target, [bytes.fromhex(e) for e in item.extra["_entries"]], item.extra["_start"])
        finally:
            piece.unlink(missing_ok=True)
        sha256, size = digest_file(target)
        return Fetched(item=item, path=target, sha256=sha256, bytes=size, facts=got.facts)

    def _size(self, web: Web) -> tuple[int, str]:
        """Size and version of the archive."""

        def attempt() -> tuple[int, str]:
            with web.send("HEAD", self.url, manners=Manners(delay=self.delay)) as (response, final):
                if response.status != 200:
                    raise tools.of_status(response, final, web.clock.now(), web.policy)
                size = response.headers.get("content-length", "")
                if not size.isdigit():
                    raise tools.Failed("bad_response", f"{final} does not say how large it is", again=False)
                version = response.headers.get("etag") or response.headers.get("last-modified") or size
                return int(size), str(version)

        return web.persist(self.url, attempt)

    def _range(self, web: Web, start: int, end: int) -> bytes:
        def attempt() -> bytes:
            asked = {"Range": f"bytes={start}-{end - 1}"}
            with web.send("GET", self.url, asked, manners=Manners(delay=self.delay)) as (response, final):
                if response.status == 200:
                    raise tools.Failed("no_range", f"{final} does not serve ranges", again=False)
                if response.status != 206:
                    raise tools.of_status(response, final, web.clock.now(), web.policy)
                content = b"".join(web.blocks(response, final))
            if len(content) != end - start:
                raise tools.Failed("length_mismatch", f"{self.url}: {len(content)} of {end - start} bytes came")
            return content

        return web.persist(self.url, attempt)

    def _directory(self, web: Web, size: int) -> list[Member]:
        """All members, from the central directory at the end of the archive."""
        base = max(0, size - TAIL)
        tail = self._range(web, base, size)
        at = tail.rfind(_END)
        if at < 0:
            raise self._broken("no end record")
        count, length, offset = struct.unpack_from("<HII", tail, at + 10)
        locator = tail.rfind(_LOCATOR, 0, at)
        if 0xFFFF in (count,) or 0xFFFFFFFF in (length, offset):
            record = tail.rfind(_END64, 0, locator) if locator >= 0 else -1
            if record < 0:
                raise self._broken("no 64-bit end record")
            count, length, offset = struct.unpack_from("<QQQ", tail, record + 32)
        if offset + length > size or length > DIRECTORY_LIMIT:
            raise self._broken("a directory that does not lie in the file")
        content = tail[offset - base :][:length] if offset >= base else self._range(web, offset, offset + length)
        found = list(self._members(content))
        if len(found) != count:
            raise self._broken(f"{len(found)} entries, its end record says {count}")
        return found

    def _members(self, content: bytes) -> Iterator[Member]:
        at = 0
        while content[at : at + 4] == _CENTRAL:
            if at + 46 > len(content):
                raise self._broken("a cut directory")
            packed, unpacked, names, extras, notes = struct.unpack_from("<IIHHH", content, at + 20)
            offset = struct.unpack_from("<I", content, at + 42)[0]
            end = at + 46 + names + extras + notes
            name = content[at + 46 : at + 46 + names]
            if 0xFFFFFFFF in (packed, unpacked, offset):
                extra = content[at + 46 + names : at + 46 + names + extras]
                packed, offset = _wide(extra, packed, unpacked, offset)
            yield Member(name.decode("utf-8", "replace"), offset, packed, content[at:end])
            at = end

    def _broken(self, what: str) -> FetchError:
        return FetchError("bad_listing", f"{self.url} is no ZIP file that can be read in parts: {what}")


def _wide(extra: bytes, packed: int, unpacked: int, offset: int) -> tuple[int, int]:
    """Sizes and offset from the 64-bit field of a directory entry."""
    at = 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{size // 8}Q", extra, at + 4))
            if unpacked == 0xFFFFFFFF:
                next(values, 0)
            packed = next(values, packed) if packed == 0xFFFFFFFF else packed
            offset = next(values, offset) if offset == 0xFFFFFFFF else offset
        at += 4 + size
    return packed, offset


def rebuild(piece: Path, target: Path, entries: list[bytes], start: int) -> None:
    """A ZIP file of its own from a range of another and the directory entries of the members in it.

    Every member is unpacked once to check it; raises `FetchError` when one is damaged.
    """
    import zipfile

    content = bytearray(piece.read_bytes())
    directory = bytearray()
    for entry in entries:
        packed, unpacked, names, extras = struct.unpack_from("<IIHH", entry, 20)
        offset = struct.unpack_from("<I", entry, 42)[0]
        extra = entry[46 + names : 46 + names + extras]
        packed, offset = _wide(extra, packed, unpacked, offset)
        fixed = bytearray(entry[:46])
        struct.pack_into("<I", fixed, 20, packed)
        struct.pack_into("<HH", fixed, 30, 0, 0)
        struct.pack_into("<I", fixed, 42, offset - start)
        directory += fixed + entry[46 : 46 + names]
    end = struct.pack("<4sHHHHIIH", _END, 0, 0, len(entries), len(entries), len(directory), len(content), 0)
    target.write_bytes(bytes(content) + bytes(directory) + end)
    try:
        with zipfile.ZipFile(target) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        raise FetchError("wrong_format", f"the range from {start} does not hold its members: {error}") from None
    if damaged:
        raise FetchError("checksum_mismatch", f"the member {damaged} is damaged")
