"""tar as a stream: names are labels, only plain files come out, the end is proven."""

from __future__ import annotations

import contextlib
import io
import random
import tarfile
import time
from pathlib import Path

import pytest

from pilebuilder.read.archives import DEFAULT, Caps, Member, Refused, tar_members
from pilebuilder.read.sevenzip import seven_members
from pilebuilder.read.streams import StreamError


def tar(entries: list[tuple[str, dict, bytes]], format: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, facts, data in entries:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for key, value in facts.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def contents(data: bytes, caps: Caps = DEFAULT) -> dict[str, bytes]:
    return {item.name: item.read() for item in tar_members(io.BytesIO(data), caps) if isinstance(item, Member)}


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar(format: int) -> None:
    long = "d/" * 60 + "x" * 90
    entries = [("a.txt", {}, b"one"), ("b", {}, b""), ("é/ü.txt", {}, b"z" * 1537)]
    entries += [] if format == tarfile.USTAR_FORMAT else [(long, {}, b"long"), ("after", {}, b"!")]
    found = contents(tar(entries, format))
    assert found == {name: data for name, _, data in entries}
    again = [item.read(1) for item in tar_members(io.BytesIO(tar(entries, format))) if isinstance(item, Member)]
    assert again[0] == b"o"


def test_hostile_members_never_leave() -> None:
    entries = [
        ("../../etc/passwd", {}, b"x"), ("/abs", {}, b"y"), ("./a/../b", {}, b"z"), ("link", {"type": tarfile.SYMTYPE, "linkname": "/etc"}, b""),
        ("link/inside", {}, b"w"), ("hard", {"type": tarfile.LNKTYPE, "linkname": "../../x"}, b""), ("dev", {"type": tarfile.CHRTYPE}, b""),
        ("fifo", {"type": tarfile.FIFOTYPE}, b""), ("dir", {"type": tarfile.DIRTYPE}, b""), ("n\n\x1b[2J", {}, b"v"), ("a", {}, b"1"), ("a", {}, b"2"),
    ]  # fmt: skip
    items = list(tar_members(io.BytesIO(tar(entries))))
    assert [item.name for item in items if isinstance(item, Member)] == [
        "etc/passwd",
        "abs",
        "a/b",
        "link/inside",
        "n??[2J",
        "a",
        "a",
    ]
    assert [(item.name, item.reason) for item in items if isinstance(item, Refused)] == [
        ("link", "link"), ("hard", "link"), ("dev", "special_file"), ("fifo", "special_file"),
    ]  # fmt: skip


def test_size_lies() -> None:
    huge = tarfile.TarInfo("huge")
    huge.size = 1 << 40
    for data in (huge.tobuf(), huge.tobuf() + b"x" * 5000):
        with pytest.raises(StreamError, match="truncated"):
            contents(data)
    with pytest.raises(StreamError, match="too_large"):
        next(iter(tar_members(io.BytesIO(tar([("a", {}, b"x" * 5000)]))))).content(4999)  # type: ignore[union-attr]
    override = tar([("a", {"pax_headers": {"size": "3"}}, b"one")], tarfile.PAX_FORMAT)
    assert contents(override) == {"a": b"one"}
    with pytest.raises(StreamError, match="bomb"):
        contents(tar([(f"f{k}", {}, b"") for k in range(50)]), Caps(members=40))


def test_endless_empty_members_are_stopped_in_time() -> None:
    block = tarfile.TarInfo("a").tobuf()

    class Endless:
        def read(self, n: int, /) -> bytes:
            return (block * (n // 512 + 1))[:n]

    started = time.process_time()
    with pytest.raises(StreamError, match="bomb"):
        for _ in tar_members(Endless(), Caps(members=20_000)):
            pass
    assert time.process_time() - started < 10


def test_every_cut_is_known() -> None:
    data = tar([(f"{k}", {}, b"x" * k * 300) for k in range(6)])
    end = -(-len(data.rstrip(b"\0")) // 512) * 512 + 1024
    for cut in range(0, end, 128):
        with pytest.raises(StreamError) as caught:
            contents(data[:cut])
        assert caught.value.reason in ("truncated", "empty_file"), cut
    contents(data[:end])
    with pytest.raises(StreamError, match="trailing_garbage"):
        contents(data + b"more")


def test_a_damaged_header_costs_its_member() -> None:
    data = bytearray(tar([(f"f{k}", {}, bytes([65 + k]) * 700) for k in range(4)]))
    data[1536 + 130] ^= 0xFF
    items = list(tar_members(io.BytesIO(bytes(data))))
    assert [item.name for item in items if isinstance(item, Member)] == ["f0", "f2", "f3"]
    assert [item.reason for item in items if isinstance(item, Refused)] == ["bad_header"]


def test_noise_ends_with_a_reason() -> None:
    draw = random.Random(5)
    base = tar([(f"f{k}", {}, b"x" * 900) for k in range(4)], tarfile.PAX_FORMAT)
    for _ in range(400):
        data = bytearray(base)
        for _ in range(draw.randint(1, 8)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        with contextlib.suppress(StreamError):  # anything else fails the test
            contents(bytes(data))


def test_7z_links_and_members_that_are_not_read(tmp_path: Path) -> None:
    import py7zr

    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as archive:
        (tmp_path / "first.txt").write_bytes(random.Random(1).randbytes(3_000_000))
        archive.write(tmp_path / "first.txt", "first.txt")
        archive.write(tmp_path / "link", "link")
        (tmp_path / "last.txt").write_bytes(b"last")
        archive.write(tmp_path / "last.txt", "sub/last.txt")
    items = [(item.name, isinstance(item, Member)) for item in seven_members(tmp_path / "a.7z")]
    assert items == [("first.txt", True), ("link", False), ("sub/last.txt", True)]
    found = {item.name: item.read() for item in seven_members(tmp_path / "a.7z") if item.name == "sub/last.txt"}  # type: ignore[union-attr]
    assert found == {"sub/last.txt": b"last"}
