"""Ways for a server to misbehave, as routes of the loopback server."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

from pilebuilder.fetch.base import FetchError, Item
from pilebuilder.fetch.bring import bring
from tests.fetch.server import OLD, Asked

CONTENT = random.Random(7).randbytes(300_000)
TAG = '"v1"'
BOMB = gzip.compress(bytes(40 << 20))


def get(web, url: str, target: Path, **item: object) -> str:
    """Fetch into `target`: ``ok`` when it is identical to the source, else the reason. Never a wrong file."""
    name = str(item.pop("name", "data.bin"))
    failure = None
    try:
        got = bring(web, Item(name=name, address=url, **item), target)
    except FetchError as error:
        failure = error
    if failure is not None:
        assert not target.exists(), "a failed fetch left a file under its final name"
        assert failure.detail
        return failure.reason
    assert got.path.read_bytes() == CONTENT
    assert got.sha256 == hashlib.sha256(CONTENT).hexdigest()
    return "ok" if "length" not in got.facts else "unproven"


def first_then_good(bad: Callable[[Asked], None], **headers: str) -> Callable[[Asked], None]:
    """Misbehaves once, then serves the file well."""
    turns = itertools.count()

    def route(asked: Asked) -> None:
        if next(turns) == 0:
            bad(asked)
        else:
            asked.file(CONTENT, etag=TAG, **headers)

    return route


def cut(asked: Asked, sent: int, declared: int | None = len(CONTENT), **headers: str) -> None:
    """Sends part of the file and closes."""
    named = {"etag": TAG, "last_modified": OLD, **headers}
    if declared is not None:
        named["content_length"] = str(declared)
    asked.reply(200, CONTENT[:sent], length=False, **named)
    asked.connection.shutdown(socket.SHUT_RDWR)


def raw(content: bytes) -> Callable[[Asked], None]:
    """Sends exactly these bytes and closes."""

    def route(asked: Asked) -> None:
        asked.send(content)
        asked.connection.shutdown(socket.SHUT_RDWR)

    return route


def stall(asked: Asked) -> None:
    time.sleep(1.5)


def stall_after_headers(asked: Asked) -> None:
    asked.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\nETag: {TAG}\r\n\r\n".encode())
    time.sleep(1.5)


def trickled_headers(asked: Asked) -> None:
    asked.send(b"HTTP/1.1 200 OK\r\n")
    for i in range(30):
        asked.send(f"X-{i}: slow\r\n".encode())
        time.sleep(0.05)


def drip(asked: Asked) -> None:
    asked.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode())
    for i in range(40):
        asked.send(CONTENT[i : i + 1])
        time.sleep(0.03)


def endless(asked: Asked) -> None:
    asked.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        asked.send(bytes(65536))


def chunks(asked: Asked, *, finish: bool = True, lie: bool = False) -> None:
    asked.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: {TAG}\r\n\r\n".encode())
    for start in range(0, len(CONTENT), 50_000):
        block = CONTENT[start : start + 50_000]
        asked.send(f"{len(block) + (7 if lie else 0):x}\r\n".encode() + block + b"\r\n")
        if not finish and start >= 100_000:
            asked.connection.shutdown(socket.SHUT_RDWR)
            return
    asked.send(b"0\r\n\r\n")


def always(status: int, **headers: str) -> Callable[[Asked], None]:
    return lambda asked: asked.reply(status, b"Sorry", **headers)


def storm(status: int, times: int, **headers: str) -> Callable[[Asked], None]:
    turns = itertools.count()
    return lambda asked: asked.reply(status, b"busy", **headers) if next(turns) < times else asked.file(CONTENT)


def twice_declared(asked: Asked) -> None:
    raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 300000\r\n\r\n" + CONTENT)(asked)


def first_then_good_ignoring_ranges() -> Callable[[Asked], None]:
    turns = itertools.count()

    def route(asked: Asked) -> None:
        if next(turns) == 0:
            cut(asked, 100_000)
        else:
            asked.reply(200, CONTENT, etag=TAG)

    return route


def wrong_range(once: bool = False) -> Callable[[Asked], None]:
    turns = itertools.count()

    def route(asked: Asked) -> None:
        turn = next(turns)
        wanted = asked.range()
        if wanted is None:
            cut(asked, 100_000) if not once or turn == 0 else asked.file(CONTENT, etag=TAG)
        else:
            asked.reply(206, CONTENT[5:], content_range=f"bytes 5-{len(CONTENT) - 1}/{len(CONTENT)}", etag=TAG)

    return route


def cut_at_the_end() -> Callable[[Asked], None]:
    """The whole body came, but its framing did not: the next request is past the end."""
    turns = itertools.count()

    def route(asked: Asked) -> None:
        if next(turns) == 0:
            asked.send(f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: {TAG}\r\n\r\n".encode())
            asked.send(f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n")
            asked.connection.shutdown(socket.SHUT_RDWR)
        else:
            asked.file(CONTENT, etag=TAG)

    return route


def refuses_ranges() -> Callable[[Asked], None]:
    turns = itertools.count()

    def route(asked: Asked) -> None:
        if next(turns) == 0:
            cut(asked, 100_000)
        elif asked.range():
            asked.reply(416, content_range="bytes */7")
        else:
            asked.file(CONTENT, etag=TAG)

    return route


def changes_tag() -> Callable[[Asked], None]:
    turns = itertools.count()

    def route(asked: Asked) -> None:
        if next(turns) == 0:
            old = bytes(100_000)
            asked.reply(200, old, length=False, etag='"old"', content_length=str(len(CONTENT)))
            asked.connection.shutdown(socket.SHUT_RDWR)
        else:
            asked.file(CONTENT, etag='"new"')

    return route


def no_validator() -> Callable[[Asked], None]:
    turns = itertools.count()

    def route(asked: Asked) -> None:
        assert asked.range() is None, "without a validator nothing may be continued"
        if next(turns) == 0:
            asked.reply(200, CONTENT[:1000], length=False, content_length=str(len(CONTENT)))
            asked.connection.shutdown(socket.SHUT_RDWR)
        else:
            asked.reply(200, CONTENT)

    return route


def cut_raw(asked: Asked, declared: int) -> None:
    """Declares less than it sends."""
    asked.send(f"HTTP/1.1 200 OK\r\nContent-Length: {declared}\r\n\r\n".encode() + CONTENT)
    asked.connection.shutdown(socket.SHUT_RDWR)


def wrong_bytes(asked: Asked) -> None:
    asked.reply(200, bytes(len(CONTENT)), etag='"wrong"')


def always_html(asked: Asked) -> None:
    asked.reply(200, b"<!DOCTYPE html>\n<html><body>Down for maintenance</body></html>", content_type="text/html")
