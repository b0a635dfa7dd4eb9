"""Stack Exchange data dumps: ``{site}.7z`` with eight tables, or a ``Posts.xml`` of its own.

Format: https://meta.stackexchange.com/questions/2677 (database schema of the dump). ``Posts.xml`` is UTF-8 with a byte
order mark, one ``<row .../>`` a line, everything in attributes, the body as escaped HTML.

Record unit: a question with its kept answers, at most `max_answers`, the accepted one and those that score at least
`min_answer_score`, best first. Every other row is counted: see skip reasons.
Id: ``se:{site}:{question id}``; the site is the archive's or folder's name, the id is the site's own.
Text, from ``<p>How?</p>`` and ``<p>So.</p>``::

    Q:

    Title of the question

    How?

    A:

    So.

``clean`` writes code blocks in fences, inline code in backticks, lists and quotes as Markdown, links as their text.
``pile`` is the original: all text nodes as they are, runs of three or more newlines as two, a newline pair at the end,
and a question is lost when its number of answers is not the one it declares.
Metadata: site, question_id, answer_ids, title, tags, score, created, authors, author_ids.
Licence: `ContentLicense` of question and answers, else by date (CC BY-SA 2.5 before 2011-04-08, 3.0 before 2018-05-02,
4.0 after); several make one SPDX expression. The URL and the authors are the attribution.
Skip reasons: ``other_table``; per row ``other_post_type``, ``watermark`` (planted posts, ids from 1,000,000,000),
``no_kept_answer`` (question), ``answer_not_kept``, ``answer_unkept_question`` (its question is quarantined or lost),
``orphan_answer``, ``answer_count_mismatch`` (pile). Rows of the table = documents + answers in them + skipped +
quarantined.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder.ledger import context
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.characters import tidy
from pilebuilder.read.markup import Escaped, strip_tags
from pilebuilder.read.rows import Attributes, attributes, table_rows
from pilebuilder.read.rows import text as unescaped
from pilebuilder.read.spill import Row, Sorter
from pilebuilder.read.streams import open_stream
from pilebuilder.read.whole import whole
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from pilebuilder.read.archives import Readable

WATERMARK = 1_000_000_000
"""From mid-2025 on the dumps hold planted posts with ids of at least this."""
TABLES = ("badges", "comments", "posthistory", "postlinks", "tags", "users", "votes")

_KEYS = re.compile(rb'<row Id="(\d{1,18})" PostTypeId="(\d+)"(?: ParentId="(\d{1,18})")?')
_SCORE = re.compile(rb' Score="(-?\d{1,18})"')
_TAGS = re.compile(r"[^<>|]+")
_NEWLINES = re.compile(r"\n{3,}")
_ESCAPED = Escaped()
_LICENCES = (("2011-04-08", "CC-BY-SA-2.5"), ("2018-05-02", "CC-BY-SA-3.0"))


@reader("stackexchange", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class StackExchange:
    """Questions with their kept answers from a Stack Exchange dump (7z or Posts.xml)."""

    style: Annotated[Literal["clean", "pile"], Field(description="text as Markdown, or as the Pile had it")] = "clean"
    min_answer_score: Annotated[int, Field(description="score from which an answer is kept unaccepted")] = 3
    max_answers: Annotated[int, Field(ge=1, description="answers kept for a question")] = 3
    authors: Annotated[bool, Field(description="look names up in the archive's Users.xml")] = True
    memory: Annotated[int, Field(ge=1 << 20, description="bytes of rows held before they go to a temporary file")] = (
        128 << 20
    )

    def __call__(self, raw: Raw) -> Iterator[Item]:
        return whole(raw, self._read(raw))

    def _read(self, raw: Raw) -> Iterator[Item]:
        sorter, users, site = Sorter(self.memory), None, site_of(raw)
        if raw.name.lower().endswith(".7z"):
            users = _Users() if self.authors else None
            found = yield from _archive(raw, sorter, users)
            if not found:
                return
        else:
            with open_stream(raw.path, expect=raw.name) as stream:
                if not (yield from _posts(stream, sorter)):
                    return
        yield from self._threads(site, sorter, users)

    def _threads(self, site: str, sorter: Sorter, users: _Users | None) -> Iterator[Item]:
        skipped: Counter[str] = Counter()
        for _, group in groupby(sorter, key=lambda row: row[0]):
            yield from self._thread(site, list(group), users, skipped)
        for reason, count in sorted(skipped.items()):
            yield Skipped(reason=reason, count=count)

    def _thread(self, site: str, rows: list[Row], users: _Users | None, skipped: Counter[str]) -> Iterator[Item]:
        (number, order, offset, line), answers = rows[0], rows[1:]
        if order:
            skipped["orphan_answer"] += len(rows)
            return
        key, question = f"se:{site}:{number}", attributes(line)
        while answers and not answers[0][1]:
            detail = f"question {number} comes twice"
            yield Quarantined(reason="duplicate_id", offset=answers.pop(0)[2], detail=detail, key=key)
        if question is None:
            yield Quarantined(reason="parse_error", offset=offset, detail=f"not a post: {context(line)}", key=key)
            skipped["answer_unkept_question"] += len(answers)
            return
        accepted = _int(question, b" AcceptedAnswerId=")
        scored = [(_score(row), ident, at, row) for _, ident, at, row in answers]
        kept = [a for a in scored if a[0] >= self.min_answer_score or a[1] == accepted]
        kept = sorted(kept, key=lambda a: (-a[0], a[1]))[: self.max_answers]
        if self.style == "pile" and len(answers) != _int(question, b" AnswerCount="):
            skipped["answer_count_mismatch"] += 1
            skipped["answer_unkept_question"] += len(answers)
            return
        posts = []
        for _, ident, at, row in kept:
            if (post := attributes(row)) is None:
                yield Quarantined(reason="parse_error", offset=at, detail=f"not a post: {context(row)}")
            else:
                posts.append((ident, post))
        skipped["answer_not_kept"] += len(answers) - len(kept)
        if not posts:
            skipped["no_kept_answer"] += 1
            return
        try:
            yield self._record(site, offset, question, posts, users)
        except UnicodeDecodeError as error:
            yield Quarantined(reason="bad_utf8", offset=offset, detail=f"question {number}: {error}", key=key)
            skipped["answer_unkept_question"] += len(posts)

    def _record(
        self, site: str, offset: int, question: Attributes, kept: list[tuple[int, Attributes]], users: _Users | None
    ) -> Record:
        title, posts = _value(question, b" Title="), [question, *(post for _, post in kept)]
        if self.style == "pile":
            head, *tail = (strip_tags(_value(post, b" Body=")) for post in posts)
            text = f"Q:\n\n{title}\n\n{head}\n\n" + "".join(f"A:\n\n{answer}\n\n" for answer in tail)
            text = _NEWLINES.sub("\n\n", text)
        else:
            head, *tail = (_ESCAPED.text(post.get(b" Body=", b""), unescaped) for post in posts)
            text = tidy("\n\n".join(["Q:", title, head, *(part for answer in tail for part in ("A:", answer))]))
        key, created = _value(question, b" Id="), _value(question, b" CreationDate=")
        owners = [_value(post, b" OwnerUserId=") for post in posts]
        names = [
            _value(post, b" OwnerDisplayName=") or (users and users.name(owner)) or (owner and f"user{owner}")
            for post, owner in zip(posts, owners, strict=True)
        ]
        licences = sorted({_licence(post) for post in posts})
        return Record(
            key=f"se:{site}:{key}",
            text=text,
            offset=offset,
            url=f"https://{site}/questions/{key}",
            date=created,
            licence=" AND ".join(licences),
            meta={
                "site": site,
                "question_id": int(key),
                "answer_ids": [ident for ident, _ in kept],
                "title": title,
                "tags": _TAGS.findall(_value(question, b" Tags=")),
                "score": _int(question, b" Score="),
                "created": created,
                "authors": names,
                "author_ids": owners,
            },
        )


def site_of(raw: Raw) -> str:
    """The site's host name, from the archive's or the folder's name.

    >>> site_of(Raw(path=None, name="x/stackoverflow.com-Posts.7z", sha256="", bytes=0, component="c"))
    'stackoverflow.com'
    """
    folder, _, file = raw.name.rpartition("/")
    stem = re.sub(r"(-[A-Z][A-Za-z]+)?\.7z$", "", file)
    name = stem if stem != file else folder.rpartition("/")[2]
    return str(raw.extra.get("site") or name or re.sub(r"\..*", "", file).lower())


def _value(post: Attributes, name: bytes) -> str:
    return unescaped(post.get(name, b""))


def _int(post: Attributes, name: bytes) -> int:
    value = post.get(name, b"")
    return int(value) if value.lstrip(b"-").isdigit() else 0


def _score(row: bytes) -> int:
    found = _SCORE.search(row)
    return int(found.group(1)) if found else 0


def _licence(post: Attributes) -> str:
    stated = _value(post, b" ContentLicense=")
    if stated:
        return stated.replace("CC BY-SA ", "CC-BY-SA-")
    created = _value(post, b" CreationDate=")
    return next((name for before, name in _LICENCES if created < before), "CC-BY-SA-4.0")


# Tables -------------------------------------------------------------------------------------------------------------


def _archive(raw: Raw, sorter: Sorter, users: _Users | None) -> Generator[Item, None, bool]:
    """Feed the Posts table of a 7z archive (and the Users table); returns whether there was one."""
    from pilebuilder.read.archives import Refused
    from pilebuilder.read.sevenzip import seven_members

    found, names = False, users is None
    for member in seven_members(raw.path):
        table = member.name.rpartition("/")[2].lower().removesuffix(".xml")
        if isinstance(member, Refused):
            yield Quarantined(reason=member.reason, offset=member.offset, detail=member.detail)
        elif table == "posts" and not found:
            found = yield from _posts(member, sorter)
        elif table == "users" and users is not None:
            _names(member, users)
            names = True
        if found and names:
            break
    if not found:
        yield Skipped(reason="other_table")
    return found


def _posts(stream: Readable, sorter: Sorter) -> Generator[Item, None, bool]:
    """Feed the rows of a Posts table; yields what is no question or answer; returns whether it is such a table."""
    skipped: Counter[str] = Counter()
    lines = table_rows(stream)
    name = next(lines)
    if not isinstance(name, str):
        assert not isinstance(name, tuple)
        yield name
        return False
    if name in TABLES:
        yield Skipped(reason="other_table")
        return False
    for row in lines:
        if not isinstance(row, tuple):
            assert not isinstance(row, str)
            yield row
            continue
        offset, line = row
        keys = _keys(line)
        if keys is None:
            yield Quarantined(reason="parse_error", offset=offset, detail=f"not a post: {context(line)}")
            continue
        number, kind, parent = keys
        if number >= WATERMARK:
            skipped["watermark"] += 1
        elif kind in (b"1", b"2"):
            sorter.add(parent, 0 if kind == b"1" else number, offset, line)
        else:
            skipped["other_post_type"] += 1
    for reason, count in sorted(skipped.items()):
        yield Skipped(reason=reason, count=count)
    return True


def _keys(line: bytes) -> tuple[int, bytes, int] | None:
    """Id, type, and id of the question that a post belongs to; None for what is no whole row."""
    found = _KEYS.match(line)
    if found and not line.count(b'"') % 2 and (found.group(3) or found.group(2) != b"2"):
        number = int(found.group(1))
        return number, found.group(2), int(found.group(3) or number)
    post = attributes(line) or {}
    number, kind = _int(post, b" Id="), post.get(b" PostTypeId=", b"")
    parent = _int(post, b" ParentId=") if kind == b"2" else number
    return (number, kind, parent) if number > 0 and parent > 0 and kind else None


def _names(stream: Readable, users: _Users) -> None:
    """Fill the table of display names, if this is one."""
    lines = table_rows(stream)
    if next(lines) != "users":
        return
    users.add(
        (int(found[b" Id="]), _value(found, b" DisplayName="))
        for row in lines
        if isinstance(row, tuple) and (found := attributes(row[1])) and found.get(b" Id=", b"").lstrip(b"-").isdigit()
    )


class _Users:
    """Display names by user id in a private temporary database, so that memory does not grow with the site."""

    def __init__(self) -> None:
        import sqlite3

        self._base = sqlite3.connect("")  # "": on disk when it grows, without a name, gone at the end
        self._base.execute("CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT)")

    def add(self, rows: Iterator[tuple[int, str]]) -> None:
        self._base.executemany("INSERT OR REPLACE INTO user VALUES (?, ?)", rows)

    def name(self, user: str) -> str:
        if not user.lstrip("-").isdigit():
            return ""
        found = self._base.execute("SELECT name FROM user WHERE id = ?", (int(user),)).fetchone()
        return str(found[0]) if found else ""
