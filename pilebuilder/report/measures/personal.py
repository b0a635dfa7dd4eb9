"""Personal data and secrets in text: counted by type, never shown; and a mask for text that is shown.

Definitions after "What's in my big data" (Elazar et al. 2024): e-mail, telephone (North American plan), IPv4, with its
filters for numbers near "isbn", "doi" or "#"; payment cards by the Luhn test; keys and tokens by their prefixes.
All patterns are linear: numbers by a kernel, the rest by searches that a literal gates, in windows of bounded size.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from pilebuilder.report.counters import Counters
from pilebuilder.report.measures.texts import Texts

TYPES = ("email", "phone", "ipv4", "card", "secret")
NAMES = {
    "email": "e-mail address",
    "phone": "telephone number",
    "ipv4": "IPv4 address",
    "card": "payment card",
    "secret": "key or token",
}
NEAR = 50
"""Bytes around a number in which "isbn", "doi" or "#" says that it is none."""
WINDOW = 160
_EMAIL = re.compile(
    rb"(?<![A-Za-z0-9._%+'@-])[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9][A-Za-z0-9-]{0,62}\.){1,5}[A-Za-z]{2,24}(?![A-Za-z0-9@])"
)
_OTHER = re.compile(rb"isbn|doi|#", re.IGNORECASE)
_ADDRESS = re.compile(rb"https?://|www\.", re.IGNORECASE)
# prefix that a search looks for -> what must stand there
_SECRETS = {
    b"AKIA": rb"AKIA[0-9A-Z]{16}(?![0-9A-Za-z])",
    b"ghp_": rb"ghp_[0-9A-Za-z]{36}",
    b"github_pat_": rb"github_pat_[0-9A-Za-z_]{60,}",
    b"glpat-": rb"glpat-[0-9A-Za-z_-]{20}",
    b"xox": rb"xox[abprs]-[0-9A-Za-z-]{10,}",
    b"sk_live_": rb"sk_live_[0-9A-Za-z]{16,}",
    b"AIza": rb"AIza[0-9A-Za-z_-]{35}",
    b"hf_": rb"hf_[A-Za-z0-9]{34}(?![0-9A-Za-z])",
    b"sk-ant-": rb"sk-ant-[0-9A-Za-z_-]{20,}",
    b"-----BEGIN ": rb"-----BEGIN (?:[A-Z]{2,10} ){0,2}PRIVATE KEY-----",
    b"eyJ": rb"eyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}",
}
_PATTERNS = {prefix: re.compile(pattern) for prefix, pattern in _SECRETS.items()}
SECRET_WINDOW = 512
PIECE = 4 << 20
"""Bytes of text that are searched at a time."""

Match = tuple[str, int, int, int]
"""Type, document, first byte, byte after the last."""


def find(texts: Texts) -> list[Match]:
    """All matches after the filters, by place."""
    found = [*_emails(texts), *_numbers(texts), *_keys(texts)]
    return sorted(found, key=lambda m: (m[1], m[2], m[0]))


def _rows(texts: Texts, places: np.ndarray) -> np.ndarray:
    return np.searchsorted(texts.offsets, places, "right") - 1


def _emails(texts: Texts) -> Iterator[Match]:
    first, last = int(texts.offsets[0]), int(texts.offsets[-1])
    places = np.flatnonzero(texts.data[first:last] == ord("@")) + first
    for place, row in zip(places.tolist(), _rows(texts, places).tolist(), strict=True):
        around, at = texts.around(row, place, place + 1, WINDOW)
        for match in _EMAIL.finditer(around, max(0, at - 65), min(len(around), at + WINDOW)):
            if match.start() < at < match.end():
                yield "email", row, place - at + match.start(), place - at + match.end()
                break


def _numbers(texts: Texts) -> Iterator[Match]:
    from pilebuilder.kernels.digits import CARD, IPV4, PHONE, find_numbers

    room = 1 << 12
    while True:
        rows = np.empty((room, 4), np.int64)
        count = find_numbers(texts.data, texts.offsets, rows)
        if count <= room:
            break
        room = count
    names = {PHONE: "phone", IPV4: "ipv4", CARD: "card"}
    for kind, row, start, stop in rows[:count].tolist():
        around, _ = texts.around(row, start, stop, NEAR)
        if _OTHER.search(around) or (kind == PHONE and _ADDRESS.search(around)):
            continue
        yield names[kind], row, start, stop


def _keys(texts: Texts) -> Iterator[Match]:
    first, last = int(texts.offsets[0]), int(texts.offsets[-1])
    content = texts.data[first:last].tobytes()
    for prefix, pattern in _PATTERNS.items():
        at = content.find(prefix)
        while at >= 0:
            row = int(_rows(texts, np.array([first + at]))[0])
            stop = min(at + SECRET_WINDOW, int(texts.offsets[row + 1]) - first)
            match = pattern.match(content, at, stop)
            if match:
                yield "secret", row, first + at, first + match.end()
            at = content.find(prefix, at + len(prefix))


def is_global(texts: Texts, start: int, stop: int) -> bool:
    """Whether an IPv4 address is a public one: not private, reserved, loopback or multicast."""
    import ipaddress

    return ipaddress.IPv4Address(texts.data[start:stop].tobytes().decode("ascii")).is_global


def personal(texts: Texts, counters: Counters) -> None:
    """Matches and documents with any, by type; IPv4 addresses that are public."""
    for piece in _pieces(texts):
        documents: dict[str, set[int]] = {name: set() for name in TYPES}
        for name, row, start, stop in find(piece):
            counters.add("personal.matches", name)
            documents[name].add(row)
            if name == "ipv4" and is_global(piece, start, stop):
                counters.add("personal.matches", "ipv4 public")
        for name, rows in documents.items():
            counters.add("personal.documents", name, 0, len(rows))


def _pieces(texts: Texts) -> Iterator[Texts]:
    """Some documents at a time, so that what the searches copy stays small."""
    first = 0
    while first < len(texts):
        last = max(first + 1, int(np.searchsorted(texts.offsets, texts.offsets[first] + PIECE, "right")) - 1)
        yield Texts(texts.table.slice(first, last - first))
        first = last


def mask(text: str) -> str:
    """The text with every match replaced by its type in angle brackets: for samples and excerpts.

    >>> mask("write to jo@example.org or (415) 555-2671")
    'write to <e-mail address> or (<telephone number>'
    """
    import pyarrow as pa

    texts = Texts(pa.table({"text": pa.array([text], pa.large_string())}))
    content, pieces, at = text.encode(), [], 0
    for name, _, start, stop in find(texts):
        if start >= at:
            pieces += [content[at:start], f"<{NAMES[name]}>".encode()]
            at = stop
    return b"".join([*pieces, content[at:]]).decode()
