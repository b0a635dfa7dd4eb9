"""tar and zip as streams of members: nothing is ever extracted, names are labels, and the true end is proven.

7z is in `pilebuilder.read.sevenzip`, on the same terms.

Each function yields `Member` (a regular file, to be read before the next one is asked for) and `Refused` (a member
that is no file, or that cannot be had) in the order in which the archive holds them. What ends the whole archive is
a `StreamError`, after everything before it was delivered:

- tar ends with two blocks of zeros (POSIX.1-2017, pax); without them it is ``truncated``. A header that does not
  add up costs its member: the search goes on for the next block that is one.
- zip and 7z keep their directory at the end, so a cut file has none: ``truncated``. Each member's CRC is checked.
- Links, devices, sparse and encrypted members are refused. `Caps` bounds members, bytes and ratios.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from pilebuilder.read.streams import StreamError

BLOCK = 512
PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What an archive may cost; a genuine dump stays far below."""

    members: int = 200_000
    member_bytes: int = 512 << 30
    """Bytes of one member once decompressed; the largest real one is a Posts.xml of 106 GB."""
    ratio: float = 100.0
    """Decoded bytes per packed byte over any `window` of output of one member."""
    window: int = 64 << 20
    total_ratio: float = 2000.0


DEFAULT = Caps()


class Readable(Protocol):
    def read(self, n: int, /) -> bytes: ...


@dataclass(slots=True)
class Member:
    """A regular file in an archive. `read` gives its bytes in order, then ``b""``; it raises `StreamError`."""

    name: str
    """Label only: ``/`` between folders, no control characters, never a path to write to."""
    offset: int
    """Byte of the (decompressed) archive at which the member or its header begins."""
    size: int
    """Bytes, as the archive declares."""
    _source: Readable = field(repr=False)

    def read(self, n: int = -1) -> bytes:
        """Up to `n` bytes (all that remain when negative)."""
        if n >= 0:
            return self._source.read(n)
        return b"".join(iter(lambda: self._source.read(PIECE), b""))

    def content(self, limit: int) -> bytes:
        """All bytes of a member that has no more than `limit`; more is the `StreamError` ``too_large``."""
        pieces, size = [], 0
        while size <= limit and (piece := self.read(min(PIECE, limit + 1 - size))):
            pieces.append(piece)
            size += len(piece)
        if size > limit:
            raise StreamError("too_large", f"member {self.name}: more than {limit} bytes", offset=self.offset)
        return b"".join(pieces)


@dataclass(frozen=True, slots=True)
class Refused:
    """A member that is not read: a link, a device, a damaged header, an encrypted or broken entry."""

    name: str
    offset: int
    reason: str
    detail: str


def label(name: str) -> str:
    """A member's name as a label: forward slashes, no drive, no leading slash, no ``.`` or ``..``, no controls.

    >>> label("../../etc/passwd"), label("C:\\\\a\\\\b.txt"), label("./x/../y")
    ('etc/passwd', 'a/b.txt', 'x/y')
    """
    name = re.sub(r"^[A-Za-z]:", "", name.replace("\\", "/"))
    name = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", "?", name)
    return "/".join(part for part in name.split("/") if part not in ("", ".", ".."))


# tar -----------------------------------------------------------------------------------------------------------------


class _Counted:
    """A stream with its position; reads exactly, or fewer only at the end."""

    def __init__(self, stream: Readable) -> None:
        self._stream, self.position = stream, 0

    def read(self, n: int) -> bytes:
        data = self._stream.read(n)
        while len(data) < n and (more := self._stream.read(n - len(data))):
            data += more
        self.position += len(data)
        return data

    def skip(self, n: int) -> int:
        """Bytes that were missing."""
        while n and (data := self.read(min(n, PIECE))):
            n -= len(data)
        return n


class _Part:
    """The next `size` bytes of a stream as a file of their own."""

    def __init__(self, stream: _Counted, size: int, name: str) -> None:
        self._stream, self.left, self._name = stream, size, name

    def read(self, n: int, /) -> bytes:
        if not self.left:
            return b""
        data = self._stream.read(min(n, self.left))
        self.left -= len(data)
        if self.left and len(data) < n:
            detail = f"the tar member {self._name} lacks {self.left} bytes"
            raise StreamError("truncated", detail, offset=self._stream.position)
        return data


def tar_members(stream: Readable, caps: Caps = DEFAULT) -> Iterator[Member | Refused]:
    """Regular files of a tar stream (ustar, GNU long names, pax), in order."""
    source, longname, count, lost = _Counted(stream), "", 0, False
    pax: dict[str, Any] = {}
    while True:
        offset, block = source.position, source.read(BLOCK)
        if len(block) < BLOCK:
            detail = "the tar archive has no end-of-archive blocks" if offset else "not a tar archive"
            raise StreamError("truncated" if offset or block else "empty_file", detail, offset=offset)
        if not block.strip(b"\0"):
            return _tar_end(source)
        info = _header(block)
        if info is None:
            if not offset:
                raise StreamError("wrong_format", f"not a tar archive: {shown(block)}")
            if not lost:
                yield Refused("", offset, "bad_header", f"no tar header at byte {offset}")
            lost = True
            continue
        lost, size, start = False, int(pax.pop("size", info.size)), source.position
        count += 1
        if count > caps.members:
            raise StreamError("bomb", f"more than {caps.members} members", offset=offset)
        if info.type in (b"L", b"K", b"x", b"g"):
            if size > 1 << 20:
                yield Refused(info.name, offset, "bad_header", f"an extended header of {size} bytes")
                _past(source, start, size)
                continue
            data = source.read(size)
            longname = data.rstrip(b"\0").decode("utf-8", "surrogateescape") if info.type == b"L" else longname
            pax = _pax(data) if info.type == b"x" else pax
            _past(source, start, size)
            continue
        name, longname, pax = label(pax.get("path") or longname or info.name), "", {}
        if reason := _refusal(info.type, size, caps):
            yield Refused(name, offset, reason, f"the tar member {name} is not a plain file" if size >= 0 else "size")
        elif info.type in (b"0", b"\0", b"7"):
            yield Member(name, offset, size, _Part(source, size, name))
        _past(source, start, size if info.type not in (b"1", b"2", b"3", b"4", b"5", b"6") else 0)


def _past(source: _Counted, start: int, size: int) -> None:
    """Go to the block after a member's data."""
    missing = source.skip(start + -(-size // BLOCK) * BLOCK - source.position)
    if missing:
        raise StreamError("truncated", f"the tar archive ends inside a member, {missing} bytes early", offset=start)


def _header(block: bytes) -> Any:
    import tarfile

    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    return info if info.size >= 0 else None


def _refusal(kind: bytes, size: int, caps: Caps) -> str:
    if kind in (b"1", b"2"):
        return "link"
    if kind in (b"3", b"4", b"6"):
        return "special_file"
    if kind == b"S":
        return "sparse_file"
    return "too_large" if size > caps.member_bytes else ""


def _pax(data: bytes) -> dict[str, Any]:
    """Records of a pax header: ``LENGTH KEY=VALUE\\n``; only name and size matter here."""
    found: dict[str, Any] = {}
    while match := re.match(rb"(\d{1,8}) ([^=]{1,256})=", data):
        length = int(match.group(1))
        value = data[match.end() : length - 1]
        if match.group(2) == b"path":
            found["path"] = value.decode("utf-8", "surrogateescape")
        elif match.group(2) == b"size" and value.isdigit() and len(value) < 20:
            found["size"] = int(value)
        if length <= match.end():
            break
        data = data[length:]
    return found


def _tar_end(source: _Counted) -> None:
    """After one block of zeros: a second one, whatever fills the last record of 20 blocks, then only zeros.

    Old programs left the rest of the record as it was in their memory; what comes after it is no padding.
    """
    second = source.read(BLOCK)
    if len(second) < BLOCK:
        raise StreamError("truncated", "half of the tar archive's end mark is missing", offset=source.position)
    if second.strip(b"\0"):
        found = shown(second.lstrip(b"\0"))
        raise StreamError("trailing_garbage", f"after the tar archive: {found}", offset=source.position)
    source.skip(-source.position % (20 * BLOCK))
    while rest := source.read(1 << 16):
        if rest.strip(b"\0"):
            found = shown(rest.lstrip(b"\0"))
            raise StreamError("trailing_garbage", f"after the tar archive: {found}", offset=source.position)


def shown(data: bytes) -> str:
    from pilebuilder.ledger import context

    return repr(context(data[:40]))


# zip -----------------------------------------------------------------------------------------------------------------


class Budget:
    """Stops a member that grows out of proportion while it is decoded."""

    def __init__(self, name: str, packed: int, caps: Caps) -> None:
        self.name, self.packed, self.caps, self.total = name, max(packed, 1), caps, 0

    def passed(self, data: bytes) -> bytes:
        self.total += len(data)
        if self.total > self.caps.member_bytes:
            raise StreamError("too_large", f"member {self.name}: more than {self.caps.member_bytes} bytes")
        limit = self.caps.ratio if self.total > self.caps.window else self.caps.total_ratio
        if self.total > 1 << 20 and self.total > limit * self.packed:
            raise StreamError("bomb", f"member {self.name}: {self.total} bytes out of {self.packed}")
        return data


class _Entry:
    """One zip member being decoded; errors of `zipfile` come out as `StreamError`."""

    def __init__(self, archive: Any, info: Any, caps: Caps) -> None:
        self._archive, self._info = archive, info
        self._file: Any = None
        self._budget = Budget(info.filename, info.compress_size, caps)

    def read(self, n: int, /) -> bytes:
        import lzma
        import zipfile
        import zlib

        try:
            self._file = self._file or self._archive.open(self._info)
            return self._budget.passed(self._file.read(min(n, PIECE)))
        except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError) as error:
            detail = f"member {label(self._info.filename)}: {error}"
        except (NotImplementedError, RuntimeError, UnicodeDecodeError, struct.error) as error:
            detail = f"member {label(self._info.filename)} cannot be read: {error}"
        raise StreamError("corrupt", detail, offset=self._info.header_offset)


def zip_members(path: Path | BinaryIO, caps: Caps = DEFAULT) -> Iterator[Member | Refused]:
    """Files of a zip archive in the order of its directory. `Member.read` raises for that member only."""
    import zipfile

    with path.open("rb") if isinstance(path, Path) else path as file:
        count = _directory(file, caps)
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, struct.error) as error:
            raise StreamError("corrupt", f"the zip directory cannot be read: {error}") from None
        if len(archive.infolist()) != count:
            raise StreamError("corrupt", f"{len(archive.infolist())} entries in a zip directory of {count}")
        end = 0
        for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
            if info.header_offset < end:
                raise StreamError("bomb", f"zip members overlap at byte {info.header_offset}")
            end = info.header_offset + 30 + info.compress_size
        for info in archive.infolist():
            if info.is_dir():
                continue
            name, mode = label(info.filename), info.external_attr >> 16
            if info.flag_bits & 1:
                yield Refused(name, info.header_offset, "encrypted", f"the zip member {name} is encrypted")
            elif mode & 0xF000 not in (0, 0x8000):
                yield Refused(name, info.header_offset, "link", f"the zip member {name} is not a plain file")
            else:
                yield Member(name, info.header_offset, info.file_size, _Entry(archive, info, caps))


def _directory(file: BinaryIO, caps: Caps) -> int:
    """Entries that the archive declares; checked before `zipfile` builds an object for each (APPNOTE 4.3.16)."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(64)
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) - at < 22:
        if not head:
            raise StreamError("empty_file", "the file holds no byte")
        if head.startswith(b"PK"):
            raise StreamError("truncated", "the zip archive has no central directory", offset=size)
        raise StreamError("wrong_format", f"not a zip archive: {shown(head)}")
    count, length, start, comment = struct.unpack_from("<HIIH", tail, at + 10)
    after = len(tail) - at - 22 - comment
    if after:
        reason = "truncated" if after < 0 else "trailing_garbage"
        raise StreamError(
            reason, f"{abs(after)} bytes {'missing' if after < 0 else 'too many'} after the zip directory"
        )
    if 0xFFFF in (count,) or 0xFFFFFFFF in (length, start):
        return _directory64(file, size - len(tail) + at, caps)
    if count > caps.members:
        raise StreamError("bomb", f"more than {caps.members} zip members")
    if start + length != size - len(tail) + at:
        raise StreamError("corrupt", "the zip directory is not where the archive says")
    return int(count)


def _directory64(file: BinaryIO, end: int, caps: Caps) -> int:
    file.seek(max(0, end - 20))
    locator = file.read(20)
    if locator[:4] != b"PK\6\7":
        raise StreamError("corrupt", "the zip64 locator is missing")
    file.seek(struct.unpack_from("<Q", locator, 8)[0])
    record = file.read(56)
    if record[:4] != b"PK\6\6":
        raise StreamError("corrupt", "the zip64 directory record is missing")
    count = struct.unpack_from("<Q", record, 32)[0]
    if count > caps.members:
        raise StreamError("bomb", f"more than {caps.members} zip members")
    return int(count)
