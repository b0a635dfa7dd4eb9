"""Lines out of a stream: blocks of whole lines, in one buffer that is used again and again.

A fresh buffer for each block would cost more than what is done with it: the system hands out zeroed pages one fault
at a time. Memory is one block, or twice the longest line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

BLOCK = 4 << 20
"""Bytes of lines in a block, unless one line is longer."""
PAD = 16
"""Bytes that may be read, and hold nothing, after the lines of a block."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, each with its newline (a last line without one gets one); valid until the next is asked for."""

    buffer: np.ndarray
    """Bytes (uint8); it may be written to."""
    size: int
    """How many of them are lines; at least `PAD` more are there."""
    offset: int
    """Byte of the stream at which they begin."""

    def data(self) -> bytes:
        """A copy of the lines."""
        return self.buffer[: self.size].tobytes()


@dataclass(frozen=True, slots=True)
class Oversize:
    """A line above the limit, which was passed over."""

    size: int
    """Bytes seen of it when it was given up."""
    offset: int


def line_blocks(pieces: Iterator[bytes], limit: int) -> Iterator[Block | Oversize]:
    """Lines in blocks. When the stream breaks, the lines that were whole are given before its error goes on."""
    held = np.empty(1 << 16, np.uint8)
    size = end = offset = 0  # bytes held, how many of them are whole lines, where in the stream they begin
    passing, error = False, None
    while True:
        try:
            piece = next(pieces, b"")
        except Exception as problem:
            piece, error = b"", problem
        if passing and piece:
            cut = piece.find(b"\n") + 1
            offset += cut or len(piece)
            passing = not cut
            piece = piece[cut:] if cut else b""
            if not piece:
                continue
        held = _room(held, size, size + len(piece) + 1 + PAD)
        held[size : size + len(piece)] = np.frombuffer(piece, np.uint8)
        if newline := piece.rfind(b"\n") + 1:
            end = size + newline
        size += len(piece)
        if piece and size < BLOCK:
            continue
        if not piece and not error and size > end:
            held[size] = 10
            size = end = size + 1
        if end:
            yield Block(held, end, offset)
            rest = size - end
            held[:rest] = held[end:size]
            offset, size, end = offset + end, rest, 0
        if size > limit:
            yield Oversize(size, offset)
            offset, size, passing = offset + size, 0, True
        if not piece:
            if error:
                raise error
            return


def _room(held: np.ndarray, size: int, needed: int) -> np.ndarray:
    """The buffer, or a larger one with the same first bytes."""
    if needed <= len(held):
        return held
    larger = np.empty(max(needed, 2 * len(held), BLOCK), np.uint8)
    larger[:size] = held[:size]
    return larger


def lines(pieces: Iterator[bytes], limit: int) -> Iterator[tuple[bytes, int] | Oversize]:
    """Each line that is not blank, without its newline, and its offset."""
    for block in line_blocks(pieces, limit):
        if isinstance(block, Oversize):
            yield block
            continue
        at = block.offset
        for line in block.data().split(b"\n"):
            if line and not line.isspace():
                yield line, at
            at += len(line) + 1
