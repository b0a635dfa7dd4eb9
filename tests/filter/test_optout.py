"""Opt-out lists: addresses, domains, authors, digests."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pilebuilder.errors import RecipeError
from pilebuilder.filter.optout import OptOut, normal_url
from tests.models.docs import docs, reasons


def listing(folder: Path, *lines: str) -> tuple[str, ...]:
    path = folder / f"list{len(list(folder.iterdir()))}.txt"
    path.write_text("# a comment\n\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return (str(path),)


URLS = [
    "https://example.org/a/page",
    "http://www.example.org/a/page/#part",
    "https://example.org/a/page?x=1",
    "https://sub.news.example.com/x",
    "https://badexample.com/",
    "ftp://EXAMPLE.com:443",
    None,
]


def left(step: OptOut, **columns: list[object]) -> list[int]:
    n = len(next(iter(columns.values())))
    d = docs([f"text {i}" for i in range(n)], **columns)
    step(d)
    return sorted({row for row, _ in reasons(d)})


def test_addresses_compare_in_one_spelling(tmp_path: Path) -> None:
    assert left(OptOut(urls=listing(tmp_path, "example.org/a/page")), url=URLS) == [0, 1]
    assert left(OptOut(urls=listing(tmp_path, "https://example.org/a/*")), url=URLS) == [0, 1, 2]
    assert normal_url("http://user:pw@Host.COM:80/Path/?q#f") == "host.com/Path/?q"


def test_domains_cover_their_subdomains_and_no_look_alikes(tmp_path: Path) -> None:
    assert left(OptOut(domains=listing(tmp_path, "Example.com")), url=URLS) == [3, 5]
    assert left(OptOut(domains=listing(tmp_path, "*.news.example.com")), url=URLS) == [3]


def test_authors_are_looked_up_in_meta(tmp_path: Path) -> None:
    meta = [
        '{"author": "Ann  Example"}',
        '{"authors": ["Bo", "ANN EXAMPLE"]}',
        '{"title": "by Ann Example"}',
        '{"user": {"name": "ann example", "n": 3}}',
        '{"author": "Joann Example"}',
        '{"author": null}',
        '{"author": "Cy; Ann Example"}',
    ]
    assert left(OptOut(authors=listing(tmp_path, "Ann Example")), meta=meta) == [0, 1, 3, 6]
    assert left(OptOut(authors=listing(tmp_path, "Ann Example"), author_fields=("authors",)), meta=meta) == [1]


def test_digests_of_texts_and_ids(tmp_path: Path) -> None:
    d = docs(["one", "zwei \u00fc", "three"])
    ids = d.column("id").to_pylist()
    digest = hashlib.sha256("zwei \u00fc".encode()).hexdigest().upper()
    OptOut(hashes=listing(tmp_path, digest, ids[2]))(d)
    assert reasons(d) == [(1, "optout.hash"), (2, "optout.hash")]


def test_the_first_list_that_fits_is_the_reason(tmp_path: Path) -> None:
    d = docs(["x"], url=["https://a.b/c"])
    OptOut(urls=listing(tmp_path, "a.b/c"), domains=listing(tmp_path, "a.b"))(d)
    assert reasons(d) == [(0, "optout.url")]


def test_bad_lists_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="at least one list"):
        OptOut()
    with pytest.raises(RecipeError, match="no opt-out list"):
        OptOut(urls=(str(tmp_path / "none.txt"),)).digests()
    with pytest.raises(RecipeError, match="neither SHA-256"):
        OptOut(hashes=listing(tmp_path, "xyz"))(docs(["a"]))
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9.fr\n")
    with pytest.raises(RecipeError, match="not UTF-8 at byte 3"):
        OptOut(domains=(str(tmp_path / "latin.txt"),))(docs(["a"]))
    assert len(OptOut(urls=listing(tmp_path, "a.b/c")).digests()) == 1
