"""robots.txt by RFC 9309: a table of files, agents, addresses and verdicts."""

from __future__ import annotations

import time

import pytest

from pilebuilder.fetch.robots import Rule, from_status, parse

ALL = b"User-agent: *\n"
# robots.txt, agent, path, allowed
CASES: list[tuple[bytes, str, str, bool]] = [
    (b"", "pilebuilder", "/a", True),
    (ALL + b"Disallow:\n", "pilebuilder", "/a", True),
    (ALL + b"Disallow: /\n", "pilebuilder", "/a", False),
    (ALL + b"Disallow: /\n", "pilebuilder", "/robots.txt", True),
    (ALL + b"Disallow: /a\n", "pilebuilder", "/a", False),
    (ALL + b"Disallow: /a\n", "pilebuilder", "/ab", False),
    (ALL + b"Disallow: /a/\n", "pilebuilder", "/a", True),
    (ALL + b"Disallow: /a/\n", "pilebuilder", "/a/b", False),
    (ALL + b"Disallow: /a\n", "pilebuilder", "/A", True),
    (ALL + b"Disallow: /a\nAllow: /a/b\n", "pilebuilder", "/a/b/c", True),
    (ALL + b"Allow: /a/b\nDisallow: /a\n", "pilebuilder", "/a/b/c", True),
    (ALL + b"Allow: /a\nDisallow: /a\n", "pilebuilder", "/a", True),
    (ALL + b"Disallow: /a\nAllow: /a\n", "pilebuilder", "/a", True),
    (ALL + b"Allow: /\nDisallow: /private\n", "pilebuilder", "/private/x", False),
    (ALL + b"Disallow: /*.pdf$\n", "pilebuilder", "/x/y.pdf", False),
    (ALL + b"Disallow: /*.pdf$\n", "pilebuilder", "/x/y.pdf?z", True),
    (ALL + b"Disallow: /*.pdf\n", "pilebuilder", "/x/y.pdf?z", False),
    (ALL + b"Disallow: /a*b*c\n", "pilebuilder", "/a-b-c-d", False),
    (ALL + b"Disallow: /a*b*c\n", "pilebuilder", "/a-c-b", True),
    (ALL + b"Disallow: /a$\n", "pilebuilder", "/a", False),
    (ALL + b"Disallow: /a$\n", "pilebuilder", "/ab", True),
    (ALL + b"Disallow: *\n", "pilebuilder", "/x", False),
    (ALL + b"Disallow: /x?\n", "pilebuilder", "/x?q=1", False),
    (ALL + b"Disallow: /x?\n", "pilebuilder", "/x", True),
    (ALL + b"Disallow: /*?session=\n", "pilebuilder", "/p?session=1", False),
    (ALL + b"Disallow: /%7Eann/\n", "pilebuilder", "/~ann/x", False),
    (ALL + b"Disallow: /~ann/\n", "pilebuilder", "/%7eann/x", False),
    (ALL + b"Disallow: /a%2fb\n", "pilebuilder", "/a%2Fb", False),
    (ALL + b"Disallow: /a%2Fb\n", "pilebuilder", "/a/b", True),
    ("User-agent: *\nDisallow: /ü\n".encode(), "pilebuilder", "/%C3%BC", False),
    (ALL + b"Disallow: /%C3%BC\n", "pilebuilder", "/ü", False),
    (b"user-agent: *\ndisallow: /a\n", "pilebuilder", "/a", False),
    (b"USER-AGENT : *\nDISALLOW : /a\n", "pilebuilder", "/a", False),
    (b"User-agent:*\nDisallow:/a\n", "pilebuilder", "/a", False),
    (b"User-agent: *\r\nDisallow: /a\r\n", "pilebuilder", "/a", False),
    (b"User-agent: *\rDisallow: /a\r", "pilebuilder", "/a", False),
    (b"\xef\xbb\xbfUser-agent: *\nDisallow: /a\n", "pilebuilder", "/a", False),
    (b"User-agent: * # all\nDisallow: /a # no\n", "pilebuilder", "/a", False),
    (b"User-agent: pilebuilder\nDisallow: /\n", "pilebuilder", "/a", False),
    (b"User-agent: PileBuilder\nDisallow: /\n", "pilebuilder", "/a", False),
    (b"User-agent: pilebuilder/2.0\nDisallow: /\n", "pilebuilder", "/a", False),
    (b"User-agent: pile\nDisallow: /\n", "pilebuilder", "/a", True),
    (b"User-agent: other\nDisallow: /\n", "pilebuilder", "/a", True),
    (ALL + b"Disallow: /\n\nUser-agent: pilebuilder\nAllow: /\n", "pilebuilder", "/a", True),
    (b"User-agent: pilebuilder\nDisallow: /x\n\n" + ALL + b"Disallow: /\n", "pilebuilder", "/a", True),
    (b"User-agent: a\nUser-agent: pilebuilder\nDisallow: /x\n", "pilebuilder", "/x", False),
    (b"User-agent: pilebuilder\nDisallow: /x\nUser-agent: other\nDisallow: /y\n", "pilebuilder", "/y", True),
    (
        b"User-agent: pilebuilder\nDisallow: /x\n\nUser-agent: b\nDisallow: /\n\n"
        b"User-agent: pilebuilder\nDisallow: /y\n",
        "pilebuilder",
        "/y",
        False,
    ),
    (b"User-agent: *\n\n\nDisallow: /a\n", "pilebuilder", "/a", False),
    (b"User-agent: *\nSitemap: https://x/s.xml\nDisallow: /a\n", "pilebuilder", "/a", False),
    (b"User-agent: *\nNonsense\nDisallow: /a\n", "pilebuilder", "/a", False),
    (b"Disallow: /a\n", "pilebuilder", "/a", True),
    (b"<html><body>Not found</body></html>", "pilebuilder", "/a", True),
    (b"\x00\xff\xfe\n" + ALL + b"Disallow: /a\n", "pilebuilder", "/a", False),
    (ALL + b"Disallow: a\n", "pilebuilder", "/a", True),
    (ALL + b"Disallow: /a b\n", "pilebuilder", "/a%20b", False),
    (ALL + b"Allow: /$\nDisallow: /\n", "pilebuilder", "/", True),
    (ALL + b"Allow: /$\nDisallow: /\n", "pilebuilder", "/x", False),
    (ALL + b"Disallow: /" + b"*" * 200 + b"x\n", "pilebuilder", "/" + "a" * 5000, True),
    (ALL + b"#" * (500 << 10) + b"\nDisallow: /a\n", "pilebuilder", "/a", False),
]


@pytest.mark.parametrize(("content", "agent", "path", "allowed"), CASES)
def test_table(content, agent, path, allowed):
    assert parse(content).allows(agent, f"https://example.org{path}") is allowed


def test_the_table_has_sixty_cases():
    assert len(CASES) >= 60


STATUS = [(200, False), (404, True), (403, True), (401, True), (429, False), (500, False), (503, False), (0, False)]


@pytest.mark.parametrize(("status", "allowed"), STATUS)
def test_status(status, allowed):
    assert from_status(status, b"User-agent: *\nDisallow: /").allows("pilebuilder", "https://x/y") is allowed


def test_crawl_delay():
    assert parse(b"User-agent: *\nCrawl-delay: 5\n").delay("pilebuilder") == 5
    assert parse(b"User-agent: *\nCrawl-delay: nonsense\n").delay("pilebuilder") is None


def test_matching_is_linear():
    path = "/" + "a" * 200_000
    started = time.process_time()
    Rule(False, "/" + "*a" * 300 + "*b$").matches(path)
    assert time.process_time() - started < 0.5
