"""Block lists of addresses and bad-word lists, as users bring them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from pilebuilder import registry
from pilebuilder.errors import RecipeError
from tests.models.docs import docs, reasons


def blocked(urls: list[str | None], **params: Any) -> list[str]:
    d = docs(["text"] * len(urls), url=urls)
    registry.make("step", "url-blocklist", params)(d.within("filter", "url-blocklist"))
    found = dict(reasons(d))
    return [found.get(row, "").removeprefix("url-blocklist.") for row in range(len(urls))]


@pytest.fixture
def ut1(tmp_path: Path) -> Path:
    for category, files in {
        "adult": {"domains": "bad.example\nxxx.example.org\n", "urls": "fine.example/adult\n", "usage": "black\n"},
        "games": {"domains": "# a comment\nplay.example\nBAD2.example\n"},
    }.items():
        (tmp_path / category).mkdir()
        for name, text in files.items():
            (tmp_path / category / name).write_text(text)
    return tmp_path


def test_hosts_parents_and_paths(ut1: Path) -> None:
    assert blocked(
        [
            "http://bad.example/", "https://www.bad.example/page?x=1", "http://notbad.example", "http://example.org",
            "http://xxx.example.org:8080/a", "http://user@BAD.example", "https://fine.example/adult/1",
            "https://www.fine.example/adult", "https://fine.example/adultery", "https://fine.example/", None,
            "play.example", "//play.example/x", "http://bad2.example.", "ftp://a.b.play.example#x", "not an address",
        ],
        lists=[str(ut1)],
    ) == [
        "adult", "adult", "", "", "adult", "adult", "adult", "adult", "", "", "", "games", "games", "games", "games", "",
    ]  # fmt: skip


def test_categories_and_plain_files(ut1: Path, tmp_path: Path) -> None:
    assert blocked(["http://bad.example", "http://play.example"], lists=[str(ut1)], categories=["games"]) == [
        "",
        "games",
    ]
    own = tmp_path / "own.txt"
    own.write_text("https://site.example/blog/\nother.example\n")
    urls = ["http://site.example/blog/post", "http://site.example/about", "http://sub.other.example/x"]
    assert blocked(urls, lists=[str(own)]) == ["own", "", "own"]
    with pytest.raises(RecipeError, match=r"no category 'game'.*did you mean 'games'"):
        blocked(urls, lists=[str(ut1)], categories=["game"])


def test_substrings(ut1: Path) -> None:
    assert blocked(["http://x.example/CASINO-wins", "http://x.example/"], substrings=["casino"]) == ["substring", ""]


def test_the_lists_are_part_of_the_key(ut1: Path) -> None:
    step = registry.make("step", "url-blocklist", {"lists": [str(ut1)]})
    before = step.digests()
    (ut1 / "adult" / "domains").write_text("other.example\n")
    assert step.digests() != before
    with pytest.raises(RecipeError, match="there is no list at"):
        registry.make("step", "url-blocklist", {"lists": [str(ut1 / "missing")]}).digests()


def test_bad_words(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("darn\nbloody hell\n# comment\n\nÄrger\n")
    texts = [
        "Well, DARN it.",
        "darning socks",
        "what the bloody hell!",
        "bloody-hell",
        "nur ärger",
        "so ärgerlich",
        "",
    ]
    d = docs(texts)
    kept = registry.make("step", "badwords", {"lists": str(words)})(d.within("filter", "badwords"))
    assert kept.text.to_pylist() == [texts[1], texts[3], texts[5], ""]
    assert d.count.dropped == {"badwords.max_matches": 3}
    assert len(registry.make("step", "badwords", {"lists": str(words), "max_matches": 1})(docs(texts))) == 7
    ratio = registry.make("step", "badwords", {"lists": str(words), "max_matches": None, "max_match_ratio": 0.3})
    assert ratio(docs(texts)).text.to_pylist() == [texts[1], texts[2], texts[3], texts[5], ""]


def test_bad_words_by_language(tmp_path: Path) -> None:
    (tmp_path / "en").write_text("darn\n")
    (tmp_path / "zh.txt").write_text("坏\n")
    step = registry.make("step", "badwords", {"lists": str(tmp_path)})
    d = docs(["darn it", "darn it", "这是坏的", "darn it"]).signal("lang", pa.array(["en", "fr", "zh", None]))
    assert step(d).text.to_pylist() == ["darn it", "这是坏的"][:1]
    assert step(docs(["darn it"])).text.to_pylist() == []


def test_lists_that_cannot_be_used(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(RecipeError, match="must be UTF-8"):
        registry.make("step", "badwords", {"lists": str(path)})(docs(["x"]))
    empty = tmp_path / "empty"
    empty.write_text("# nothing\n")
    with pytest.raises(RecipeError, match="lists no word"):
        registry.make("step", "badwords", {"lists": str(empty)})(docs(["x"]))
    long = tmp_path / "long"
    long.write_text("x" * 61)
    with pytest.raises(RecipeError, match="at most 60 characters"):
        registry.make("step", "badwords", {"lists": str(long)})(docs(["x"]))
