"""What raw files of one component do to each other: updates, deletions, copies, threads over several files."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from pilebuilder.build.run import Build
from pilebuilder.read.copies import Seen
from pilebuilder.read.pubmed_order import Pmids, in_order
from pilebuilder.recipe import load_recipe
from tests.read.drive import run_component
from tests.read.fixtures import jsonl, tar
from tests.read.test_enron import mail
from tests.read.test_pubmed import article, file


def orders(*pmids: int) -> str:
    return "<DeleteCitation>" + "".join(f'<PMID Version="1">{pmid}</PMID>' for pmid in pmids) + "</DeleteCitation>"


@pytest.mark.parametrize("limit", [1 << 24, 1], ids=["one group", "a group a file"])
def test_later_pubmed_files_replace_and_delete(tmp_path: Path, limit: int) -> None:
    """Listed newest first: the numbers in the names decide, not the inventory."""
    files = {
        "updatefiles/pubmed26n1336.xml.gz": file(article(4, "again"), orders(5)),
        "updatefiles/pubmed26n1335.xml.gz": file(article(2, "newer"), article(5, "brief"), orders(3, 4)),
        "baseline/pubmed26n0002.xml.gz": file(article(3, "deleted"), article(6, "stays", version=2)),
        "baseline/pubmed26n0001.xml.gz": file(
            article(1, "kept"), article(2, "old"), article(4, "old"), article(6, "v1"), article(7, "low"), article(7)
        ),
    }
    documents, ledger, tally = run_component(tmp_path, "pubmed", files, limit=limit)
    titles = {row["url"].split("/")[-2]: row["text"].partition("\n")[0] for row in documents.values()}
    assert titles == {"1": "kept", "2": "newer", "4": "again", "6": "stays", "7": "Water works"}
    # superseded: 2, 4, 6 and the first 7 of file 1; deleted: 3 of file 2 and 5 of 1335; three orders
    assert ledger == {"superseded": 4, "deleted": 2, "deletion": 3}
    assert tally["Test"].seen == tally["Test"].kept + 9 == 14


def test_a_later_file_without_effect_leaves_the_others_tasks_alone(tmp_path: Path) -> None:
    from types import SimpleNamespace
    from typing import Any

    from pilebuilder.read.stage import Plan

    rows = [{"name": f"pubmed26n{k:04}.xml", "path": str(k), "sha256": f"{k:064}", "bytes": 9} for k in range(3)]
    component: Any = SimpleNamespace(name="Test", read=("pubmed", {}))
    two, three = Plan(component, rows[:2], 1), Plan(component, rows, 1)
    assert [t.key for t in two.reading()] == [t.key for t in three.reading()][:2]
    assert not Plan(component, rows[:1], 1).surveyed


def test_a_broken_later_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    cut = file(article(1, "new"), *(article(k, random.Random(k).randbytes(3000).hex()) for k in range(2, 9)))
    files = {"pubmed26n0001.xml.gz": file(article(1, "old"), article(8, "old")), "pubmed26n0002.xml.gz": cut[:9000]}
    documents, ledger, _ = run_component(tmp_path, "pubmed", files)
    found = {row["url"].split("/")[-2]: row["text"].partition("\n")[0] for row in documents.values()}
    assert (found["1"], found["8"]) == ("new", "old")
    assert (ledger["superseded"], ledger["truncated"]) == (1, 1)


def test_order_of_names() -> None:
    assert in_order(["pubmed26n0010.xml.gz", "b/pubmed25n1600.xml.gz"]) == [
        "b/pubmed25n1600.xml.gz",
        "pubmed26n0010.xml.gz",
    ]
    assert in_order(["z.xml", "pubmed26n0001.xml"]) == ["z.xml", "pubmed26n0001.xml"]


def test_the_set_of_pmids_is_a_set() -> None:
    draw = np.random.default_rng(1)
    held, found = set[int](), Pmids()
    for _ in range(20):
        some = np.concatenate((draw.integers(0, 1 << 21, 300), draw.integers(1 << 40, (1 << 40) + 50, 5)))
        asked = np.concatenate((draw.integers(0, 1 << 21, 3000), draw.integers(1 << 40, (1 << 40) + 50, 5)))
        found.add(some)
        held.update(some.tolist())
        assert found.have(asked).tolist() == [int(n) in held for n in asked]


LONG = "We study how cells divide, and what keeps them from it. " * 3


def table(*rows: tuple[int, str]) -> bytes:
    return b"APPLICATION_ID,ABSTRACT_TEXT\r\n" + b"".join(f'{n},"{text}"\r\n'.encode() for n, text in rows)


@pytest.mark.parametrize("limit", [1 << 24, 1], ids=["one group", "a group a file"])
def test_an_abstract_stays_in_its_first_year(tmp_path: Path, limit: int) -> None:
    files = {
        "abstracts/2015.csv": table((1, LONG), (3, LONG + "Three."), (4, LONG), (5, "short")),
        "abstracts/2014.csv": table((1, LONG), (2, LONG), (5, LONG + "Five.")),
    }
    documents, ledger, _ = run_component(tmp_path / "clean", "nih-exporter", files, limit=limit)
    found = sorted((row["origin_file"], row["meta"].split('"')[3]) for row in documents.values())
    assert found == [("abstracts/2014.csv", "1"), ("abstracts/2014.csv", "5"), ("abstracts/2015.csv", "3")]
    assert ledger == {"repeated": 1, "same_abstract": 2, "too_short": 1}
    _, ledger, _ = run_component(tmp_path / "pile", "nih-exporter", files, limit=limit, style="pile")
    assert ledger == {"repeated": 2}


def test_projects_of_the_same_year_are_joined(tmp_path: Path) -> None:
    projects = b"APPLICATION_ID,PROJECT_TITLE,IC_NAME,ORG_NAME,CORE_PROJECT_NUM,FY\r\n"
    files = {
        "abstracts/2014.csv": table((1, LONG), (2, LONG + "Two.")),
        "projects/2014.csv": projects + b'1,"How  cells divide",NIGMS,A COLLEGE,R01GM1,2014\r\nx,y\r\n',
        "projects/2015.csv": projects + b"2,Another year,NCI,B,R02,2015\r\n",
    }
    documents, ledger, _ = run_component(tmp_path, "nih-exporter", files, title=True)
    one, two = documents.values()
    assert one["text"].startswith("How cells divide\n\nWe study")
    assert one["meta"] == (
        '{"application_id":"1","fy":2014,"title":"How  cells divide","institute":"NIGMS","organisation":"A COLLEGE",'
        '"core_project_num":"R01GM1"}'
    )
    assert two["text"].startswith("We study")
    assert ledger == {"project_table": 2}


def test_copies_of_a_mail_in_several_files_are_one_document(tmp_path: Path) -> None:
    body = "Please let me know your thoughts on this by noon.\n"
    files = {
        "maildir/a/sent/1.": mail(body),
        "maildir/a/_sent_mail/7.": mail(body).replace(b"<1.2.", b"<3.4."),
        "maildir/b/inbox/2.": mail(body, subject="Something else"),
        "all.tar": tar({"maildir/c/1.": mail(body), "maildir/c/2.": mail("Another body, and a longer one it is.\n")}),
    }
    documents, ledger, _ = run_component(tmp_path / "clean", "enron", files, limit=1)
    assert sorted(row["origin_file"] for row in documents.values()) == [
        "all.tar",
        "maildir/a/sent/1.",
        "maildir/b/inbox/2.",
    ]
    assert ledger == {"duplicate": 2}
    documents, ledger, _ = run_component(tmp_path / "pile", "enron", files, limit=1, style="pile")
    assert (len(documents), ledger) == (5, {})


def item(number: int, parent: int = 0, **more: object) -> dict[str, object]:
    kind = {"parent": parent, "type": "comment"} if parent else {"title": f"Story {number}", "type": "story"}
    return {"id": number, "by": f"u{number}", "text": f"said {number}", "score": 5, "time": 1_000_000, **kind, **more}


@pytest.mark.parametrize("limit", [1 << 24, 1], ids=["one group", "a group a file"])
def test_threads_over_several_files_are_whole(tmp_path: Path, limit: int) -> None:
    """Story 1 has replies in the next two files, one of them by way of both; 90 answers nothing that is there."""
    months = [
        [item(1), item(2, 1), item(3, 2), item(9, 8)],  # 9 answers 8, which is in the second file
        [item(10), item(4, 3), item(8, 4), item(5, 1), item(11, 10), item(90, 89)],
        [item(20), item(12, 8), item(21, 20), item(13, 11)],
    ]
    together = jsonl(row for month in months for row in month)
    alone, _, _ = run_component(tmp_path / "alone", "hackernews", {"all.jsonl": together})
    files = {f"2020-0{k}.jsonl": jsonl(month) for k, month in enumerate(months, 1)}
    split, ledger, tally = run_component(tmp_path / "split", "hackernews", files, limit=limit)
    assert {k: (row["text"], row["meta"]) for k, row in split.items()} == {
        k: (row["text"], row["meta"]) for k, row in alone.items()
    }
    assert len(split) == 3
    assert "\n> > > > u9:\n> > > > said 9\n" in next(iter(split.values()))["text"]
    # under 3 and 1 in the second file, under 8 and 11 in the third; that under 8 in the first comes home by the second
    assert ledger == {"elsewhere": 4, "no_story": 1}
    assert tally["Test"].seen == 8


def test_an_item_a_file(tmp_path: Path) -> None:
    rows = [item(1, kids=[3, 2]), item(2, 1), item(3, 1), item(4, 3)]
    files = {f"v0/item/{row['id']}.json": jsonl([row]) for row in rows}
    documents, ledger, _ = run_component(tmp_path, "hackernews", files)
    [document] = documents.values()
    assert document["text"].replace("\n", " ") == "Story 1  said 1  u3: said 3  > u4: > said 4  u2: said 2"
    assert ledger == {"elsewhere": 3}


def test_a_cut_file_gives_the_stories_that_are_in_it(tmp_path: Path) -> None:
    cut = gzip.compress(jsonl([item(1), item(2, 1)])) + gzip.compress(jsonl([item(3), item(4, 3)]))[:-5]
    documents, ledger, _ = run_component(tmp_path, "hackernews", {"a.jsonl.gz": cut})
    assert [row["text"].split("\n")[0] for row in documents.values()][:1] == ["Story 1"]
    assert ledger["truncated"] == 1


def test_words_that_were_seen() -> None:
    draw, held, seen = random.Random(4), set[int](), Seen()
    for _ in range(30_000):
        word = draw.randrange(-20_000, 20_000) * 3**25
        assert seen.note(word) == (word in held)
        held.add(word)


def log(*lines: str) -> bytes:
    return "".join(f"[12:00] <ann> {line}\n" for line in lines).encode()


def test_days_of_a_week_in_one_document(tmp_path: Path) -> None:
    files = {
        "2005/01/04/#a.txt": log("tuesday of week 1 in 2005"),
        "2004/12/27/%23a.txt": log("monday of week 53"),
        "2005/01/02/#a.txt": log("sunday of week 53"),
        "2005/01/02/#b.txt": log("another channel"),
        "2006/01/03/#a.txt": log("tuesday of week 1 in 2006"),
        "2006/01/04/#a.txt": b"=== ann has joined #a\n",
    }
    days, ledger, _ = run_component(tmp_path / "day", "ubuntu-irc", files)
    assert (len(days), ledger) == (5, {"no_messages": 1})
    weeks, ledger, _ = run_component(tmp_path / "week", "ubuntu-irc", files, limit=1, per="week")
    assert sorted(row["text"] for row in weeks.values()) == [
        "<ann> another channel",
        "<ann> monday of week 53\n\n<ann> sunday of week 53",
        "<ann> tuesday of week 1 in 2005",
        "<ann> tuesday of week 1 in 2006",
    ]
    assert ledger == {"in_week": 2}
    pile, ledger, tally = run_component(tmp_path / "pile", "ubuntu-irc", files, style="pile")
    texts = sorted(row["text"] for row in pile.values())
    assert texts[1] == "#a 2005-01-04\n<ann> tuesday of week 1 in 2005\n#a 2006-01-03\n<ann> tuesday of week 1 in 2006"
    assert len(texts) == 3
    assert ledger == {"in_week": 3}
    assert tally["Test"].seen == 6


def test_a_broken_day_is_told_where_it_is_read_itself(tmp_path: Path) -> None:
    cut = gzip.compress(log(*(f"line {random.Random(k).random()}" for k in range(3000))))[:-2000]
    files = {"2005/01/04/#a.txt": log("good"), "2005/01/05/#a.txt.gz": cut}
    documents, ledger, _ = run_component(tmp_path, "ubuntu-irc", files, per="week")
    assert len(documents) == 1
    assert ledger == {"truncated": 1}


def test_the_build_surveys_settles_and_reads(tmp_path: Path) -> None:
    """Through a recipe; a second run does nothing, and a later file re-reads only what it changes."""
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "pubmed26n0001.xml.gz").write_bytes(file(article(1, "kept"), article(2, "old")))
    (raw / "pubmed26n0002.xml.gz").write_bytes(file(article(2, "newer"), article(3, "brief")))
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"name: r\ncomponents:\n  - name: P\n    fetch: {{local: {{path: {raw}}}}}\n    read: pubmed\n"
        "    licence: {spdx: CC0-1.0}\nread: {partition_bytes: 1 MiB}\n"
    )

    def built() -> tuple[dict[str, int], int]:
        build = Build(load_recipe(recipe), tmp_path / "out", workers=1, target="read")
        count = build.run()["read"].of("P")
        return {**count.dropped, "kept": count.kept}, len(build.manifests("read"))

    assert built() == ({"superseded": 1, "kept": 3}, 3)
    assert built() == ({"superseded": 1, "kept": 3}, 3)
    (raw / "pubmed26n0003.xml.gz").write_bytes(file(orders(3)))
    assert built() == ({"superseded": 1, "deleted": 1, "deletion": 1, "kept": 2}, 3)
