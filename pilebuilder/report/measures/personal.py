"""Personal data and secrets in text: counted by type, never shown; and a mask for text that is shown.

Definitions after "What's in my big data" (Elazar et al. 2024): e-mail, telephone (North American plan), IPv4, with its
filters for numbers near "isbn", "doi" or "#"; payment cards by the Luhn test; keys and tokens by their prefixes.
All patterns are linear: a kernel finds numbers, and the places where an address or a key may stand; what stands there
is judged in windows of bounded size.
"""

from __future__ import annotations

import functools
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
# prefix (of `digits.PREFIXES`) -> what must stand there
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
COUNTED = (*TYPES, "ipv4 public")

Match = tuple[str, int, int, int]
"""Type, document, first byte, byte after the last."""


def find(texts: Texts) -> list[Match]:
    """All matches after the filters, by place."""
    from pilebuilder.kernels import digits

    names = {digits.PHONE: "phone", digits.IPV4: "ipv4", digits.CARD: "card"}
    found: list[Match] = []
    for kind, row, start, stop in digits.find(texts.data, texts.offsets).tolist():
        if kind == digits.EMAIL:
            found += _email(texts, row, start)
        elif kind >= digits.SECRET:
            found += _key(texts, row, start, _PATTERNS[digits.PREFIXES[kind - digits.SECRET]])
        else:
            around, _ = texts.around(row, start, stop, NEAR)
            if not (_OTHER.search(around) or (kind == digits.PHONE and _ADDRESS.search(around))):
                found.append((names[kind], row, start, stop))
    return sorted(found, key=lambda m: (m[1], m[2], m[0]))


def _email(texts: Texts, row: int, place: int) -> Iterator[Match]:
    """The address around an "@"."""
    around, at = texts.around(row, place, place + 1, WINDOW)
    for match in _EMAIL.finditer(around, max(0, at - 65), min(len(around), at + WINDOW)):
        if match.start() < at < match.end():
            yield "email", row, place - at + match.start(), place - at + match.end()
            return


def _key(texts: Texts, row: int, start: int, pattern: re.Pattern[bytes]) -> Iterator[Match]:
    """The key or token that begins with a prefix."""
    stop = min(start + SECRET_WINDOW, int(texts.offsets[row + 1]))
    match = pattern.match(texts.data[start:stop].tobytes())
    if match:
        yield "secret", row, start, start + match.end()


def is_global(texts: Texts, start: int, stop: int) -> bool:
    """Whether an IPv4 address is a public one: not private, reserved, loopback or multicast."""
    return _is_global(texts.data[start:stop].tobytes())


@functools.lru_cache(1 << 14)
def _is_global(address: bytes) -> bool:
    import ipaddress

    return ipaddress.IPv4Address(address.decode("ascii")).is_global


def counted(texts: Texts) -> dict[str, np.ndarray]:
    """Matches in each document by type, and IPv4 addresses that are public: int64, one entry per document."""
    found = {name: np.zeros(len(texts), np.int64) for name in COUNTED}
    for name, row, start, stop in find(texts):
        found[name][row] += 1
        if name == "ipv4" and is_global(texts, start, stop):
            found["ipv4 public"][row] += 1
    return found


def personal(texts: Texts, counters: Counters) -> None:
    """Matches and documents with any, by type; IPv4 addresses that are public."""
    for name, matches in texts.personal.items():
        counters.add("personal.matches", name, 0, int(matches.sum()))
        if name in TYPES:
            counters.add("personal.documents", name, 0, int((matches > 0).sum()))


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
