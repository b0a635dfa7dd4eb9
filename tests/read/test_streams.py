"""Streams: what comes out is what went in, every end is proven, bombs meet a limit before they meet the memory."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.read.members import Member, gzip_members
from pilebuilder.read.streams import Limits, StreamError, blocks, decode, kind_of, open_stream

DATA = b"".join(b"line %d of the text\n" % k for k in range(30_000))
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda d: d,
    "zstd": zstandard.ZstdCompressor(level=3).compress,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}


def out(data: bytes, name: str = "", limits: Limits | None = None) -> bytes:
    return b"".join(decode(io.BytesIO(data), expect=name, limits=limits or Limits()))


def failure(data: bytes, name: str = "", limits: Limits | None = None) -> StreamError:
    with pytest.raises(StreamError) as caught:
        out(data, name, limits)
    return caught.value


@pytest.mark.parametrize("kind", PACKERS)
def test_round_trip_and_kind(kind: str, tmp_path: Path) -> None:
    packed = PACKERS[kind](DATA)
    assert kind_of(packed[:64]) == kind
    path = tmp_path / "file.txt"
    path.write_bytes(packed)
    assert b"".join(blocks(path)) == DATA
    with open_stream(path) as stream:
        assert stream.read() == DATA


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=4000), min_size=1, max_size=6), st.sampled_from(sorted(PACKERS)))
def test_members_one_after_the_other(parts: list[bytes], kind: str) -> None:
    if kind != "plain":
        assert out(b"".join(map(PACKERS[kind], parts))) == b"".join(parts)


def test_zstd_frames_of_every_header_shape() -> None:
    for size in (0, 1, 200, 300, 70_000, 600_000):
        data = (DATA + DATA)[:size]
        for checksum in (True, False):
            for known in (True, False):
                packer = zstandard.ZstdCompressor(level=1, write_checksum=checksum, write_content_size=known)
                stream = packer.compressobj(size=size if known else -1)
                packed = stream.compress(data) + stream.flush()
                assert out(packed, limits=Limits()) == data
                for cut in {1, 3, 5, len(packed) // 2, len(packed) - 1}:
                    if 0 < cut < len(packed):
                        assert failure(packed[:cut], "a.zst").reason in ("truncated", "wrong_format")


def test_skippable_frames_are_passed_over() -> None:
    skip = b"\x50\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"abcde"
    packed = PACKERS["zstd"](DATA)
    assert out(skip + packed + skip + packed) == DATA * 2
    assert failure(skip + packed + skip[:-2]).reason == "truncated"


def test_a_zstd_window_of_two_gib_is_asked_for() -> None:
    params = zstandard.ZstdCompressionParameters(window_log=31, compression_level=1, enable_ldm=False)
    stream = zstandard.ZstdCompressor(compression_params=params).compressobj()
    packed = stream.compress(b"x" * 1000) + stream.flush()
    error = failure(packed)
    assert error.reason == "window_too_large"
    assert "window_log" in error.detail
    assert out(packed, limits=Limits(window_log=31)) == b"x" * 1000


@pytest.mark.parametrize("kind", ["zstd", "gzip", "bzip2", "xz"])
def test_what_comes_before_a_cut_is_delivered_and_the_error_says_where(kind: str) -> None:
    packed = PACKERS[kind](DATA)
    got, error = [], None
    try:
        for block in decode(io.BytesIO(packed[: len(packed) * 3 // 4])):
            got.append(block)
    except StreamError as caught:
        error = caught
    whole = b"".join(got)
    assert error is not None
    assert error.reason == "truncated"
    assert error.offset == len(whole)
    assert DATA.startswith(whole)
    if kind == "gzip":
        assert whole


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_a_read_that_meets_the_cut_gives_what_there_was_and_the_error_comes_next(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(PACKERS[kind](DATA[:4000]) + PACKERS[kind](DATA)[:-9])
    with open_stream(path) as stream:
        assert stream.read(100) == DATA[:100]
        rest = stream.read(1 << 24)
        assert rest.startswith(DATA[100:4000])
        for _ in range(2):
            with pytest.raises(StreamError, match="truncated"):
                stream.read(10)


@pytest.mark.parametrize("kind", ["zstd", "gzip", "bzip2", "xz"])
def test_garbage_after_the_end(kind: str) -> None:
    packed = PACKERS[kind](DATA)
    assert failure(packed + b"garbage").reason == "trailing_garbage"
    if kind == "zstd":
        assert failure(packed + bytes(100)).reason == "trailing_garbage"
    else:
        assert out(packed + bytes(100)) == DATA


def test_names_that_lie() -> None:
    assert failure(b"<html>not found</html>", "dump.zst").reason == "wrong_format"
    assert out(PACKERS["gzip"](DATA), "dump.txt") == DATA
    assert failure(b"").reason == "empty_file"


@pytest.mark.parametrize("kind", ["zstd", "gzip", "bzip2", "xz"])
def test_bombs(kind: str) -> None:
    bomb = PACKERS[kind](bytes(10 << 20)) * 20
    tracemalloc.start()
    try:
        with pytest.raises(StreamError, match="bomb"):
            for _ in decode(io.BytesIO(bomb)):
                pass
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def test_floods_of_empty_members() -> None:
    for kind in ("zstd", "gzip"):
        assert failure(PACKERS[kind](b"") * 20_000).reason == "bomb"
    assert failure(DATA, limits=Limits(max_bytes=1000)).reason == "too_large"


def test_dictionaries_are_refused_by_name() -> None:
    book = zstandard.train_dictionary(1000, [DATA[k : k + 200] for k in range(0, 60_000, 200)])
    assert failure(zstandard.ZstdCompressor(dict_data=book).compress(DATA)).reason == "needs_dictionary"


def test_members_of_gzip_go_on_after_a_corrupt_one() -> None:
    parts = [b"REC %d " % k + DATA[k * 50 : k * 50 + 3000] for k in range(5)]
    packed = [gzip.compress(p) for p in parts]
    broken = bytearray(packed[2])
    broken[40] ^= 0xFF
    found, errors = [], 0
    for member in gzip_members(
        io.BytesIO(b"".join([*packed[:2], bytes(broken), *packed[3:]])), lambda t: t.startswith(b"REC")
    ):
        assert isinstance(member, Member)
        try:
            found.append(b"".join(member.pieces))
        except StreamError:
            errors += 1
    assert (found, errors) == ([parts[0], parts[1], parts[3], parts[4]], 1)
