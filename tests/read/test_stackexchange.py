"""Stack Exchange: rendering, rules for answers, accounting of every row, hostile and broken files."""

from __future__ import annotations

import io
import random
import time
from pathlib import Path

import pytest

from pilebuilder.read.base import Record
from pilebuilder.read.markup import Escaped, html_text
from pilebuilder.read.rows import attributes, text
from pilebuilder.read.stackexchange import StackExchange
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

NAME = "example.stackexchange.com/Posts.xml"


def escaped(value: str) -> str:
    for a, b in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("\n", "&#xA;")):
        value = value.replace(a, b)
    return value


def row(ident: int, kind: int = 1, body: str = "<p>Body.</p>", **values: object) -> str:
    rest = "".join(f' {name}="{escaped(str(value))}"' for name, value in values.items())
    return f'  <row Id="{ident}" PostTypeId="{kind}"{rest} Body="{escaped(body)}" />\r\n'


QUESTION = (
    '<p>How do I <em>list</em> files &amp; folders? See <a href="https://x.org">this</a>.</p>\n'
    '<pre class="lang-sh"><code>ls -l |\n  grep &lt;x&gt;\n</code></pre>\n'
    "<ul>\n<li>one</li>\n<li>two<br>lines</li>\n"
    "</ul>"
)
ROWS = [
    row(1, 1, QUESTION, AcceptedAnswerId=4, CreationDate="2011-01-02T03:04:05.678", Score=7, OwnerUserId=9,
        Title="Files & folders?", Tags="<shell><ls>", AnswerCount=4),
    row(2, 2, "<p>Low.</p>", ParentId=1, CreationDate="2012-01-01T00:00:00", Score=2),
    row(3, 2, "<blockquote>\n<p>Quoted.</p>\n</blockquote>\n<p>Use <code>ls</code>.</p>", ParentId=1,
        CreationDate="2012-01-01T00:00:00", Score=5, OwnerDisplayName="Ann"),
    row(4, 2, "<p>Accepted.</p>", ParentId=1, CreationDate="2019-01-01T00:00:00", Score=0, OwnerUserId=-1),
    row(5, 2, "<p>Better.</p>", ParentId=1, CreationDate="2012-01-01", Score=8, ContentLicense="CC BY-SA 4.0"),
    row(6, 1, Title="Nobody knows", AnswerCount=0, CreationDate="2020-01-01", Tags="|a|b-c|"),
    row(7, 4, "wiki"),
    row(8, 2, "<p>Orphan.</p>", ParentId=99, Score=9, CreationDate="2020-01-01"),
    row(1_000_000_001, 1, "<p>planted</p>", Title="t"),
]  # fmt: skip
GOLDEN = """Q:

Files & folders?

How do I list files & folders? See this.

```
ls -l |
  grep <x>
```

- one
- two
  lines

A:

Better.

A:

> Quoted.

Use `ls`.

A:

Accepted."""


def table(rows: list[str], root: str = "posts") -> bytes:
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<{root}>\r\n{"".join(rows)}</{root}>'.encode()


def seven(files: dict[str, bytes]) -> bytes:
    import py7zr

    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return out.getvalue()


def test_golden_rendering(tmp_path: Path) -> None:
    items = read(StackExchange(), table(ROWS), NAME, tmp_path)
    [found] = records(items)
    assert found.text == GOLDEN
    assert found.key == "se:example.stackexchange.com:1"
    assert found.url == "https://example.stackexchange.com/questions/1"
    assert found.licence == "CC-BY-SA-2.5 AND CC-BY-SA-3.0 AND CC-BY-SA-4.0"
    assert found.meta["answer_ids"] == [5, 3, 4]
    assert found.meta["tags"] == ["shell", "ls"]
    assert found.meta["authors"] == ["user9", "", "Ann", "user-1"]
    assert found.meta["score"] == 7
    assert skipped(items) == {
        "other_post_type": 1, "watermark": 1, "no_kept_answer": 1, "orphan_answer": 1, "answer_not_kept": 1,
    }  # fmt: skip


def test_the_pile_rendering(tmp_path: Path) -> None:
    [found] = records(read(StackExchange(style="pile"), table(ROWS), NAME, tmp_path))
    assert found.text.startswith("Q:\n\nFiles & folders?\n\nHow do I list files & folders? See this.\nls -l |\n")
    assert found.text.endswith(
        "A:\n\nBetter.\n\nA:\n\n\nQuoted.\n\nUse ls.\n\nA:\n\nAccepted.\n\n".replace("\n\n\n", "\n\n")
    )
    lost = [ROWS[0].replace('AnswerCount="4"', 'AnswerCount="5"'), *ROWS[1:]]
    items = read(StackExchange(style="pile"), table(lost), NAME, tmp_path)
    assert not records(items)
    assert skipped(items)["answer_count_mismatch"] == 1
    assert len(records(read(StackExchange(), table(lost), NAME, tmp_path))) == 1


def rows_in(items: list) -> int:
    documents = sum(1 + len(item.meta["answer_ids"]) for item in items if isinstance(item, Record))
    return documents + sum(skipped(items).values()) + len(reasons(items))


@pytest.mark.parametrize("style", ["clean", "pile"])
def test_every_row_is_accounted_for(tmp_path: Path, style: str) -> None:
    broken = [*ROWS, '  <row Id="x" />\n', '  <row Id="9" PostTypeId="1" Body="a"b" />\n', row(6, 1, Title="twice")]
    items = read(StackExchange(style=style), table(broken), NAME, tmp_path)  # type: ignore[arg-type]
    assert rows_in(items) == len(broken)
    assert sorted(reasons(items)) == ["duplicate_id", "parse_error", "parse_error"]
    assert len(records(items)) == 1


def test_answer_before_its_question_and_rows_on_one_line_or_over_several(tmp_path: Path) -> None:
    odd = "".join(reversed(ROWS[:6])).replace("\r\n", "")
    folded = ROWS[0].replace(" AcceptedAnswerId", "\n    AcceptedAnswerId")
    for data in (table([odd, "\n", *ROWS[6:]]), table([folded, *ROWS[1:]])):
        items = read(StackExchange(), data, NAME, tmp_path)
        assert [item.text for item in records(items)] == [GOLDEN]
        assert rows_in(items) == len(ROWS)


def test_rows_beyond_memory_go_to_disk_and_come_back_the_same(tmp_path: Path) -> None:
    rows = [
        row(k, 1 + (k % 3 > 0), f"<p>{'x' * 3000} {k}</p>", Title=f"t{k}", Score=4, CreationDate="2020",
            **({"ParentId": k - k % 3} if k % 3 else {}))
        for k in random.Random(1).sample(range(3, 3003), 3000)
    ]  # fmt: skip
    small = read(StackExchange(memory=1 << 20), table(rows), NAME, tmp_path)
    assert small == read(StackExchange(), table(rows), NAME, tmp_path)
    assert len(records(small)) == 1000
    assert rows_in(small) == 3000


def test_archive_with_names_and_other_tables(tmp_path: Path) -> None:
    users = table(['  <row Id="9" DisplayName="Bo &amp; co" />\n'], "users")
    data = seven({"Badges.xml": table([], "badges"), "posts.xml": table(ROWS), "Users.xml": users})
    [found] = records(read(StackExchange(), data, "dump/example.org.7z", tmp_path))
    assert found.meta["authors"][0] == "Bo & co"
    assert found.text == GOLDEN
    assert found.key == "se:example.org:1"
    assert skipped(read(StackExchange(), seven({"Votes.xml": b"<votes></votes>"}), "a.7z", tmp_path)) == {
        "other_table": 1
    }
    assert skipped(read(StackExchange(), users, "x/Users.xml", tmp_path)) == {"other_table": 1}


def test_cuts(tmp_path: Path) -> None:
    data = table(ROWS)
    edges = [i + 1 for i, byte in enumerate(data) if byte == 10]
    assert_cuts_are_detected(StackExchange(), data, NAME, tmp_path, edges)
    assert_cuts_are_detected(StackExchange(), seven({"Posts.xml": data}), "a.7z", tmp_path, [32])


def test_flips_and_wrong_files(tmp_path: Path) -> None:
    assert_flips_are_survived(StackExchange(), table(ROWS), NAME, tmp_path, 150)
    assert_flips_are_survived(StackExchange(), seven({"Posts.xml": table(ROWS)}), "a.7z", tmp_path)
    assert_wrong_files_are_named(StackExchange(), NAME, tmp_path)
    assert_wrong_files_are_named(StackExchange(), "a.7z", tmp_path)
    assert reasons(read(StackExchange(), table(ROWS) + b"<more/>", NAME, tmp_path)) == ["trailing_garbage"]


def test_declared_entities_are_never_resolved(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(CANARY)
    hostile = f'<!DOCTYPE posts [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>'.encode()
    data = table([ROWS[0].replace("Files &amp; folders?", "&x;&b;"), *ROWS[1:]]).replace(
        b"<posts>", hostile + b"<posts>"
    )
    [found] = records(read(StackExchange(), data, NAME, tmp_path))
    assert CANARY not in found.text
    assert "aaaa" not in found.text


def test_bad_bytes_cost_one_question(tmp_path: Path) -> None:
    data = table(
        [*ROWS, row(20, 1, Title="Bad ~", CreationDate="2020"), row(21, 2, ParentId=20, Score=9, CreationDate="2020")]
    )
    items = read(StackExchange(), data.replace(b"Bad ~", b"Bad \xff"), NAME, tmp_path)
    assert reasons(items) == ["bad_utf8"]
    assert len(records(items)) == 1
    assert rows_in(items) == len(ROWS) + 2


def test_a_bomb_stops(tmp_path: Path) -> None:
    started = time.process_time()
    data = seven({"Posts.xml": table([row(1, 1, "a" * (80 << 20))])})
    assert reasons(read(StackExchange(), data, "a.7z", tmp_path)) == ["bomb"]
    assert len(data) < 1 << 20
    assert time.process_time() - started < 60


def test_attributes_do_not_depend_on_what_was_read_before() -> None:
    bad = b'<row Id="1" Score="2" garbage />'
    assert attributes(bad) is None
    assert attributes(b'<row Id="1" Score="2" />') == {b" Id=": b"1", b" Score=": b"2"}
    assert attributes(bad) is None
    assert attributes(b'<row Id="1"Score="2" />') is None


TOKENS = """<p> </p> <code> </code> <pre> </pre> <ul> </ul> <ol> </ol> <li> </li> <blockquote> </blockquote> <br> <br/>
<h1> </h1> <hr> <a~href="x"> </a> <!--~x~<p>~--> <!-- <!--> & &lt; &amp; &quot; &nbsp; &#39; &#8217; &hellip; &l t; ~ a
word é 漢 " > < ``` <table> <td> </table> <script> </script> <P> <p/> <x> &#13; &#x1F600;""".split()  # noqa: SIM905
TOKENS = [token.replace("~", " ") for token in TOKENS] + ["\n", "\t", "\u2003", "\u00a0", "\u0085", "\x0b"]


def test_the_compiled_way_gives_what_the_slow_way_gives() -> None:
    draw, fast = random.Random(11), Escaped()
    for _ in range(20_000):
        html = "".join(draw.choices(TOKENS[: draw.choice((20, 34, len(TOKENS)))], k=draw.randint(1, 14)))
        value = escaped(html).replace("\r", "&#xD;").encode()
        assert text(value) == html
        assert fast.text(value, text) == html_text(html), html
    assert fast.slow < 16_000
