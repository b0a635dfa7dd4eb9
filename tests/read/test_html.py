"""Pages: the right encoding, nothing lost without a word, and no extractor that fails quietly."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilebuilder.read import html
from pilebuilder.read.html import HtmlLimit, decode, extract, licence_of, page, union
from tests.benchmarks import extraction
from tests.read.drive import documents, items, lost
from tests.read.fixtures import page as sample_page
from tests.read.fixtures import prose, zipped
from tests.samples import needs_samples

NAMES: tuple[html.Extractor, ...] = ("resiliparse", "trafilatura")
JAPANESE = "<html><head>{}</head><body><p>" + "日本語の文章です。今日はいい天気ですね。" * 20 + "</p></body></html>"


@pytest.mark.parametrize(
    ("text", "encoding", "declared", "expected"),
    [
        ("<p>naïve café</p>", "utf-8", None, "utf-8"),
        ("<p>naïve café</p>", "utf-8", "iso-8859-1", "utf-8"),
        ("<p>naïve café – “x”</p>", "cp1252", "iso-8859-1", "cp1252"),
        ("<p>naïve</p>", "utf-16", None, "utf-16"),
        (JAPANESE.format(""), "shift_jis", "shift_jis", "shift_jis"),
        (JAPANESE.format('<meta charset="euc-jp">'), "euc-jp", None, "euc_jp"),
        (JAPANESE.format('<meta http-equiv="Content-Type" content="text/html; charset=shift_jis">'), "shift_jis", "no-such", "shift_jis"),
        (JAPANESE.format(""), "euc-jp", None, "euc_jp"),
        ("<p>" + "Съешь ещё этих мягких французских булок, да выпей чаю. " * 9 + "</p>", "cp1251", None, "cp1251"),
    ],
)  # fmt: skip
def test_encodings(text: str, encoding: str, declared: str | None, expected: str) -> None:
    found, used = decode(text.encode(encoding), declared)
    assert found == text
    assert used == expected


def test_a_few_broken_bytes_do_not_change_the_encoding() -> None:
    data = ("<p>" + "größer als früher, schön " * 50 + "</p>").encode()
    found, used = decode(data[:500] + b"\xff" + data[500:], "utf-8")
    assert used == "utf-8"
    assert found.count("�") == 1


@pytest.mark.parametrize("extractor", ["resiliparse", "trafilatura", "justext", "union", "all"])
def test_extractors_find_the_article(extractor: html.Extractor) -> None:
    found = page(sample_page(3), extractor)
    assert any(prose(k) in found["text"] for k in range(30, 34))
    assert found["title"] == "Page 3"
    assert ("Imprint" in found["text"]) == (extractor == "all")


@pytest.mark.parametrize("extractor", ["trafilatura", "justext", "union"])
@pytest.mark.parametrize("depth", [254, 256, 300, 2000])
def test_nesting_is_read_or_reported(extractor: html.Extractor, depth: int) -> None:
    """libxml2 drops the text of a page nested 256 deep without an error."""
    inner = "".join(f"<p>{prose(k)}</p>" for k in range(5))
    try:
        text = extract(f"<html><body>{'<div>' * depth}{inner}{'</div>' * depth}</body></html>", extractor)
    except HtmlLimit:
        assert depth > 1000
        return
    assert any(prose(k) in text for k in range(5))


@pytest.mark.parametrize("extractor", ["resiliparse", "trafilatura", "justext"])
@pytest.mark.parametrize("size", [9_900_000, 10_100_000])
def test_long_attributes(extractor: html.Extractor, size: int) -> None:
    inner = "".join(f"<p>{prose(k)}</p>" for k in range(5))
    text = extract(f'<html><body><div title="{"a" * size}">{inner}</div></body></html>', extractor)
    assert any(prose(k) in text for k in range(5))


@pytest.mark.parametrize("depth", [3000, 100_000])
@pytest.mark.parametrize("extractor", ["trafilatura", "justext"])
def test_absurd_nesting_is_reported(extractor: html.Extractor, depth: int) -> None:
    with pytest.raises(HtmlLimit):
        extract("<html><body>" + "<div>" * depth + f"<p>{prose(1)}</p></body></html>", extractor)


def test_licences_of_pages() -> None:
    assert licence_of('<a href="https://creativecommons.org/licenses/by/4.0/" rel="license">CC</a>') == "CC-BY-4.0"
    assert licence_of('<link rel="license" href="//creativecommons.org/publicdomain/zero/1.0/">') == "CC0-1.0"
    assert licence_of('<a href="https://creativecommons.org/licenses/by/4.0/">about CC</a>') is None


def test_union_drops_what_stands_around_and_keeps_what_precision_lost() -> None:
    broad = "\n".join(["Home | About", prose(1), prose(2), prose(3), "Copyright 2020 all rights"])
    precise = "\n".join([prose(1), prose(3), "only the precise one has this line"])
    joined = union(precise, broad)
    assert joined.split("\n") == [prose(1), prose(2), prose(3), "only the precise one has this line"]
    assert union("", broad) == broad
    assert union(precise, " ") == precise
    assert union("tiny", broad) == broad


def test_folders_and_archives_of_pages(tmp_path: Path) -> None:
    deep = b"<html><body>" + b"<div>" * 60_000 + b"x"
    path = tmp_path / "raw"
    path.write_bytes(
        zipped({"a/1.html": sample_page(1), "a/2.html": deep, "a/3.htm": sample_page(3), "a/x.css": b"p{}"})
    )
    found = items("html", path, "site.zip", seconds=0.5)
    assert [d["key"] for d in documents(found)] == ["site.zip/a/1.html", "site.zip/a/3.htm"]
    assert lost(found) == {"timeout": 1}


@needs_samples
def test_quality_of_the_extractors_on_the_article_benchmark() -> None:
    pages = extraction.material()[::3]  # the benchmark takes all 181
    found: dict[str, list[str]] = {name: [extract(text, name) for text, _ in pages] for name in NAMES}
    found["union"] = [union(p, b) for p, b in zip(found["trafilatura"], found["resiliparse"], strict=True)]
    mean = {}
    for name, texts in found.items():
        scores = [extraction.score(text, gold, 1) for text, (_, gold) in zip(texts, pages, strict=True)]
        mean[name] = [sum(s[k] for s in scores) / len(scores) for k in range(3)]
    assert mean["trafilatura"][2] > 0.945
    assert mean["resiliparse"][1] > 0.98
    assert mean["union"][1] >= max(mean["resiliparse"][1], mean["trafilatura"][1])
    assert mean["union"][0] > mean["resiliparse"][0] + 0.03
