"""The repair kernel gives what ``ftfy.fix_text`` gives, byte for byte."""

from __future__ import annotations

from typing import Any

import ftfy
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilebuilder.kernels import ftfytables
from pilebuilder.kernels.ftfylines import fix_line
from pilebuilder.kernels.mojibake import repair
from tests.kernels.texts import CASES, any_text, buffers, strings

FINEWEB = (
    ("fix_latin_ligatures", False), ("fix_character_width", False), ("uncurl_quotes", False),
    ("fix_line_breaks", False), ("normalization", None),
)  # fmt: skip
CONFIGS: list[tuple[tuple[str, Any], ...]] = [
    (), FINEWEB, (("unescape_html", True),), (("unescape_html", False), ("fix_encoding", False)),
    (("normalization", "NFKC"), ("fix_c1_controls", False)),
    (("normalization", "NFD"), ("remove_control_chars", False)),
    (("remove_terminal_escapes", False),),
]  # fmt: skip
DAMAGE = st.text(
    st.one_of(
        st.characters(max_codepoint=0x24F),
        st.characters(min_codepoint=0x300, max_codepoint=0x4FF),
        st.sampled_from(
            "\u2018\u2019\u201c\u201d\u2026\u2022\u20ac\u2122\u0152\u0153"
            "\ufb01\ufb02\ufb05\uff21\uff06\uff1b\uff76\uff9e"
            "\u3000\u3099\ufeff\ufffd\u2028\u2029\x85\x1b[0m&;<#\r\n \u1161\u11a8\uac00\u0149\u01c4\u02bc\uffe1\u2020"
        ),
    ),
    max_size=30,
)
MOJIBAKE = any_text.map(lambda t: t.encode().decode("sloppy-windows-1252", "replace"))


def fixed(texts: list[str], options: tuple[tuple[str, Any], ...] = ()) -> list[str]:
    return strings(*repair(*buffers(texts), options))


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.one_of(any_text, DAMAGE, MOJIBAKE), min_size=1, max_size=4), st.sampled_from(CONFIGS))
@example(["a &amp; b\n<p> &amp;\n&amp;", "&amp;", "&am\x00p;", "\uff06amp;", "&amp\uff1b"], ())
@example(["\u0153\u2019", "caf\u00c3\u00a9", "a\r\nb\rc", "\u0149", "\uff76\uff9e\u3099", "e\u0301", "\u00c3 la"], ())
def test_equals_ftfy(texts: list[str], options: tuple[tuple[str, Any], ...]) -> None:
    assert fixed(texts, options) == [ftfy.fix_text(text, **dict(options)) for text in texts]


BYTES = st.lists(
    st.one_of(st.binary(min_size=1, max_size=2), st.sampled_from(
        [bytes([b]) for b in (0x20, 0x1A, 0x3F, 0x80, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xC3, 0xE0, 0xE2, 0xED, 0xF0, 0xF4)]
        + ["\u2019".encode(), "\u00e9".encode(), "\U0001f600".encode(), b"\xed\xa0\xbd\xed\xb8\x80", b"\xc0\x80", b"\xc3 la"]
    )),
    max_size=12,
).map(b"".join)  # fmt: skip


@settings(max_examples=3000, deadline=None)
@given(BYTES, st.sampled_from(["latin-1", "sloppy-windows-1252", "sloppy-windows-1250", "macroman", "cp437"]))
def test_a_line_read_in_a_wrong_encoding_becomes_what_ftfy_makes_of_it(raw: bytes, encoding: str) -> None:
    line = raw.replace(b"\n", b"").decode(encoding)
    config = ftfy.TextFixerConfig(unescape_html=True, explain=False)
    assert fix_line(line, config) == ftfy.fix_text(line, config)


@pytest.mark.parametrize("text", [c for c in CASES if len(c) < 40_000], ids=str)
def test_hard_cases(text: str) -> None:
    assert fixed([text, "\u201cend\u201d", text]) == [ftfy.fix_text(t) for t in (text, "\u201cend\u201d", text)]


def test_every_pair_of_characters_that_ftfy_finds_suspicious_is_noted() -> None:
    """No two neighbours match ftfy's detector without the tables saying so."""
    from ftfy.badness import is_bad

    found = ftfytables.tables(())
    info = found.info
    classes = info & ftfytables.PAIR_CLASS
    known = [int(c) for c in np.unique(classes, return_index=True)[1]]
    known += [
        ord(c) for c in "aZ 0.,'\"\n\u00c3\u00c2\u00e2\u20ac\u2122\u0153\u0152\u00b0\u00e9\u0411\u0391\u05d0\u4e00"
    ]
    for first in known:
        for second in known:
            text = chr(first) + chr(second)
            if is_bad(text) and not text.isascii():
                pair = found.left[classes[first]] & found.right[classes[second]]
                alone = (info[first] | info[second]) & ftfytables.ASK
                assert pair or alone or is_bad(chr(first)) or is_bad(chr(second)), text.encode("unicode_escape")


def test_lines_above_the_length_at_which_ftfy_cuts() -> None:
    options = (("max_decode_length", 50),)
    long = "x" * 49 + "\u00c3\u00a9" + "y" * 60 + "\r\n" + "\u201cq\u201d" * 30 + "\n" + "plain " * 40
    assert fixed([long, "a", long * 2], options) == [
        ftfy.fix_text(t, max_decode_length=50) for t in (long, "a", long * 2)
    ]


def test_more_unsettled_lines_than_there_is_room_for() -> None:
    text = "caf\u00c3\u00a9\nfine\n" * 5000
    assert fixed([text, text]) == [ftfy.fix_text(text)] * 2


def test_an_expression_of_unknown_form_leaves_every_line_beyond_ascii_to_ftfy(monkeypatch: pytest.MonkeyPatch) -> None:
    import ftfy.badness

    monkeypatch.setattr(ftfy.badness, "BADNESS_RE", __import__("re").compile("(?=x)y"))
    *_, alone = ftfytables._pairs()
    assert alone[128:].all()
    assert not alone[:128].any()
