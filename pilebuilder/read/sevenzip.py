"""7z archives as streams of members: decoded folder by folder in blocks of 1 MiB, checked against the stored CRC.

py7zr (LGPL-2.1) reads the directory and holds the codecs; its own extraction writes to a path or hands out blocks of
up to 128 MB, so the loop that pulls bytes out of a folder is here.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from pilebuilder.read.archives import DEFAULT, PIECE, Budget, Caps, Member, Refused, label, shown
from pilebuilder.read.streams import StreamError


class _Packed:
    """One 7z member: the next `size` bytes that its folder's decoder gives, checked against the stored CRC."""

    def __init__(self, file: Any, entry: Any, name: str, budget: Budget) -> None:
        self._file, self._entry, self._name, self._budget = file, entry, name, budget
        self.left, self._crc = int(entry.uncompressed), 0
        self._held = b""

    def read(self, n: int, /) -> bytes:
        from zlib import crc32

        if not self.left:
            return b""
        data = b""
        try:
            decoder = self._entry.folder.get_decompressor(self._entry.compressed)
            while not data:
                before = self._file.tell()
                data = decoder.decompress(self._file, min(self.left, n, PIECE))
                if not data and self._file.tell() == before:
                    raise EOFError("the packed data end early")
        except Exception as error:  # each codec (LZMA, PPMd, BZip2, Zstandard) raises its own kinds
            raise StreamError("corrupt", f"7z member {self._name}: {error!r}") from None
        self.left -= len(data)
        self._crc = crc32(data, self._crc)
        if not self.left and self._entry.crc32 is not None and self._crc != self._entry.crc32:
            raise StreamError("corrupt", f"7z member {self._name}: checksum mismatch")
        return self._budget.passed(data)


def seven_members(path: Path, caps: Caps = DEFAULT) -> Iterator[Member | Refused]:
    """Files of a 7z archive in packed order; a member that is not read to its end is decoded and thrown away."""
    import py7zr

    with path.open("rb") as file:
        _signature(file)
        try:
            archive = py7zr.SevenZipFile(file)
        except Exception as error:  # whatever the parsers and codecs inside raise for damaged bytes
            raise StreamError("corrupt", f"the 7z header cannot be read: {error!r}") from None
        with archive:
            if archive.needs_password():
                raise StreamError("encrypted", "the 7z archive is encrypted")
            entries = list(archive.files)
            if len(entries) > caps.members:
                raise StreamError("bomb", f"more than {caps.members} 7z members")
            streams = archive.header.main_streams
            starts = [archive.afterheader + p for p in streams.packinfo.packpositions] if streams else []
            yield from _folders(file, entries, starts, path.stat().st_size, caps)


def _folders(file: Any, entries: list[Any], starts: list[int], size: int, caps: Caps) -> Iterator[Member | Refused]:
    current: Any = None
    index = -1
    for entry in entries:
        name = label(str(entry.filename))
        if entry.is_directory or entry.emptystream:
            continue
        if entry.folder is not current:
            current, index = entry.folder, index + 1
            file.seek(starts[index])
        part = _Packed(file, entry, name, Budget(name, size, caps))
        if entry.is_symlink or entry.is_junction or entry.is_socket:
            yield Refused(name, starts[index], "link", f"the 7z member {name} is not a plain file")
        else:
            yield Member(name, starts[index], part.left, part)
        while part.read(PIECE):
            pass


def _signature(file: BinaryIO) -> None:
    """The 7z start header: magic, and where the end header lies, so that a cut file is known before it is parsed."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    head = file.read(32)
    if not head:
        raise StreamError("empty_file", "the file holds no byte")
    if head[:6] != b"7z\xbc\xaf\x27\x1c"[: len(head)]:
        raise StreamError("wrong_format", f"not a 7z archive: {shown(head)}")
    if len(head) < 32:
        raise StreamError("truncated", "the 7z start header is cut", offset=size)
    offset, length = struct.unpack_from("<QQ", head, 12)
    end = 32 + offset + length
    if end != size:
        reason = "truncated" if end > size else "trailing_garbage"
        raise StreamError(reason, f"the 7z archive should end at byte {end}, the file has {size}", offset=size)
    file.seek(0)
