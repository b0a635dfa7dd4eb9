"""EPUB and books: reading order, rendering, trimming, protection, hostile and broken zips."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from pathlib import Path

import pytest

from pilebuilder.read.archives import Caps, Member, Refused, label, zip_members
from pilebuilder.read.books import Books
from pilebuilder.read.epub import Epub, trimmed
from pilebuilder.read.streams import StreamError
from tests.read.hostile import (
    CANARY,
    assert_cuts_are_detected,
    assert_flips_are_survived,
    assert_wrong_files_are_named,
    read,
    reasons,
    records,
    skipped,
)
from tests.read.test_jats import archive

CONTAINER = '<?xml version="1.0"?><container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="OPS/package.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
OPF = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>The Book</dc:title><dc:creator>Ann Roe</dc:creator><dc:creator>Bo</dc:creator>
<dc:language>en</dc:language><dc:identifier id="i">urn:x</dc:identifier><dc:date>2011-09-01</dc:date><dc:rights>CC BY-SA 3.0</dc:rights></metadata>
<manifest><item id="two" href="Two%20b.xhtml" media-type="application/xhtml+xml"/><item id="one" href="one.xhtml" media-type="application/xhtml+xml"/>
<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/><item id="side" href="side.xhtml" media-type="application/xhtml+xml"/>
<item id="pic" href="p.svg" media-type="image/svg+xml"/><item id="loose" href="loose.xhtml" media-type="application/xhtml+xml"/><item id="gone" href="gone.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="nav"/><itemref idref="one"/><itemref idref="two"/><itemref idref="side" linear="no"/><itemref idref="pic"/><itemref idref="nowhere"/><itemref idref="gone"/></spine></package>"""


def page(body: str, head: str = '<?xml version="1.0" encoding="utf-8"?>\n<!DOCTYPE html>\n') -> str:
    return f'{head}<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>T</title></head><body>{body}</body></html>'


ONE = page('<h1>Chapter <i>I</i></h1><p>First&nbsp;line<br/>second &mdash; <a href="x">link</a>.<span epub:type="pagebreak">12</span></p><img src="a"/>'
           "<table><tr><td>a</td><td>b</td></tr></table><ol><li>x</li><li>y</li></ol>")  # fmt: skip
TWO = page(
    "<h2>Chapter II</h2><div>verse one</div><div>verse two</div><p>漢<ruby>字<rt>じ</rt></ruby>… end</p><script>var x;</script>"
)
FILES = {
    "mimetype": "application/epub+zip", "META-INF/container.xml": CONTAINER, "OPS/package.opf": OPF, "OPS/two B.xhtml": TWO,
    "OPS/one.xhtml": ONE, "OPS/nav.xhtml": page("<nav><ol><li>Contents</li></ol></nav>"), "OPS/side.xhtml": page("<p>Side.</p>"),
    "OPS/loose.xhtml": page("<p>Loose.</p>"), "OPS/p.svg": "<svg/>",
}  # fmt: skip
GOLDEN = """Chapter I

First line
second — link.

a | b

1. x
2. y

Chapter II

verse one
verse two

漢字… end"""


def book(changes: dict[str, str | bytes | None] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (FILES | (changes or {})).items():
            if data is not None:
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def test_golden_rendering(tmp_path: Path) -> None:
    data = book()
    [found] = records(read(Epub(), data, "a.epub", tmp_path))
    assert found.text == GOLDEN
    assert found.key == f"epub:{hashlib.sha256(data).hexdigest()[:16]}"
    assert (found.date, found.licence) == ("2011-09-01", "CC-BY-SA-3.0")
    assert found.meta == {
        "title": "The Book", "creators": ["Ann Roe", "Bo"], "language": "en", "identifier": "urn:x", "date": "2011-09-01",
        "rights": "CC BY-SA 3.0", "version": "3.0", "spine_items": 7, "missing": ["gone.xhtml"],
    }  # fmt: skip


def test_the_pile_rendering(tmp_path: Path) -> None:
    [found] = records(read(Epub(style="pile"), book(), "a.epub", tmp_path))
    assert found.text.startswith("1. Contents\n\n# Chapter I\n\nFirst line\nsecond — link.12")
    assert "字じ... end" in found.text
    assert found.text.endswith("Side.\n\nLoose.")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings_and_broken_markup(tmp_path: Path, encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    one = page("<p>café<p>unclosed & <b>bold", head).encode(encoding)
    [found] = records(read(Epub(), book({"OPS/one.xhtml": one}), "a.epub", tmp_path))
    assert found.text.startswith("café\n\nunclosed & bold\n\nChapter II")


def test_protection_and_empty_books(tmp_path: Path) -> None:
    def encryption(algorithm: str) -> str:
        return f'<encryption xmlns="urn:x" xmlns:e="http://www.w3.org/2001/04/xmlenc#"><e:EncryptedData><e:EncryptionMethod Algorithm="{algorithm}"/></e:EncryptedData></encryption>'

    fonts = book({"META-INF/encryption.xml": encryption("http://www.idpf.org/2008/embedding")})
    locked = book({"META-INF/encryption.xml": encryption("http://www.w3.org/2001/04/xmlenc#aes128-cbc")})
    assert len(records(read(Epub(), fonts, "a.epub", tmp_path))) == 1
    assert skipped(read(Epub(), locked, "a.epub", tmp_path)) == {"drm": 1}
    empty = book({"OPS/one.xhtml": page("<img/>"), "OPS/two B.xhtml": page("")})
    assert skipped(read(Epub(), empty, "a.epub", tmp_path)) == {"no_text": 1}


def test_package_without_container_and_without_spine(tmp_path: Path) -> None:
    assert len(records(read(Epub(), book({"META-INF/container.xml": None}), "a.epub", tmp_path))) == 1
    for changes in (
        {"OPS/package.opf": None},
        {"OPS/package.opf": "<package/>"},
        {"OPS/package.opf": None, "META-INF/container.xml": None},
    ):
        assert reasons(read(Epub(), book(changes), "a.epub", tmp_path)) == ["wrong_format"]
    assert reasons(read(Epub(), book({"OPS/package.opf": OPF[:-40]}), "a.epub", tmp_path)) == ["truncated"]


def test_trimming() -> None:
    body = [f"Paragraph {k} of the story, which goes on." for k in range(100)]
    front = ["Title", "Smashwords Edition", "Copyright 2010 Ann Roe", "Chapter 1"]
    after = ["About the Author", "Ann Roe lives.", "Connect with me online"]
    assert trimmed("\n\n".join(front + body + after)).split("\n\n") == ["Title", "Chapter 1", *body]
    inside = [*body[:50], "About the Author", "All rights reserved", *body[50:]]
    assert trimmed("\n\n".join(inside)).split("\n\n") == inside
    assert trimmed("One.") == "One."


def test_cuts_flips_and_wrong_files(tmp_path: Path) -> None:
    assert_cuts_are_detected(Epub(), book(), "a.epub", tmp_path)
    assert_flips_are_survived(Epub(), book(), "a.epub", tmp_path, 150)
    assert_wrong_files_are_named(Epub(), "a.epub", tmp_path)
    assert reasons(read(Epub(), book() + b"more", "a.epub", tmp_path)) == ["trailing_garbage"]
    assert reasons(read(Epub(), book() + book(), "a.epub", tmp_path)) == ["corrupt"]


def test_hostile_books(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY)
    entity = f'<!DOCTYPE p [<!ENTITY x SYSTEM "file://{secret}">]>'
    assert reasons(read(Epub(), book({"OPS/package.opf": entity + OPF[21:]}), "a.epub", tmp_path)) == ["xml_entities"]
    [found] = records(read(Epub(), book({"OPS/one.xhtml": page("<p>&x;</p>", entity)}), "a.epub", tmp_path))
    assert CANARY not in found.text
    [found] = records(
        read(Epub(), book({"OPS/package.opf": OPF.replace("one.xhtml", f"../../../..{secret}")}), "a.epub", tmp_path)
    )
    assert CANARY not in found.text
    assert f"../../../..{secret}" in found.meta["missing"]
    assert reasons(read(Epub(), book({"OPS/one.xhtml": "a" * (130 << 20)}), "a.epub", tmp_path)) == ["bomb"]


def zipped(entries: list[tuple[zipfile.ZipInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for info, data in entries:
            archive.writestr(info, data)
    return out.getvalue()


def members(data: bytes, **caps: int) -> list[Member | Refused]:
    return list(zip_members(io.BytesIO(data), Caps(**caps)))


def test_zip_members_are_labels_and_files_only() -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    entries = [(zipfile.ZipInfo(name), b"x") for name in ("../up", "/abs", "C:\\win\\a", "a\\..\\b", "dir/")] + [
        (link, b"/etc/passwd")
    ]
    found = members(zipped(entries))
    assert [item.name for item in found] == ["up", "abs", "win/a", "a/b", "link"]
    assert isinstance(found[-1], Refused)
    assert label("a/\x1b[31m\n/b") == "a/?[31m?/b"


def test_zip_bombs_and_lies() -> None:
    plain = zipped([(zipfile.ZipInfo(f"f{k}"), b"x" * 50) for k in range(4)])
    with pytest.raises(StreamError, match="bomb"):
        members(plain, members=3)
    start = struct.unpack_from("<I", plain, len(plain) - 6)[0]
    overlapping = bytearray(plain)
    first = plain.index(b"PK\1\2", start)
    second = plain.index(b"PK\1\2", first + 4)
    struct.pack_into("<I", overlapping, second + 42, struct.unpack_from("<I", plain, first + 42)[0])
    with pytest.raises(StreamError, match="overlap"):
        members(bytes(overlapping))
    encrypted = bytearray(plain)
    encrypted[first + 8] |= 1
    assert [item.reason for item in members(bytes(encrypted)) if isinstance(item, Refused)] == ["encrypted"]
    many = bytearray(plain)
    struct.pack_into("<HH", many, len(plain) - 14, 65_000, 65_000)
    with pytest.raises(StreamError, match="corrupt"):
        members(bytes(many))


def test_books_take_epub_text_and_archives(tmp_path: Path) -> None:
    text = "It was a dark night.\r\n" * 100
    [plain] = records(read(Books(), text.encode(), "b/Dark Night.txt", tmp_path))
    assert plain.text == text.replace("\r\n", "\n")
    assert (plain.licence, plain.meta["title"]) == ("unknown-local", "Dark Night")
    [same] = records(read(Books(), text.replace("\r\n", "\n").encode("utf-16"), "c.txt", tmp_path))
    assert same.key == plain.key
    [epub] = records(read(Books(), book(), "x.epub", tmp_path))
    assert (epub.text, epub.licence) == (GOLDEN, "CC-BY-SA-3.0")
    files = {"l/a.txt": text.encode("latin-1"), "l/b.epub": book(), "l/short.txt": b"x", "l/c.jpg": b"x", "l/bin.txt": b"\0" * 2000,
             "l/err.txt": b"<!DOCTYPE html><html>" + b" " * 2000, "l/bad.epub": b"no zip"}  # fmt: skip
    items = read(Books(), archive(files), "all.tar.gz", tmp_path)
    assert [item.key for item in records(items)] == [plain.key, epub.key]
    assert skipped(items) == {"too_short": 1, "not_named": 1, "binary": 1}
    assert reasons(items) == ["wrong_format", "wrong_format"]
    assert_cuts_are_detected(Books(), text.encode(), "t.txt", tmp_path, by_length=True)
    assert_cuts_are_detected(
        Books(), archive(files | {"l/err.txt": b"", "l/bad.epub": book()}), "all.tar.gz", tmp_path
    )
