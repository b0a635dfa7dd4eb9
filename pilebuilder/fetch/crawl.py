"""Asking a site for its rules before crawling it: robots.txt and rights files, cached for a day on this machine."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from pilebuilder.fetch import signals
from pilebuilder.fetch.base import LeftOut
from pilebuilder.fetch.failures import Failed
from pilebuilder.fetch.policy import AGENT, Manners
from pilebuilder.fetch.robots import LIMIT, Robots, from_status
from pilebuilder.fetch.web import Web, cache_folder

KEEP = 86400.0
"""Seconds that a site's rules are believed (RFC 9309: at most a day)."""
ATTEMPTS = 2


class Rules:
    """The rules of the sites that one task crawls."""

    def __init__(self, web: Web, manners: Manners | None = None) -> None:
        self.web, self.manners = web, manners or Manners()
        self._robots: dict[str, Robots] = {}

    def refuse(self, url: str, headers: Mapping[str, str] | None = None, page: bytes = b"") -> list[str]:
        """Evidence of opt-out signals about a page; raises `LeftOut` when one of them is to be respected."""
        policy = self.web.policy.signals
        if policy == "ignore":
            return []
        found = self.before(url)
        found += signals.from_headers(headers or {}) + signals.from_html(page)
        return self._judge(url, found)

    def check(self, url: str) -> list[str]:
        """As `refuse`, before the page is asked for: the site-wide rules alone."""
        return [] if self.web.policy.signals == "ignore" else self._judge(url, self.before(url))

    def before(self, url: str) -> list[signals.Signal]:
        """Site-wide signals about an address."""
        site = _site(url)
        tdmrep = self._cached(f"{site}/.well-known/tdmrep.json")
        ai_txt = self._cached(f"{site}/ai.txt")
        found = signals.from_robots(self.robots(url), AGENT, url)
        if tdmrep[0] == 200:
            found += signals.from_tdmrep(tdmrep[1], url)
        if ai_txt[0] == 200:
            found += signals.from_ai_txt(ai_txt[1], url)
        return found

    def robots(self, url: str) -> Robots:
        """The site's robots.txt."""
        site = _site(url)
        if site not in self._robots:
            self._robots[site] = from_status(*self._cached(f"{site}/robots.txt"))
        return self._robots[site]

    def polite(self, url: str) -> Manners:
        """Manners towards a site: the card's, slowed down to what robots.txt asks for."""
        asked = self.robots(url).delay(AGENT) if self.web.policy.signals != "ignore" else None
        usual = self.web.policy.delay if self.manners.delay is None else self.manners.delay
        return Manners(delay=max(usual, asked or 0.0), connections=self.manners.connections)

    def _judge(self, url: str, found: list[signals.Signal]) -> list[str]:
        counted = signals.decide(found)
        reserved = [s for s in counted if s.reserves]
        if reserved and self.web.policy.signals == "respect":
            raise LeftOut("opted_out", f"{url}: {'; '.join(signals.evidence(reserved))}")
        return signals.evidence(counted)

    def _cached(self, url: str) -> tuple[int, bytes]:
        """Status and content of a small site-wide file; 0 when the site cannot be reached."""
        path = cache_folder(self.web, "rules") / hashlib.sha256(url.encode()).hexdigest()[:32]
        try:
            held = json.loads(path.read_bytes())
            if 0 <= self.web.clock.now() - held["time"] < KEEP:
                return int(held["status"]), bytes.fromhex(held["content"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        status, content = self._ask(url)
        text = json.dumps({"url": url, "time": self.web.clock.now(), "status": status, "content": content.hex()})
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(text)
        temporary.rename(path)
        return status, content

    def _ask(self, url: str) -> tuple[int, bytes]:
        for attempt in range(ATTEMPTS):
            try:
                with self.web.send("GET", url, manners=self.manners) as (response, final):
                    content = b""
                    for block in self.web.blocks(response, final):
                        content += block
                        if len(content) >= LIMIT:
                            break
                    return response.status, content[:LIMIT]
            except Failed as failed:
                if not failed.again:
                    return (404, b"") if failed.reason == "too_many_redirects" else (0, b"")
                self.web.clock.sleep(2.0**attempt)
        return 0, b""


def _site(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
