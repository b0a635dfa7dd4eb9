"""Frames: independently readable, seekable, and cut by the lines alone."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.frames import FrameWriter
from tests.shard.reading import content


def write(path: Path, batches: list[list[bytes]], frame: int) -> bytes:
    with FrameWriter(path, frame, 3) as out:
        for lines in batches:
            data = np.frombuffer(b"".join(lines), np.uint8).copy()
            out.write(data, np.cumsum([0, *map(len, lines)]))
            data[:] = 0  # the writer must not keep what the caller may reuse
    return path.read_bytes()


def frames(raw: bytes) -> list[bytes]:
    """Frames by the seek table, read as the format's description says."""
    count, descriptor, magic = struct.unpack("<IBI", raw[-9:])
    assert magic == 0x8F92EAB1
    assert descriptor == 0
    size = 8 * count + 9
    assert struct.unpack("<II", raw[-size - 8 : -size]) == (0x184D2A5E, size)
    at, found = 0, []
    for packed, plain in struct.iter_unpack("<II", raw[-size:-9]):
        piece = zstandard.ZstdDecompressor().decompress(raw[at : at + packed])
        assert len(piece) == plain
        assert zstandard.get_frame_parameters(raw[at : at + packed]).has_checksum
        found.append(piece)
        at += packed
    assert at == len(raw) - size - 8
    return found


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(1, 300), max_size=12), max_size=6), st.integers(1, 700))
def test_frames_hold_whole_lines_and_do_not_depend_on_batches(sizes: list[list[int]], frame: int) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        batches = [[b"x" * (n - 1) + b"\n" for n in batch] for batch in sizes]
        raw = write(Path(folder) / "a", batches, frame)
        assert raw == write(Path(folder) / "b", [[line for batch in batches for line in batch]], frame)
        found, whole = frames(raw), b"".join(b"".join(b) for b in batches)
        assert b"".join(found) == whole == content(Path(folder) / "a")
        assert all(f.endswith(b"\n") for f in found if f)
        for piece in found[:-1]:  # full, and no line more than it takes
            assert len(piece) >= frame > len(piece) - len(piece.splitlines(keepends=True)[-1])


def test_a_file_without_lines_is_valid(tmp_path: Path) -> None:
    assert frames(write(tmp_path / "empty", [], 100)) == [b""]


def test_a_flipped_byte_is_noticed(tmp_path: Path) -> None:
    raw = bytearray(write(tmp_path / "a", [[b"some text that does not repeat 0123456789\n"] * 3], 100))
    raw[20] ^= 1
    with pytest.raises(zstandard.ZstdError):
        zstandard.ZstdDecompressor().stream_reader(bytes(raw), read_across_frames=True).read()


def test_a_line_above_the_format_limit_spans_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilebuilder.frames.LARGEST_FRAME", 1000)
    raw = write(tmp_path / "a", [[b"y" * 2500 + b"\n", b"z\n"]], 10)
    assert [len(f) for f in frames(raw)] == [1000, 1000, 501, 2]
