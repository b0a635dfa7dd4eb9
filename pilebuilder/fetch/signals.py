"""Signals by which rights holders opt out: robots.txt, TDM reservations, noai tags, usage preferences.

Each is recorded as evidence; the recipe's policy decides what it does: ``respect`` (the item is left out), ``record``
(kept, with the evidence in its inventory row) or ``ignore`` (not even looked for).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pilebuilder.fetch.robots import AI_CRAWLERS, Robots, Rule

HEAD = 128 << 10
"""Bytes of a page in which its meta elements are looked for."""
NO_AI = ("noai", "noimageai", "noml", "nomachinelearning")
_META = re.compile(r"<meta\b[^>]{0,2000}>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([a-zA-Z-]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_LINK = re.compile(r"<(?:link|a)\b[^>]{0,2000}>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Signal:
    """One statement of a rights holder about a page."""

    kind: str
    """``robots``, ``robots-ai``, ``tdm-reservation``, ``noai``, ``usage``, ``ai-txt`` or ``licence``."""
    where: str
    """What said it: ``robots.txt``, ``header``, ``meta``, ``tdmrep.json``, ``ai.txt``."""
    said: str
    reserves: bool
    """True when it opts the page out of being gathered or trained on."""


def from_robots(robots: Robots, agent: str, url: str) -> list[Signal]:
    """What robots.txt says to us, to crawlers for training data, and as usage preferences."""
    found = []
    if not robots.allows(agent, url):
        said = "unreachable" if robots.refuse_all else "disallow"
        found.append(Signal("robots", "robots.txt", said, True))
    for name in AI_CRAWLERS:
        if robots.names(name) and not robots.allows(name, url):
            found.append(Signal("robots-ai", "robots.txt", name, True))
    found += _usage(
        "robots.txt", [p for where, p in robots.usage if not where or Rule(True, where).matches(_path(url))]
    )
    return found


def from_headers(headers: Mapping[str, str], agent: str = "pilebuilder") -> list[Signal]:
    """``tdm-reservation``, ``X-Robots-Tag``, ``Content-Usage``, ``Link rel=license`` (names in lower case)."""
    found = list(_tdm("header", headers.get("tdm-reservation"), headers.get("tdm-policy")))
    found += _tags("header", headers.get("x-robots-tag", ""), agent)
    for name in ("content-usage", "content-signal"):
        found += _usage("header", filter(None, [headers.get(name)]))
    match = re.search(r'<([^>]+)>\s*;[^,]*rel="?license"?', headers.get("link", ""))
    return [*found, *([Signal("licence", "header", match[1], False)] if match else [])]


def from_html(page: bytes, agent: str = "pilebuilder") -> list[Signal]:
    """``<meta>`` robots and TDM elements, and licence links, in the head of a page."""
    text = page[:HEAD].decode("utf-8", "replace")
    metas: dict[str, list[str]] = {}
    for match in _META.finditer(text):
        found = _attributes(match[0])
        name = found.get("name") or found.get("http-equiv") or ""
        metas.setdefault(name.lower(), []).append(found.get("content", ""))
    signals = list(_tdm("meta", _last(metas, "tdm-reservation"), _last(metas, "tdm-policy")))
    for name in ("robots", agent, "x-robots-tag"):
        for content in metas.get(name, ()):
            signals += _tags("meta", content, agent)
    for match in _LINK.finditer(text):
        found = _attributes(match[0])
        if "license" in found.get("rel", "").lower().split() and found.get("href"):
            signals.append(Signal("licence", "meta", found["href"], False))
    return signals


def from_tdmrep(content: bytes, url: str) -> list[Signal]:
    """The rights file ``/.well-known/tdmrep.json``: its first rule whose location fits the page decides."""
    try:
        rules = json.loads(content)
    except (ValueError, RecursionError):
        return []
    for rule in rules if isinstance(rules, list) else []:
        if not isinstance(rule, dict) or not isinstance(rule.get("location"), str):
            continue
        if Rule(True, rule["location"]).matches(_path(url)):
            return list(_tdm("tdmrep.json", rule.get("tdm-reservation"), rule.get("tdm-policy")))
    return []


def from_ai_txt(content: bytes, url: str, agent: str = "pilebuilder") -> list[Signal]:
    """``/ai.txt``, which borrows the grammar of robots.txt for training."""
    from pilebuilder.fetch.robots import parse

    refused = not parse(content).allows(agent, url)
    return [Signal("ai-txt", "ai.txt", "disallow", True)] if refused else []


def decide(signals: Iterable[Signal]) -> list[Signal]:
    """The signals that count, strongest source first where two disagree about a TDM reservation.

    A page's own meta element outranks the HTTP header, which outranks the site-wide file.
    """
    signals = list(signals)
    by_source = {s.where: s for s in signals if s.kind == "tdm-reservation"}
    strongest = next((by_source[w] for w in ("meta", "header", "tdmrep.json") if w in by_source), None)
    return [s for s in signals if s.kind != "tdm-reservation" or s is strongest]


def evidence(signals: Iterable[Signal]) -> list[str]:
    """Signals as short strings for an inventory row, sorted and without repetition."""
    return sorted({f"{s.kind} in {s.where}: {s.said}"[:200] for s in signals})


def _tdm(where: str, value: object, policy: object) -> Iterable[Signal]:
    said = str(value).strip() if value is not None else ""
    if said in ("0", "1"):
        with_policy = f"{said}, policy {policy}" if isinstance(policy, str) and policy else said
        yield Signal("tdm-reservation", where, with_policy, said == "1")


def _tags(where: str, value: str, agent: str) -> list[Signal]:
    """Directives of a robots tag: those for everybody, and those after our own name."""
    found, mine = [], True
    for token in value.split(","):
        name, colon, rest = token.strip().partition(":")
        if colon and not name.lower().startswith(("max-", "unavailable_after")):
            mine = name.strip().lower() == agent
            token = rest
        directive = token.strip().lower()
        if mine and (directive in NO_AI or directive.startswith("noai")):
            found.append(Signal("noai", where, directive, True))
    return found


def _usage(where: str, values: Iterable[str]) -> list[Signal]:
    """Preferences such as ``train-ai=n`` or ``ai-train=no`` (IETF AI preferences drafts, Content-Signal)."""
    found = []
    for value in values:
        for part in value.lower().split(","):
            name, _, answer = part.strip().partition("=")
            if name.strip() in ("train-ai", "ai-train", "tdm", "bots", "train-genai") and answer.strip():
                refused = answer.strip() in ("n", "no")
                found.append(Signal("usage", where, f"{name.strip()}={answer.strip()}", refused))
    return found


def _attributes(element: str) -> dict[str, str]:
    return {m[1].lower(): html.unescape(m[2] or m[3] or m[4] or "") for m in _ATTRIBUTE.finditer(element)}


def _last(metas: Mapping[str, list[str]], name: str) -> str | None:
    return metas[name][-1] if metas.get(name) else None


def _path(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
