"""Ubuntu IRC, Europarl, Hacker News, Reddit: who said what, in which order, and what is left out why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pilebuilder.read.irc import messages
from pilebuilder.read.reddit_rows import refused_address
from tests.read.drive import documents, items, lost, skipped
from tests.read.fixtures import hackernews, jsonl, reddit, tar
from tests.samples import SAMPLES, manifest, needs_samples


def read(folder: Path, reader: str, data: bytes, name: str, **params: Any) -> list[Any]:
    path = folder / "raw"
    path.write_bytes(data)
    return items(reader, path, name, **params)


# Ubuntu IRC ----------------------------------------------------------------------------------------------------------

DAY = (
    b"=== amy [n=a@b] has joined #test\n[12:01] <amy> hello \x02bold\x02 \x0304,05red\x03 bye\n[12:02]  * bob waves\n"
    b"[12:03] <ubottu> I am a bot\n[12:04] <IrcsomeBot> <carl> from the bridge\n=== amy is now known as amy_\n"
    b"[12:05] <bob> amy: gr\xfc\xdfe\n<bob> no time here\n[12:06] <bob> \n=== Netsplit over\n"
)


def test_a_day(tmp_path: Path) -> None:
    (document,) = documents(read(tmp_path, "ubuntu-irc", DAY, "logs/2004/07/05/%23test.txt"))
    assert document["text"] == (
        "<amy> hello bold red bye\n* bob waves\n<carl> from the bridge\n<bob> amy: grüße\n<bob> no time here"
    )
    assert document["key"] == "irc:2004-07-05-#test"
    assert document["url"] == "https://irclogs.ubuntu.com/2004/07/05/%23test.txt"
    assert document["meta"] == {"channel": "#test", "date": "2004-07-05", "lines": 10, "speakers": 3}
    (hidden,) = documents(read(tmp_path, "ubuntu-irc", DAY, "2004/07/05/#test.txt", hide_nicks=True))
    assert hidden["text"].split("\n")[3] == "<user2> user1: grüße"


def test_the_original_rendering_of_a_day(tmp_path: Path) -> None:
    (document,) = documents(read(tmp_path, "ubuntu-irc", DAY, "2004/07/05/#test.txt", style="pile"))
    lines = document["text"].split("\n")
    assert lines[0] == "#test 2004-07-05"
    assert lines[1].startswith("<amy> hello")
    assert lines[-1] == "* Netsplit over"
    assert not any("joined" in line or "known as" in line for line in lines)


def test_days_without_messages_and_other_files(tmp_path: Path) -> None:
    assert skipped(read(tmp_path, "ubuntu-irc", b"=== x has joined #a\n", "2004/07/05/#a.txt")) == {"no_messages": 1}
    assert skipped(read(tmp_path, "ubuntu-irc", DAY, "notes.txt")) == {"not_named": 1}
    assert messages([]) == ("", 0)


@needs_samples
@pytest.mark.parametrize("path", [p for p in manifest() if p.endswith("#ubuntu.txt")])
def test_irc_samples(path: str) -> None:
    facts = manifest()[path]["facts"]
    (document,) = documents(items("ubuntu-irc", SAMPLES / path, path.removeprefix("ubuntu-irc/")))
    assert document["meta"]["lines"] == facts["lines"]
    assert 0.9 * facts["messages"] <= document["text"].count("\n") + 1 <= facts["messages"] + 5


# Europarl ------------------------------------------------------------------------------------------------------------

SITTING = (
    '<CHAPTER ID="001">\nAgenda & more\n<SPEAKER ID=1 NAME="O\'Brien, Jo" LANGUAGE="EN">\nFirst.\n<P>\nSecond.\n'
    "<SPEAKER ID=2 LANGUAGE=DE>\n(The House rose)\n<SPEAKER ID=3 NAME=President AFFILIATION=PPE>\nThird.\n"
)


def test_a_sitting(tmp_path: Path) -> None:
    (document,) = documents(read(tmp_path, "europarl", SITTING.encode(), "txt/en/ep-99-12-31-007.txt", min_chars=1))
    assert (
        document["text"] == "Agenda & more\n\nO'Brien, Jo: First.\n\nSecond.\n\n(The House rose)\n\nPresident: Third."
    )
    assert document["key"] == "europarl:en/ep-99-12-31-007"
    assert document["meta"] == {
        "language": "en", "date": "1999-12-31", "part": "007", "speakers": 2, "chapters": ["Agenda & more"],
    }  # fmt: skip
    (pile,) = documents(
        read(tmp_path, "europarl", SITTING.encode(), "txt/en/ep-99-12-31.txt", style="pile", min_chars=1)
    )
    assert pile["text"] == "Agenda & more\nO'Brien, Jo\nFirst.\nSecond.\n\n(The House rose)\nPresident\nThird."


def test_sittings_that_are_left_out(tmp_path: Path) -> None:
    latin = SITTING.replace("Third", "Dritté").encode("latin-1")
    assert skipped(read(tmp_path, "europarl", b"short", "txt/en/ep-00-01-17.txt")) == {"too_short": 1}
    assert lost(read(tmp_path, "europarl", latin, "txt/en/ep-00-01-17.txt", style="pile")) == {"bad_utf8": 1}
    assert "Dritté" in documents(read(tmp_path, "europarl", latin, "txt/en/ep-00-01-17.txt", min_chars=1))[0]["text"]
    packed = tar(
        {"txt/en/ep-00-01-17.txt": SITTING.encode(), "txt/de/ep-00-01-17.txt": SITTING.encode(), "README": b"x"}
    )
    assert skipped(read(tmp_path, "europarl", packed, "e.tar", languages=["de"], min_chars=1)) == {
        "language": 1,
        "not_named": 1,
    }


@needs_samples
@pytest.mark.parametrize("path", [p for p in manifest() if p.startswith("europarl/txt")])
def test_europarl_samples(path: str) -> None:
    facts = manifest()[path]["facts"]
    (document,) = documents(items("europarl", SAMPLES / path, path))
    assert document["text"].startswith(facts["first_text"])
    assert len(document["meta"]["chapters"]) == facts["chapters"]


@needs_samples
def test_the_europarl_archive_holds_what_the_loose_files_hold() -> None:
    found = documents(items("europarl", SAMPLES / "europarl/europarl.tgz", "europarl.tgz"))
    assert len(found) == len(manifest()["europarl/europarl.tgz"]["facts"]["members"])
    loose = documents(items("europarl", SAMPLES / "europarl/txt/en/ep-00-01-17.txt", "txt/en/ep-00-01-17.txt"))
    assert loose[0]["text"] in {d["text"] for d in found}


# Hacker News ---------------------------------------------------------------------------------------------------------


def test_a_story_and_its_tree(tmp_path: Path) -> None:
    found = read(tmp_path, "hackernews", hackernews(), "items.jsonl")
    first = documents(found)[0]
    assert first["text"] == "Story 1\n\namy:\nfirst 1\n\n> cat:\n> a reply\n\nbob:\nsecond 1"
    assert first["key"] == "hn:1"
    assert first["date"] == "2001-09-09T01:46:40Z"
    assert first["meta"] == {"story_id": 1, "title": "Story 1", "by": "op", "score": 5, "time": 10**9, "comments": 3}
    plain = documents(read(tmp_path, "hackernews", hackernews(), "items.jsonl", hide_users=True))[0]
    assert plain["text"] == "Story 1\n\nfirst 1\n\n> a reply\n\nsecond 1"
    assert "by" not in plain["meta"]


def test_the_original_rendering_of_a_story(tmp_path: Path) -> None:
    first = documents(read(tmp_path, "hackernews", hackernews(), "items.jsonl", style="pile"))[0]
    assert first["text"] == "Story 1 - op\n\n======\namy\nfirst 1\n\n~~~\ncat\na reply\n\n------\nbob\nsecond 1\n"


def test_trees_arrays_and_single_items_are_the_same(tmp_path: Path) -> None:
    tree = {"id": 1, "title": "T", "author": "op", "points": 3, "children": [{"id": 2, "author": "a", "text": "x", "parent_id": 1, "children": []}]}  # fmt: skip
    flat = [
        {"id": 1, "title": "T", "by": "op", "score": "3", "kids": [2]},
        {"id": "2", "by": "a", "text": "x", "parent": "1"},
    ]
    for data in (
        json.dumps(tree),
        json.dumps(tree, indent=1),
        json.dumps(flat),
        json.dumps(flat, indent=1),
        "\n".join(map(json.dumps, flat)),
    ):
        (document,) = documents(read(tmp_path, "hackernews", data.encode(), "x.json"))
        assert document["text"] == "T\n\na:\nx"


def test_what_is_no_story(tmp_path: Path) -> None:
    rows = [
        None, {"id": 1, "type": "job", "title": "J", "score": 9}, {"id": 2, "type": "story", "title": "S", "score": 0},
        {"id": 3, "type": "story", "title": "S", "score": 9, "dead": True}, {"id": 4, "type": "comment", "parent": 99},
        {"id": 5, "type": "story", "title": "S", "score": 9}, {"id": 6, "type": "comment", "parent": 4, "text": "x"},
        {"no": "id"}, [],
    ]  # fmt: skip
    found = read(tmp_path, "hackernews", "\n".join(map(json.dumps, rows)).encode() + b"\n{bad\n", "x.jsonl")
    assert not documents(found)
    assert skipped(found) == {
        "missing": 1,
        "not_a_story": 1,
        "no_score": 1,
        "deleted": 1,
        "no_story": 1,
        "no_comments": 1,
    }
    assert lost(found) == {"no_id": 1, "bad_json": 1}


def test_a_deleted_comment_keeps_its_replies_and_depth_does_not_matter(tmp_path: Path) -> None:
    rows = [{"id": 1, "title": "T", "score": 2, "type": "story"}]
    rows += [
        {"id": k, "type": "comment", "parent": k - 1, "by": "u", "text": f"c{k}", "deleted": k == 2}
        for k in range(2, 3000)
    ]
    (document,) = documents(read(tmp_path, "hackernews", jsonl(reversed(rows)), "x.jsonl"))
    assert "c2\n" not in document["text"]
    assert document["text"].endswith("c2999")


@needs_samples
def test_hackernews_samples() -> None:
    path = "hackernews/hn-comments-1000-sample.jsonl"
    found = items("hackernews", SAMPLES / path)
    assert not lost(found)
    assert set(skipped(found)) == {"no_story"}
    for item in (p for p in manifest() if p.startswith("hackernews/v0")):
        found = items("hackernews", SAMPLES / item)
        facts = manifest()[item]["facts"]
        assert len(documents(found)) == (facts["type"] == "story")


# Reddit --------------------------------------------------------------------------------------------------------------


def test_self_posts(tmp_path: Path) -> None:
    found = read(tmp_path, "reddit-submissions", reddit(), "RS")
    first = documents(found)[0]
    assert first["text"].startswith("Post 4\n\n")
    assert (first["key"], first["date"]) == ("reddit:a4", "2017-07-14T02:40:04Z")
    assert first["url"] == "https://www.reddit.com/r/test/comments/a4/"
    assert skipped(found) == {"link": 14, "score": 2}
    gone = jsonl([{"id": "x", "is_self": True, "selftext": t, "score": 9} for t in ("[removed]", "", "x &amp; y")])
    found = read(tmp_path, "reddit-submissions", gone, "RS")
    assert [d["text"] for d in documents(found)] == ["x & y"]
    assert skipped(found) == {"deleted": 1, "empty_text": 1}


def test_links_are_grouped_and_their_scores_added(tmp_path: Path) -> None:
    rows = [
        {"id": "b", "is_self": False, "url": "http://a.example/x?a=1&amp;b=2", "score": 1, "title": "One"},
        {
            "id": "a",
            "is_self": False,
            "url": "http://a.example/x?a=1&b=2",
            "score": 2,
            "title": "Two",
            "created_utc": "5e8",
        },
        {"id": "c", "is_self": False, "url": "http://a.example/y", "score": 2},
        {"id": "d", "url": "http://a.example/z", "score": 9},
        {"id": "e", "is_self": False, "url": "https://i.imgur.com/z", "score": 9},
        {"id": "f", "is_self": False, "url": "https://a.example/file.PDF?x", "score": 9},
    ]
    found = read(tmp_path, "reddit-submissions", jsonl(rows), "RS", take="links")
    (link,) = documents(found)
    assert (link["url"], link["text"]) == ("http://a.example/x?a=1&b=2", "Two\nOne")
    assert link["meta"]["reddit_score"] == [2, 1]
    assert skipped(found) == {"score": 1, "self": 1, "host": 1, "suffix": 1}


def test_addresses() -> None:
    assert refused_address("https://news.a.example/story") == ""
    assert refused_address("https://en.wikipedia.org/wiki/X") == "host"
    assert refused_address("http://[broken") == "url"
    assert refused_address("ftp://a.example/x") == "url"


@needs_samples
def test_reddit_samples() -> None:
    for path in ("openwebtext2/RS_sample.zst", "openwebtext2/test_submissions.json"):
        facts = manifest()[path]["facts"]
        found = items("reddit-submissions", SAMPLES / path)
        assert len(documents(found)) + skipped(found).total() == facts["records"]
        assert facts["records"] - skipped(found)["link"] == facts["self_posts"]
        assert not lost(found)
