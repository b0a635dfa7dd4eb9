"""The one place where XML parsers are made: nothing outside is reached, nothing is expanded, nothing is recovered."""

from __future__ import annotations

import io
import socket
import threading
import time
from pathlib import Path

import pytest

from pilebuilder.read.xml import Split, XmlError, named, plain, splits, tree, words
from tests.read.hostile import CANARY


class Listener:
    """Counts connections to a port of this machine."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.calls = self.socket.getsockname()[1], 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.calls += 1


LAUGHS = '<!ENTITY a "ha">' + "".join(f'<!ENTITY {chr(98 + k)} "{f"&{chr(97 + k)};" * 10}">' for k in range(12))


def hostile(secret: Path, port: int) -> dict[str, bytes]:
    """Documents that try to read a file, to call out, or to grow."""
    file, net = f"file://{secret}", f"http://127.0.0.1:{port}/x.dtd"
    return {
        name: text.encode(encoding)
        for name, encoding, text in [
            ("laughs", "utf-8", f"<!DOCTYPE r [{LAUGHS}]><r>&m;</r>"),
            ("quadratic", "utf-8", f"<!DOCTYPE r [<!ENTITY a '{'x' * 100_000}'>]><r>{'&a;' * 10_000}</r>"),
            ("external", "utf-8", f"<!DOCTYPE r [<!ENTITY x SYSTEM '{file}'>]><r>&x;</r>"),
            ("external-utf16", "utf-16", f"<!DOCTYPE r [<!ENTITY x SYSTEM '{file}'>]><r>&x;</r>"),
            ("external-net", "utf-8", f"<!DOCTYPE r [<!ENTITY x SYSTEM '{net}'>]><r>&x;</r>"),
            ("public", "utf-8", f"<!DOCTYPE r [<!ENTITY x PUBLIC 'a' '{net}'>]><r>&x;</r>"),
            ("parameter", "utf-8", f"<!DOCTYPE r [<!ENTITY % p SYSTEM '{file}'> %p;]><r>&p;</r>"),
            ("hidden", "utf-8", f"<!DOCTYPE r [<!-- ]> --><?x ]> ?><!ENTITY x SYSTEM '{file}'>]><r>&x;</r>"),
            (
                "hidden-quote",
                "utf-8",
                f"<!DOCTYPE r [<!ATTLIST r a CDATA ']>'><!ENTITY x SYSTEM '{file}'>]><r>&x;</r>",
            ),
            ("before", "utf-8", f"<!-- a --><?pi b?>\n<!DOCTYPE r [<!ENTITY x SYSTEM '{file}'>]><r>&x;</r>"),
            ("ndata-name", "utf-8", f"<!DOCTYPE r [<!ENTITY x SYSTEM 'NDATA {file}'>]><r>&x;</r>"),
            (
                "utf7",
                "ascii",
                f"<?xml version='1.0' encoding='utf-7'?><!DOCTYPE r [<!ENTITY x SYSTEM '{file}'>]><r>&x;</r>",
            ),
            ("open", "utf-8", "<!DOCTYPE r [<!ENTITY a 'b'"),
            ("huge-subset", "utf-8", f"<!DOCTYPE r [{'<!ELEMENT r ANY>' * 400_000}]><r/>"),
        ]
    }


NAMES = list(hostile(Path("/x"), 1))


@pytest.mark.parametrize("name", NAMES)
def test_hostile_declarations_are_refused(tmp_path: Path, name: str) -> None:
    secret, listener = tmp_path / "secret.txt", Listener()
    secret.write_text(CANARY)
    started = time.process_time()
    with pytest.raises(XmlError) as caught:
        tree(hostile(secret, listener.port)[name], huge=True)
    assert caught.value.reason in ("xml_entities", "xml_limit", "bad_encoding", "truncated")
    assert CANARY not in str(caught.value)
    assert listener.calls == 0
    assert time.process_time() - started < 5
    listener.socket.close()


def test_a_document_type_is_cut_and_never_fetched(tmp_path: Path) -> None:
    listener = Listener()
    data = f'<?xml version="1.0"?>\n<!DOCTYPE r PUBLIC "-//X//EN" "http://127.0.0.1:{listener.port}/x.dtd">\n<r>a</r>'
    assert words(tree(data.encode())) == "a"
    drawings = (
        "<!DOCTYPE r SYSTEM 'x' [\n<!ENTITY D1 SYSTEM 'D1.TIF' NDATA TIF>\n<!NOTATION TIF SYSTEM 'y'>\n]>\n<r>b</r>"
    )
    assert words(tree(drawings.encode())) == "b"
    xinclude = '<r xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="/etc/hostname" parse="text"/>c</r>'
    assert words(tree(xinclude.encode())) == "c"
    assert listener.calls == 0
    listener.socket.close()


def test_depth_and_length_are_bounded() -> None:
    deep = b"<a>" * 100_000 + b"</a>" * 100_000
    for huge in (False, True):
        with pytest.raises(XmlError) as caught:
            tree(deep, huge=huge)
        assert caught.value.reason == "xml_limit"
    long = b'<r a="' + b"x" * 11_000_000 + b'"/>'
    with pytest.raises(XmlError) as caught:
        tree(long)
    assert caught.value.reason == "xml_limit"
    assert len(tree(long, huge=True).get("a")) == 11_000_000


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "empty"), (b"  ", "empty"), (b"text", "wrong_format"), (b"<r><a></r>", "parse_error"),
     (b"<r><a>", "truncated"), (b"<r>\xff</r>", "bad_utf8"), (b"<?xml version='1.0' encoding='x-foo'?><r/>", "bad_encoding")],
)  # fmt: skip
def test_broken_documents_are_named(data: bytes, reason: str) -> None:
    with pytest.raises(XmlError) as caught:
        tree(data)
    assert caught.value.reason == reason


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252", "us-ascii"])
def test_encodings(encoding: str) -> None:
    text = "<r>caf&#233;</r>" if encoding == "us-ascii" else "<r>café</r>"
    declared = encoding.replace("-sig", "")
    assert words(tree(f'<?xml version="1.0" encoding="{declared}"?>{text}'.encode(encoding))) == "café"


def test_names_that_a_dtd_would_define() -> None:
    data = b"<r>&nbsp;&ldquo;x&rdquo; &agr;&Ohgr; &lt;&amp;&unknown; <![CDATA[&nbsp;&x;]]></r>"
    assert words(tree(data)) == "“x” αΩ <&&unknown; &nbsp;&x;"
    assert named(b"a & b; &lt;") == b"a & b; &lt;"
    assert plain(b"\xef\xbb\xbf<?xml version='1.0'?>\n<!DOCTYPE r>\n<r/>") == b"\n\n<r/>"


@pytest.mark.parametrize("step", [1, 7, 64, 1 << 20])
def test_every_byte_is_in_some_piece(step: int) -> None:
    data = b"<?xml?><set>\n<rec a='1'>one</rec><rec>two\n<rec>three</rec> junk <other/><rec/>x</rec></set>\n"
    stream = io.BytesIO(data)
    pieces = list(splits(lambda n: stream.read(min(n, step)), (b"rec", b"other")))
    assert b"".join(piece.data for piece in pieces) == data
    assert all(data[p.offset : p.offset + len(p.data)] == p.data for p in pieces)
    kinds = [(p.kind, p.data) for p in pieces if p.kind != "between"]
    assert kinds[:3] == [
        ("record", b"<rec a='1'>one</rec>"),
        ("broken", b"<rec>two\n"),
        ("record", b"<rec>three</rec>"),
    ]


def test_a_record_without_end_is_skipped_in_bounded_memory() -> None:
    data = b"<set><rec>" + b"x" * 5_000_000 + b"</rec><rec>y</rec></set>"
    found = [p for p in splits(io.BytesIO(data).read, (b"rec",), limit=1_000_000) if p.kind != "between"]
    assert found == [Split("too_large", b"rec", 5, b""), Split("record", b"rec", 5_000_016, b"<rec>y</rec>")]
