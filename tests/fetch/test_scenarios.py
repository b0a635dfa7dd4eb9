"""The download scenarios: the file that arrives is the source, or there is a named failure and no file."""

from __future__ import annotations

import email.utils
import hashlib
import os
import socket
from collections.abc import Callable

import pytest

from pilebuilder.fetch.clock import Clock
from tests.fetch.misbehave import (
    BOMB,
    CONTENT,
    TAG,
    always,
    always_html,
    changes_tag,
    chunks,
    cut,
    cut_at_the_end,
    cut_raw,
    drip,
    endless,
    first_then_good,
    first_then_good_ignoring_ranges,
    get,
    no_validator,
    raw,
    refuses_ranges,
    stall,
    stall_after_headers,
    storm,
    trickled_headers,
    twice_declared,
    wrong_bytes,
    wrong_range,
)
from tests.fetch.server import Asked

REPEATS = int(os.environ.get("PILEBUILDER_TEST_REPEATS", "3"))
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
SCENARIOS: dict[str, tuple[Callable[[], Callable[[Asked], None]], set[str], dict, dict]] = {}
SIZE = {"bytes": len(CONTENT)}
SHORT = {"read_timeout": 0.3, "header_timeout": 0.3}


def scenario(name, make, outcome, item=None, **policy):
    """Add a row: `make` makes a fresh route for each repetition."""
    SCENARIOS[name] = (make, set(outcome.split()), item or {}, policy)


scenario("correct", lambda: lambda a: a.file(CONTENT), "ok")
scenario("200 to a range request", lambda: first_then_good_ignoring_ranges(), "ok")
scenario("206 with a wrong Content-Range", lambda: wrong_range(), "bad_range")
scenario("206 with a wrong Content-Range once", lambda: wrong_range(once=True), "ok")
scenario("416 at the exact end", lambda: cut_at_the_end(), "ok")
scenario("416 otherwise", lambda: refuses_ranges(), "ok")
scenario("ETag changed in the middle", lambda: changes_tag(), "ok")
scenario("weak ETag", lambda: first_then_good(lambda a: cut(a, 90_000, etag='W/"v1"')), "ok")
scenario("no validator", lambda: no_validator(), "ok")
scenario("Content-Length too short", lambda: lambda a: cut_raw(a, 1000), "bad_response")
scenario("Content-Length too short, size known", lambda: lambda a: cut_raw(a, 1000), "bad_response", SIZE)
too_long = len(CONTENT) + 50
scenario("Content-Length too long", lambda: lambda a: cut(a, len(CONTENT), too_long), "interrupted length_mismatch")
scenario("Content-Length absent", lambda: lambda a: cut(a, len(CONTENT), None), "unproven")
scenario("Content-Length absent, cut, size known", lambda: lambda a: cut(a, 1000, None), "length_mismatch", SIZE)
negative = b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"
scenario("Content-Length negative", lambda: raw(negative + CONTENT), "bad_response")
scenario("Content-Length twice, different", lambda: twice_declared, "bad_response")
scenario("chunked", lambda: chunks, "ok")
scenario("chunked, cut off", lambda: lambda a: chunks(a, finish=False), "interrupted")
scenario("chunk sizes that lie", lambda: lambda a: chunks(a, lie=True), "interrupted")
scenario("close after headers", lambda: lambda a: cut(a, 0), "interrupted")
scenario("close after headers once", lambda: first_then_good(lambda a: cut(a, 0)), "ok")
scenario("close in the middle of the headers", lambda: raw(b"HTTP/1.1 200 OK\r\nETag: x\r\nConte"), "interrupted")
scenario("stall before headers", lambda: stall, "timeout", tries=2, **SHORT)
scenario("stall after headers", lambda: stall_after_headers, "timeout", tries=2, **SHORT)
scenario("stall after headers once", lambda: first_then_good(stall_after_headers), "ok", **SHORT)
scenario("one byte at a time", lambda: drip, "too_slow", tries=1, floor_window=0.2)
scenario("header trickle", lambda: trickled_headers, "timeout", tries=1, **SHORT)
long_header = b"HTTP/1.1 200 OK\r\nX: " + b"a" * (1 << 20) + b"\r\n\r\n"
scenario("header of 1 MB", lambda: raw(long_header), "bad_response interrupted", tries=2)
scenario("endless body", lambda: endless, "too_large", max_file=2 << 20)
scenario("429 with seconds", lambda: storm(429, 2, retry_after="7"), "ok")
soon = email.utils.formatdate(1_750_000_030, usegmt=True)
scenario("429 with a date", lambda: storm(429, 1, retry_after=soon), "ok")
scenario("429 without", lambda: storm(429, 3), "ok")
scenario("429 for ever", lambda: always(429), "rate_limited")
scenario("403 that says slow down", lambda: lambda a: a.reply(403, b"<Code>SlowDown</Code>"), "rate_limited")
scenario("503 storm, then success", lambda: storm(503, 5), "ok")
scenario("500 for ever", lambda: always(500), "server_error")
scenario("404", lambda: always(404), "not_found")
scenario("401", lambda: always(401), "unauthorized")
scenario("redirect loop", lambda: always(302, location="/file"), "too_many_redirects")
scenario("redirect to file:", lambda: always(302, location="file:///etc/passwd"), "bad_redirect")
scenario("redirect to ftp:", lambda: always(302, location="ftp://example.org/x"), "bad_redirect")
scenario("redirect to gopher:", lambda: always(302, location="gopher://example.org/x"), "bad_redirect")
scenario("gzip body bomb", lambda: lambda a: a.reply(200, BOMB, content_encoding="gzip"), "too_large")
scenario("HTML page with status 200", lambda: always_html, "html_page", {"name": "dump.tar.gz"})
scenario("checksum mismatch once, then right", lambda: first_then_good(wrong_bytes), "ok", {"digest": SHA})
scenario("checksum mismatch for ever", lambda: wrong_bytes, "checksum_mismatch", {"digest": SHA})


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario(name, server, make_web, tmp_path):
    make, outcomes, item, policy = SCENARIOS[name]
    web = make_web(**policy)
    if name == "one byte at a time":
        web.clock = Clock()
    for repeat in range(REPEATS):
        path = "/file" if name == "redirect loop" else f"/file{repeat}"
        server.routes[path] = make()
        assert get(web, server.url + path, tmp_path / f"t{repeat}", **item) in outcomes


def test_there_are_at_least_39_scenarios():
    assert len(SCENARIOS) >= 39


@pytest.mark.parametrize("offset", sorted({1, 5, 4095, 4096, 65536, len(CONTENT) - 1, *range(3000, 300_000, 7000)}))
def test_reset_after_any_number_of_bytes(offset, server, make_web, tmp_path):
    """N1 and N2: what came before a reset is not sent again."""
    sent = []

    def route(asked: Asked) -> None:
        if asked.range() is None:
            asked.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\nETag: {TAG}\r\n\r\n".encode())
            asked.send(CONTENT[:offset])
            asked.connection.shutdown(socket.SHUT_WR)
            return
        sent.append(asked.range()[0])
        asked.file(CONTENT, etag=TAG)

    server.routes["/file"] = route
    assert get(make_web(), server.url + "/file", tmp_path / "t") == "ok"
    assert sent == [offset]
    assert server.asked[1].headers["if-range"] == TAG
