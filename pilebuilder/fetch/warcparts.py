"""Cutting crawl archives at record boundaries: the complete gzip members at the beginning of a piece of a file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 1 << 20
MEMBER_LIMIT = 1 << 30
"""Decoded bytes of one member above which a file is no crawl archive but a bomb."""


def whole_members(stream: BinaryIO) -> tuple[int, int]:
    """Bytes taken by the complete gzip members at the start of a stream, and how many there are.

    Raises ValueError when the stream does not begin with a gzip member, or a member unpacks to more than 1 GiB.
    """
    end = count = at = 0
    unpack = zlib.decompressobj(31)
    size = 0
    for block in _blocks(stream):
        at += len(block)
        while block:
            try:
                size += len(unpack.decompress(block, BLOCK))
            except zlib.error as error:
                if not count and not end:
                    raise ValueError(f"not a gzip member: {error}") from None
                return end, count
            if size > MEMBER_LIMIT:
                raise ValueError(f"a member unpacks to more than {MEMBER_LIMIT} bytes")
            if unpack.eof:
                block = unpack.unused_data
                end, count = at - len(block), count + 1
                unpack, size = zlib.decompressobj(31), 0
            else:
                block = unpack.unconsumed_tail
    return end, count


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def payload_headers(record: bytes) -> tuple[dict[str, str], bytes]:
    """HTTP headers (lower case) and the beginning of the body of one gzipped response record; empty if it is none."""
    try:
        content = zlib.decompressobj(31).decompress(record, 256 << 10)
    except zlib.error:
        return {}, b""
    _, _, http = content.partition(b"\r\n\r\n")
    head, _, body = http.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not lines[0].startswith("HTTP/"):
        return {}, b""
    pairs = (line.partition(":") for line in lines[1:])
    return {name.strip().lower(): value.strip() for name, colon, value in pairs if colon}, body
