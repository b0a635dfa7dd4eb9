"""A small corpus with every kind of trouble in it, made afresh by the tests that build it end to end."""

from __future__ import annotations

import gzip
import io
import json
import random
from pathlib import Path

import zstandard

WORDS = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "that",
    "is",
    "was",
    "for",
    "on",
    "with",
    "as",
    "by",
    "at",
    "from",
    "have",
    "are",
    "this",
    "be",
    "which",
    "or",
    "an",
    "were",
    "we",
    "can",
    "has",
    "their",
    "more",
    "river",
    "stone",
    "letter",
    "garden",
    "window",
    "history",
    "teacher",
    "question",
    "market",
    "reason",
    "nature",
    "system",
    "village",
    "kitchen",
    "journey",
    "measure",
    "account",
    "record",
    "answer",
    "winter",
    "paper",
    "building",
    "language",
    "surface",
    "history",
    "condition",
    "movement",
    "picture",
]

RECIPE = """\
name: mini
seed: 5
components:
  - name: Letters
    fetch: {{local: {{path: {folder}/letters}}}}
    read: jsonl
    epochs: 1.5
  - name: Books
    fetch: {{local: {{path: {folder}/books}}}}
    read: gutenberg
  - name: Pages
    fetch: {{local: {{path: {folder}/pages}}}}
    read: warc
filter:
  - lang: {{keep: [en], min_score: 0.3}}
  - length: {{min_chars: 100}}
mix: {{val: 0.05, test: 0.05}}
shard: {{count: 3}}
quarantine: {{share: 0.5, files: 50}}
"""


def sentence(rng: random.Random) -> str:
    words = [rng.choice(WORDS) for _ in range(rng.randint(6, 18))]
    return " ".join(words).capitalize() + "."


def prose(rng: random.Random, sentences: int) -> str:
    lines = [" ".join(sentence(rng) for _ in range(3)) for _ in range(max(1, sentences // 3))]
    return "\n".join(lines)


def make(folder: Path, documents: int = 300) -> Path:
    """Write raw files and a recipe into `folder`; returns the recipe."""
    rng = random.Random(11)
    letters(folder / "letters", rng, documents)
    books(folder / "books", rng)
    pages(folder / "pages", rng, documents // 5)
    recipe = folder / "mini.yaml"
    recipe.write_text(RECIPE.format(folder=folder))
    return recipe


def letters(folder: Path, rng: random.Random, documents: int) -> None:
    """jsonl.zst and jsonl.gz with duplicates, near-duplicates, mojibake, another language, and two broken lines."""
    folder.mkdir(parents=True)
    originals = [prose(rng, rng.randint(6, 30)) for _ in range(documents)]
    rows = [{"id": f"l{i}", "text": text} for i, text in enumerate(originals)]
    rows += [{"id": f"exact{i}", "text": originals[i]} for i in range(0, documents, 10)]
    rows += [{"id": f"near{i}", "text": originals[i] + " " + sentence(rng)} for i in range(1, documents, 10)]
    rows += [{"id": f"short{i}", "text": "Too short."} for i in range(7)]
    rows += [{"id": "mojibake", "text": "The cafÃ© and the naÃ¯ve letter. " + prose(rng, 9)}]
    german = "Das ist ein deutscher Satz über die Geschichte der Stadt und ihre Bewohner. " * 6
    rows += [{"id": f"de{i}", "text": german + str(i)} for i in range(5)]
    lines = [json.dumps(row, ensure_ascii=False).encode() for row in rows]
    lines.insert(40, b'{"id": "broken", "text": "no end')
    lines.insert(80, b'{"id": "latin", "text": "caf\xe9 ' + b"x" * 200 + b'"}')
    half = len(lines) // 2
    (folder / "a.jsonl.zst").write_bytes(zstandard.compress(b"\n".join(lines[:half]) + b"\n"))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(b"\n".join(lines[half:]) + b"\n", mtime=0))
    whole = zstandard.compress(
        b"\n".join(json.dumps({"id": f"cut{i}", "text": t}).encode() for i, t in enumerate(originals[:50]))
    )
    (folder / "cut.jsonl.zst").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jsonl").write_bytes(b"")


def books(folder: Path, rng: random.Random) -> None:
    folder.mkdir(parents=True)
    for n in range(6):
        start, end = (f"*** {word} OF THE PROJECT GUTENBERG EBOOK {n} ***" for word in ("START", "END"))
        body = "\n\n".join(prose(rng, 6) for _ in range(20))
        (folder / f"pg{n}.txt").write_text(f"Title: Book {n}\n\n{start}\n\n{body}\n\n{end}\n\nLicence follows.\n")


def pages(folder: Path, rng: random.Random, documents: int) -> None:
    """A WARC of HTML pages, one gzip member a record, and a copy that is cut in the middle of a member."""
    folder.mkdir(parents=True)
    out = io.BytesIO()
    for n in range(documents):
        paragraphs = "".join(f"<p>{prose(rng, 6)}</p>" for _ in range(4))
        html = (
            f"<html><head><title>Page {n}</title></head><body><nav><a href='/'>Home</a></nav>"
            f"<main><h1>Page {n}</h1>{paragraphs}</main><footer>Contact us</footer></body></html>"
        ).encode()
        http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + html
        head = (
            f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-{n:012}>\r\n"
            f"WARC-Date: 2024-01-01T00:00:00Z\r\nWARC-Target-URI: http://example.org/{n}\r\n"
            f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
        ).encode()
        out.write(gzip.compress(head + http + b"\r\n\r\n", mtime=0))
    content = out.getvalue()
    (folder / "pages.warc.gz").write_bytes(content)
    (folder / "cut.warc.gz").write_bytes(content[: len(content) * 3 // 5])
