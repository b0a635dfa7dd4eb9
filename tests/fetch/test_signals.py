"""Opt-out signals: what each source says, which one decides, and what the policy makes of it."""

from __future__ import annotations

import json

import pytest

from pilebuilder.fetch import signals
from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.crawl import Rules
from pilebuilder.fetch.robots import parse

URL = "https://example.org/a/page.html"
P = "pilebuilder"


def reserved(found) -> bool:
    return any(s.reserves for s in signals.decide(found))


HEADERS = [
    ({}, False),
    ({"tdm-reservation": "1"}, True),
    ({"tdm-reservation": "0"}, False),
    ({"tdm-reservation": " 1 "}, True),
    ({"tdm-reservation": "yes"}, False),
    ({"tdm-reservation": "1", "tdm-policy": "https://x/p.json"}, True),
    ({"x-robots-tag": "noai"}, True),
    ({"x-robots-tag": "NoAI, noimageai"}, True),
    ({"x-robots-tag": "noindex, nofollow"}, False),
    ({"x-robots-tag": "noimageai"}, True),
    ({"x-robots-tag": "noml"}, True),
    ({"x-robots-tag": "otherbot: noai"}, False),
    ({"x-robots-tag": "pilebuilder: noai"}, True),
    ({"x-robots-tag": "otherbot: noindex, pilebuilder: noai"}, True),
    ({"x-robots-tag": "unavailable_after: 25 Jun 2030, noai"}, True),
    ({"x-robots-tag": "max-snippet:-1"}, False),
    ({"content-usage": "train-ai=n"}, True),
    ({"content-usage": "train-ai=y"}, False),
    ({"content-usage": "search=y, train-ai=n"}, True),
    ({"content-signal": "search=yes,ai-train=no"}, True),
    ({"content-signal": "search=yes,ai-train=yes"}, False),
    ({"link": '<https://creativecommons.org/licenses/by/4.0/>; rel="license"'}, False),
]
METAS = [
    ("", False),
    ('<meta name="robots" content="noai">', True),
    ("<META NAME='ROBOTS' CONTENT='NOAI, NOIMAGEAI'>", True),
    ("<meta content=noai name=robots>", True),
    ('<meta name="robots" content="noindex">', False),
    ('<meta name="googlebot" content="noai">', False),
    ('<meta name="pilebuilder" content="noai">', True),
    ('<meta name="tdm-reservation" content="1">', True),
    ('<meta name="tdm-reservation" content="0">', False),
    ('<meta name="tdm-reservation" content="1"><meta name="tdm-policy" content="/p.json">', True),
    ('<meta name="description" content="noai">', False),
    ('<meta name="robots" content="no&#97;i">', True),
    ('<link rel="license" href="https://creativecommons.org/licenses/by/4.0/">', False),
    ("<meta " * 5000, False),
    (" " * 200_000 + '<meta name="robots" content="noai">', False),
]
TDMREP = [
    ([], False),
    ([{"location": "/", "tdm-reservation": 1}], True),
    ([{"location": "/", "tdm-reservation": 0}], False),
    ([{"location": "/b/", "tdm-reservation": 1}], False),
    ([{"location": "/a/", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}], False),
    ([{"location": "/", "tdm-reservation": 1}, {"location": "/a/", "tdm-reservation": 0}], True),
    ([{"location": "/*.html$", "tdm-reservation": 1}], True),
    ([{"location": "/*.pdf$", "tdm-reservation": 1}], False),
    ([{"tdm-reservation": 1}], False),
    (["nonsense", {"location": "/", "tdm-reservation": 1}], True),
    ({"location": "/"}, False),
]
ROBOTS = [
    (b"User-agent: *\nDisallow: /a/", True),
    (b"User-agent: GPTBot\nDisallow: /", True),
    (b"User-agent: CCBot\nUser-agent: ClaudeBot\nDisallow: /a", True),
    (b"User-agent: Google-Extended\nDisallow: /b", False),
    (b"User-agent: Googlebot\nDisallow: /", False),
    (b"User-agent: *\nContent-Signal: search=yes, ai-train=no\nAllow: /", True),
    (b"User-agent: *\nContent-Usage: /a/ train-ai=n\nAllow: /", True),
    (b"User-agent: *\nContent-Usage: /b/ train-ai=n\nAllow: /", False),
]
ORDER = [
    # tdmrep, header, meta -> reserved
    (1, None, None, True),
    (1, 0, None, False),
    (0, 1, None, True),
    (1, 1, 0, False),
    (0, 0, 1, True),
]


@pytest.mark.parametrize(("headers", "expected"), HEADERS)
def test_headers(headers, expected):
    assert reserved(signals.from_headers(headers)) is expected


@pytest.mark.parametrize(("head", "expected"), METAS)
def test_metas(head, expected):
    assert reserved(signals.from_html(f"<html><head>{head}</head><body>x</body>".encode())) is expected


@pytest.mark.parametrize(("rules", "expected"), TDMREP)
def test_tdmrep(rules, expected):
    assert reserved(signals.from_tdmrep(json.dumps(rules).encode(), URL)) is expected


@pytest.mark.parametrize(("content", "expected"), ROBOTS)
def test_robots(content, expected):
    assert reserved(signals.from_robots(parse(content), P, URL)) is expected


@pytest.mark.parametrize(("site", "header", "meta", "expected"), ORDER)
def test_precedence(site, header, meta, expected):
    found = signals.from_tdmrep(json.dumps([{"location": "/", "tdm-reservation": site}]).encode(), URL)
    found += signals.from_headers({"tdm-reservation": str(header)} if header is not None else {})
    found += signals.from_html(f'<meta name="tdm-reservation" content="{meta}">'.encode() if meta is not None else b"")
    assert reserved(found) is expected


def test_sixty_cases():
    assert len(HEADERS) + len(METAS) + len(TDMREP) + len(ROBOTS) + len(ORDER) >= 60


def test_broken_rights_files_say_nothing():
    assert signals.from_tdmrep(b"<html>", URL) == []
    assert signals.from_tdmrep(b"[" * 100_000, URL) == []


def site(server, **files: bytes):
    server.files({"/robots.txt": b"", **{k.replace("__", "/"): v for k, v in files.items()}})


def test_respect_record_ignore(server, make_web):
    server.files({"/robots.txt": b"User-agent: GPTBot\nDisallow: /"})
    url = f"{server.url}/x"
    with pytest.raises(FetchError, match="gptbot") as caught:
        Rules(make_web()).check(url)
    assert caught.value.reason == "opted_out"
    assert caught.value.lasting
    assert Rules(make_web(signals="record")).check(url) == ["robots-ai in robots.txt: gptbot"]
    asked = len(server.asked)
    assert Rules(make_web(signals="ignore")).check(url) == []
    assert len(server.asked) == asked


def test_rules_are_cached_for_a_day(server, make_web, clock):
    server.files({"/robots.txt": b""})
    Rules(make_web()).check(f"{server.url}/x")
    Rules(make_web()).check(f"{server.url}/y")
    assert server.paths().count("/robots.txt") == 1
    clock.time += 86401
    Rules(make_web()).check(f"{server.url}/y")
    assert server.paths().count("/robots.txt") == 2


def test_an_unreachable_site_is_not_crawled(server, make_web):
    server.routes["/robots.txt"] = lambda a: a.reply(503)
    with pytest.raises(FetchError, match="unreachable"):
        Rules(make_web()).check(f"{server.url}/x")


def test_five_redirects_are_followed_then_the_file_counts_as_absent(server, make_web):
    for i in range(9):
        server.routes[f"/r{i}"] = lambda a, i=i: a.reply(302, location=f"/r{i + 1}")
    server.routes["/robots.txt"] = lambda a: a.reply(302, location="/r7")
    server.files({"/r9": b"User-agent: *\nDisallow: /"})
    with pytest.raises(FetchError, match="disallow"):
        Rules(make_web()).check(f"{server.url}/x")


def test_crawl_delay_slows_down(server, make_web):
    server.files({"/robots.txt": b"User-agent: *\nCrawl-delay: 4"})
    assert Rules(make_web()).polite(f"{server.url}/x").delay == 4


def test_page_signals_are_judged_with_the_site(server, make_web):
    server.files({"/robots.txt": b""})
    rules = Rules(make_web())
    assert rules.refuse(f"{server.url}/x", {"x-robots-tag": "all"}, b"<html>") == []
    with pytest.raises(FetchError, match="noai in header"):
        rules.refuse(f"{server.url}/x", {"x-robots-tag": "noai"}, b"<html>")
