"""MediaWiki: golden renderings, agreement with mwparserfromhell, pages and reasons as the manifest counts them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder.read.wikitext import Rules, renderer
from tests.read.drive import documents, items, lost, skipped
from tests.read.fixtures import wiki
from tests.samples import SAMPLES, manifest, needs_samples

RULES = Rules(namespaces=("Datei", "Kategorie"))
compiled = renderer("compiled", RULES)

GOLDEN = [
    ("'''Bold''' and ''italic'' and '''''both''''' it's 'quoted'", "Bold and italic and both it's 'quoted'"),
    ("[[Target]] [[Target|label]]s [[a|b|c]] [[:File:x.png]] [[w:Ordner|in]]", "Target labels b|c File:x.png in"),
    ("a[[File:x.png|thumb|A [[nested]] caption]]b[[Datei:y.png|mini|{{x}}]]c[[Kategorie:Z]]d[[Category:Q| ]]e", "abcde"),
    ("[[de:Titel]][[zh-min-nan:X]]text [[:de:Titel]] [[Talk:x]]", "text de:Titel Talk:x"),
    ("[http://a.example label] x [http://b.example] [//c.example see [[d]]] http://e.example [not a link]", "label x  see d http://e.example [not a link]"),
    ("a{{cn}}b{{Infobox|x={{y|[[z|w]]}}|}}c{{{1|default}}}d", "abcd"),
    ("{{lang|fr|bonjour}} {{convert|5|km|mi}} {{convert|5|to|9|km|mi|abbr=on}} {{nowrap|a b}} {{Circa|1900}} 3{{ndash}}4 {{frac|1|2}}", "bonjour 5 km 5 to 9 km a b c. 1900 3 – 4 1/2"),
    ("{{lang-de|Haus}} {{as of|2005}} {{US$|5}} {{tooltip|HP|horse power}}", "Haus As of 2005 US$5 HP"),
    ("x<ref name=a>y [[z]]</ref>,<ref name=b />.<!-- note\n\n -->", "x,."),
    ("{| class=x\n! h\n|-\n| a || b\n{|\n| inner\n|}\n|}\nafter", "after"),
    ("<table><tr><td>a<table><tr><td>b</td></tr></table></td></tr></table>after", "after"),
    ("H<sub>2</sub>O <b>x</b> <nowiki>[[raw]]</nowiki> <math>a^2</math> <code>f(x)</code> a<br/>b", "H2O x [[raw]] $a^2$ f(x) a\nb"),
    ("<pre>\n a [[b]]\n</pre>", "a [[b]]"),
    ("* one\n** two\n# three\n: indented\n; term", "- one\n- two\n- three\nindented\nterm"),
    ("*\n* {{x}}\n* real", "- real"),
    ("a &ndash; b &amp; c &lt;ref&gt; &nbsp;d", "a – b & c <ref> \u00a0d"),
    ("Lead.\n\n== One ==\nText.\n=== Two ===\nMore.\n== Empty ==\n\n== See also ==\n* x\n== Three ==<!-- c -->\nEnd.", "Lead.\n\nOne\n\nText.\n\nTwo\n\nMore.\n\nThree\n\nEnd."),
    ("== A ==\n=== B ===\ntext\n== References ==\n=== Books ===\nx\n== C ==\ny", "A\n\nB\n\ntext\n\nC\n\ny"),
    ("a = b\n=not a heading\n==also= not", "a = b\n=not a heading\n==also= not"),
    ("__NOTOC__ x __init__ y", "x __init__ y"),
    ("'''Name''' ({{IPA|x}}; born {{y}} 1900) and ( ) f() done", "Name (born  1900) and f() done"),
    ("<gallery>\nFile:x|y\n</gallery>a<references/><unknown>b</unknown> 3 < 4", "a<unknown>b</unknown> 3 < 4"),
    ("a\n----\nb", "a\n\nb"),
    ("{{unclosed [[link|text]] goes on", "unclosed text goes on"),
    ("a }} b ]] c |} d", "a  b ]] c |} d"),
    ("{{a|[[b}} c", " c"),
]  # fmt: skip


@pytest.mark.parametrize(("wikitext", "text"), GOLDEN, ids=[g[0][:30] for g in GOLDEN])
def test_golden_renderings(wikitext: str, text: str) -> None:
    assert compiled(wikitext) == text.strip()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["{{", "}}", "[[", "]]", "|", "{|", "|}", "\n", "''", "<ref>", "</ref>", "<!--", "-->", "==", "a", "é ", "[http://x ", "]", "{{{", "}}}", "<table>", "</table>", "<nowiki>", "<math>", "*", "__A__", "&amp;"]), max_size=60))  # fmt: skip
def test_no_sequence_of_marks_breaks_the_renderer(parts: list[str]) -> None:
    text = "".join(parts)
    found = compiled(text)
    assert len(found) <= len(text) + 2 * text.count("*") + 2 * text.count("<math>")
    assert "\x01" not in found
    assert compiled(text) == found


def test_time_is_linear_in_hostile_pages() -> None:
    for unit in (
        "{{",
        "[[a|",
        "{|\n|",
        "<ref>",
        "<!--",
        "'''",
        "\n==",
        "<table>",
        "{{{",
        "&amp;",
        "<math>",
        "[http://x y ",
    ):
        compiled(unit * 100_000)


def test_pages_and_reasons(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(wiki())
    found = items("mediawiki", path)
    first = documents(found)[0]
    assert first["text"].startswith("Title 0\n\nTitle 0 is a thing.\n\n")
    assert "See also" not in first["text"]
    assert first["key"] == "wiki:testwiki:1"
    assert first["url"] == "https://en.wikipedia.org/?curid=1"
    assert (first["date"], first["licence"]) == ("2024-01-01T00:00:00Z", "CC-BY-SA-4.0")
    assert first["meta"] == {"title": "Title 0", "page_id": 1, "wiki": "testwiki", "revision_id": 100}
    assert skipped(found) == {"redirect": 1, "namespace": 1}
    both = items("mediawiki", path, namespaces=(0, 1), min_chars=10**6)
    assert skipped(both) == {"redirect": 1, "short": 11}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"<id>7</id>", b"<id>7</idd>", "parse_error"),
        (b"Title 6</title>", b"Title 6 \xff</title>", "bad_utf8"),
        (b"<title>Title 6</title>", b"<name>Title 6</name>", "parse_error"),
        (b"      <id>106</id>", b"      <id>106</id></page>", "parse_error"),
    ],
)
def test_a_broken_page_costs_itself(tmp_path: Path, old: bytes, new: bytes, reason: str) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(wiki().replace(old, new, 1))
    found = items("mediawiki", path)
    assert len(documents(found)) == 9
    assert lost(found) == {reason: 1}


def test_entities_and_hostile_declarations(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    secret = tmp_path / "secret"
    secret.write_text("canary-5512")
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b SYSTEM "file://%s">]>\n' % str(secret).encode()
    path.write_bytes(bomb + wiki().replace(b"Title 1</title>", b"Title &a;&b;</title>"))
    texts = " ".join(d["text"] for d in documents(items("mediawiki", path)))
    assert "canary" not in texts
    assert "aaaa" not in texts


def test_both_renderers_say_nearly_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(wiki())
    one, two = (documents(items("mediawiki", path, renderer=r)) for r in ("compiled", "mwparserfromhell"))
    assert [d["text"] for d in one] == [d["text"] for d in two]
    pile = documents(items("mediawiki", path, style="pile"))
    assert len(pile) == len(one)


@needs_samples
@pytest.mark.parametrize("path", sorted(p for p in manifest() if p.startswith("wikipedia/")))
def test_samples(path: str) -> None:
    facts = manifest()[path]["facts"]
    found = items("mediawiki", SAMPLES / path, path)
    assert len(documents(found)) + skipped(found).total() == facts["pages"]
    assert not lost(found)
    assert skipped(found)["namespace"] == facts["pages"] - facts["ns0"]
    leftovers: Counter[str] = Counter()
    for document in documents(found):
        plain = re.sub(r"\$[^$]*\$", "", document["text"])
        leftovers.update(re.findall(r"\[\[|\]\]|\{\||<ref|\x01", plain))
    assert leftovers.total() <= 1  # one author wrote [x|y]]


@needs_samples
def test_the_samples_words_agree_with_mwparserfromhell() -> None:
    path = SAMPLES / "wikipedia/tinywiki-latest-pages-articles.xml"
    words: list[Counter[Any]] = []
    for name in ("compiled", "mwparserfromhell"):
        found = documents(items("mediawiki", path, renderer=name))
        words.append(Counter(w for d in found for w in re.findall(r"\w+", d["text"])))
    common = (words[0] & words[1]).total()
    assert common > 0.9 * words[0].total()
    assert common > 0.9 * words[1].total()
