"""robots.txt as RFC 9309 has it: which group speaks to us, which rule decides, and what a missing file means."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

LIMIT = 512 << 10
"""Bytes of a robots.txt that are read; RFC 9309 asks for at least 500 KiB."""
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")

AI_CRAWLERS = (
    "ai2bot", "amazonbot", "anthropic-ai", "applebot-extended", "bytespider", "ccbot", "claudebot", "cohere-ai",
    "cohere-training-data-crawler", "diffbot", "facebookbot", "google-extended", "gptbot", "meta-externalagent",
    "omgili", "omgilibot", "pangubot", "timpibot", "webzio-extended",
)  # fmt: skip
"""Names by which sites address crawlers that gather training data; published by their operators as of 2026."""


def _normal(text: str) -> str:
    """A path with its percent-encoding made uniform, so that equal paths compare equal (RFC 9309, 2.2.2).

    >>> _normal("/%7eb/a%2fb/ü")
    '/~b/a%2Fb/%C3%BC'
    """
    out, raw, i = [], text.encode("utf-8", "surrogatepass"), 0
    while i < len(raw):
        byte = raw[i]
        if byte == 0x25 and re.fullmatch(rb"[0-9A-Fa-f]{2}", raw[i + 1 : i + 3]):
            value = int(raw[i + 1 : i + 3], 16)
            out.append(chr(value) if value in _UNRESERVED else f"%{value:02X}")
            i += 3
            continue
        out.append(chr(byte) if 0x20 < byte < 0x7F else f"%{byte:02X}")
        i += 1
    return "".join(out)


@dataclass(frozen=True)
class Rule:
    """One allow or disallow line."""

    allow: bool
    path: str

    @cached_property
    def _parts(self) -> tuple[list[str], bool]:
        pattern = _normal(self.path)
        anchored = pattern.endswith("$")
        return (pattern[:-1] if anchored else pattern).split("*"), anchored

    def matches(self, path: str) -> bool:
        """Whether the rule speaks about a (normalised) path; linear in its length."""
        parts, anchored = self._parts
        if not path.startswith(parts[0]):
            return False
        at = len(parts[0])
        for part in parts[1:-1]:
            at = path.find(part, at)
            if at < 0:
                return False
            at += len(part)
        if len(parts) == 1:
            return not anchored or at == len(path)
        if anchored:
            return len(path) - len(parts[-1]) >= at and path.endswith(parts[-1])
        return path.find(parts[-1], at) >= 0

    @property
    def length(self) -> int:
        return len(_normal(self.path).encode())


@dataclass(frozen=True, slots=True)
class Group:
    """Rules for some user agents."""

    agents: tuple[str, ...]
    rules: tuple[Rule, ...]
    delay: float | None = None


@dataclass(frozen=True, slots=True)
class Robots:
    """A parsed robots.txt."""

    groups: tuple[Group, ...] = ()
    refuse_all: bool = False
    """The file could not be had because the server failed: everything is disallowed."""
    usage: tuple[tuple[str, str], ...] = field(default=())
    """``Content-Usage`` and ``Content-Signal`` lines: (path or empty, preference), in order."""

    def allows(self, agent: str, url: str) -> bool:
        """Whether `agent` may ask for `url`: the longest matching rule decides, allow wins a tie."""
        if self.refuse_all:
            return False
        parts = urlsplit(url)
        path = _normal((parts.path or "/") + (f"?{parts.query}" if parts.query else ""))
        if path == "/robots.txt":
            return True
        best = (-1, True)
        for rule in self.rules(agent):
            if rule.path and rule.matches(path):
                best = max(best, (rule.length, rule.allow))
        return best[1]

    def rules(self, agent: str) -> list[Rule]:
        """Rules of all groups that name the agent, else of the groups for ``*``."""
        return [rule for group in self._groups(agent) for rule in group.rules]

    def delay(self, agent: str) -> float | None:
        """Seconds between requests that the site asks for (a common extension)."""
        delays = [g.delay for g in self._groups(agent) if g.delay is not None]
        return max(delays) if delays else None

    def names(self, agent: str) -> bool:
        """Whether a group addresses this agent by name."""
        return any(agent.lower() in g.agents for g in self.groups)

    def _groups(self, agent: str) -> list[Group]:
        own = [g for g in self.groups if agent.lower() in g.agents]
        return own or [g for g in self.groups if "*" in g.agents]


def parse(content: bytes) -> Robots:
    """Parse a robots.txt; lines that are none of it are passed over, as the standard wants."""
    text = content[:LIMIT].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    groups: list[Group] = []
    usage: list[tuple[str, str]] = []
    agents: list[str] = []
    rules: list[Rule] = []
    delay: float | None = None
    open_agents = True

    def close() -> None:
        if agents:
            groups.append(Group(tuple(agents), tuple(rules), delay))

    for line in re.split(r"\r\n|\r|\n", text):
        name, colon, value = line.partition("#")[0].partition(":")
        name, value = name.strip().lower(), value.strip()
        if not colon:
            continue
        if name in ("user-agent", "useragent"):
            if not open_agents:
                close()
                agents, rules, delay, open_agents = [], [], None, True
            agents.append(_product(value))
        elif name in ("allow", "disallow"):
            open_agents = False
            if agents:
                rules.append(Rule(name == "allow", value))
        elif name == "crawl-delay":
            open_agents = False
            delay = _seconds(value)
        elif name in ("content-usage", "content-signal"):
            where, _, preference = value.rpartition(" ") if value.startswith("/") else ("", "", value)
            usage.append((where.strip(), preference.strip().lower()))
    close()
    return Robots(tuple(groups), usage=tuple(usage))


def _product(value: str) -> str:
    """The product token of a user-agent line, which may carry a version."""
    return "*" if value == "*" else (re.match(r"[A-Za-z0-9_-]*", value) or [""])[0].lower()


def _seconds(value: str) -> float | None:
    try:
        found = float(value)
    except ValueError:
        return None
    return found if 0 <= found <= 86400 else None


def from_status(status: int, content: bytes) -> Robots:
    """What an answer to the request for robots.txt means: 4xx allows everything, 5xx refuses everything."""
    if 200 <= status < 300:
        return parse(content)
    return Robots() if 400 <= status < 500 and status != 429 else Robots(refuse_all=True)
