"""The download scenarios: the file that arrives is the source, or there is a named failure and no file."""

from __future__ import annotations

import contextlib
import email.utils
import errno
import gzip
import hashlib
import itertools
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pilebuilder.fetch.base import FetchError, Item
from pilebuilder.fetch.bring import bring
from pilebuilder.fetch.clock import Clock
from pilebuilder.fetch.connect import ALLOW_PRIVATE, is_public
from tests.fetch.server import OLD, Asked, running

REPEATS = 3
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


SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
SCENARIOS: dict[str, tuple[Callable[[], Callable[[Asked], None]], set[str], dict, dict]] = {}
SIZE = {"bytes": len(CONTENT)}
SHORT = {"read_timeout": 0.3, "header_timeout": 0.3}


def scenario(name, make, outcome, item=None, **policy):
    """Add a row: `make` makes a fresh route for each repetition."""
    SCENARIOS[name] = (make, set(outcome.split()), item or {}, policy)


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
    assert len(SCENARIOS) + len(FORBIDDEN) >= 39


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


FORBIDDEN = [
    "http://127.0.0.1:{port}/x", "http://2130706433:{port}/x", "http://0x7f000001:{port}/x", "http://0177.0.0.1:{port}/x",
    "http://[::1]:{port}/x", "http://[::ffff:127.0.0.1]:{port}/x", "http://localhost:{port}/x", "http://10.0.0.1/x",
    "http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/x", "http://0.0.0.0:{port}/x", "http://100.64.0.1/x",
    "http://[64:ff9b::7f00:1]/x",
]  # fmt: skip


@pytest.mark.parametrize("address", FORBIDDEN)
def test_redirect_to_a_forbidden_address(address, server, make_web, tmp_path):
    """N4: nothing is connected to, as a listener there shows."""
    hosts = ("127.0.0.1", "localhost", "10.0.0.1", "0.0.0.0", "169.254.169.254", "100.64.0.1")
    others = ("2130706433", "0x7f000001", "0177.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1", "64:ff9b::7f00:1")
    with running() as private:
        target = address.format(port=private.port)
        server.routes["/file"] = lambda a: a.reply(302, location=target)
        web = make_web(allow_http=(*hosts, *others))
        assert get(web, server.url + "/file", tmp_path / "t") == "forbidden_address"
        assert private.asked == []


def test_a_name_that_resolves_to_a_public_address_first(server, make_web, tmp_path, monkeypatch):
    """Rebinding: the address that is connected to is the one that is checked."""
    answers = itertools.chain([["93.184.216.34"]], itertools.repeat(["127.0.0.1"]))
    asked = []

    def resolve(host, port, *_, **__):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in next(answers)]

    with running() as private:
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        connected = []
        monkeypatch.setattr(socket.socket, "connect", lambda self, where: connected.append(where) or _refuse())
        web = make_web(allow_http=("rebind.example",), tries=3)
        assert get(web, f"http://rebind.example:{private.port}/x", tmp_path / "t") == "forbidden_address"
        assert [where[0] for where in connected] == ["93.184.216.34"]


def _refuse():
    raise ConnectionRefusedError("refused")


def test_redirect_to_another_host_is_followed_without_the_credential(server, make_web, tmp_path, monkeypatch):
    from pilebuilder.fetch.web import Secret

    with running() as other:
        monkeypatch.setenv(ALLOW_PRIVATE, f"{server.netloc},{other.netloc}")
        other.files({"/file": CONTENT})
        server.routes["/file"] = lambda a: a.reply(307, location=other.url + "/file")
        secret = Secret(host="api.example", headers={"X-API-KEY": "hush"})
        web = make_web(mirrors={"api.example": server.url})
        item = Item(name="data.bin", address="https://api.example/file")
        got = bring(web, item, tmp_path / "t", secret=secret)
        assert got.path.read_bytes() == CONTENT
        assert server.asked[0].headers["x-api-key"] == "hush"
        assert "x-api-key" not in other.asked[0].headers
        assert "hush" not in repr(secret)


def test_a_mirror_that_is_no_test_loopback_never_sees_the_credential(make_web):
    from pilebuilder.fetch.web import Secret

    web = make_web(mirrors={"api.example": "https://mirror.example"})
    secret = Secret(host="api.example", headers={"X-API-KEY": "hush"})
    assert web._secret(secret, "https://api.example/x", "https://mirror.example/x") == {}
    assert web._secret(secret, "https://api.example/x", "http://api.example/x") == {}
    assert web._secret(secret, "https://api.example/x", "https://api.example/x") == {"X-API-KEY": "hush"}


def test_plain_http_needs_permission(make_web, tmp_path):
    assert get(make_web(), "http://example.org/file", tmp_path / "t") == "plain_http"


def test_tls_failure(make_web, tmp_path, monkeypatch):
    """A server that speaks no TLS, and one whose certificate nobody vouches for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv(ALLOW_PRIVATE, f"127.0.0.1:{port}")

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert get(make_web(), f"https://127.0.0.1:{port}/file", tmp_path / "t") == "tls"


def test_a_certificate_that_nobody_vouches_for(make_web, tmp_path, monkeypatch):
    import ssl

    pem = tmp_path / "self.pem"
    made = shutil.which("openssl") and subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-keyout", str(pem), "-out", str(tmp_path / "cert.pem")], capture_output=True, check=False,
    )  # fmt: skip
    if not made or made.returncode:
        pytest.skip("no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        monkeypatch.setenv(ALLOW_PRIVATE, f"127.0.0.1:{port}")

        def answer() -> None:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secure:
                secure.recv(1024)

        threading.Thread(target=answer, daemon=True).start()
        assert get(make_web(), f"https://127.0.0.1:{port}/file", tmp_path / "t") == "tls"


def test_waits_follow_the_schedule(server, make_web, clock, tmp_path):
    """N3: the waits are the schedule's, never more tries than configured, never before Retry-After."""
    from pilebuilder.fetch.backoff import wait

    web = make_web(tries=6)
    server.routes["/file"] = always(503)
    url = server.url + "/file"
    assert get(web, url, tmp_path / "t") == "server_error"
    assert len(server.asked) == 6
    assert clock.slept == pytest.approx([wait(web.policy, url, n) for n in range(1, 6)], rel=0.1)
    assert all(s <= 2 ** (n) for n, s in enumerate(clock.slept))
    clock.slept.clear()
    server.routes["/later"] = storm(503, 2, retry_after="90")
    assert get(web, server.url + "/later", tmp_path / "u") == "ok"
    assert all(s >= 90 for s in clock.slept)


def test_patience_ends(server, make_web, clock, tmp_path):
    server.routes["/file"] = always(429, retry_after="3000")
    assert get(make_web(), server.url + "/file", tmp_path / "t") == "rate_limited"
    assert sum(clock.slept) <= 3600


def test_public_addresses():
    assert all(map(is_public, ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "2002:808:808::1")))
    refused = (
        "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.0.1 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 240.0.0.1"
    )
    refused += (
        " ::1 :: fe80::1 fc00::1 ff02::1 ::ffff:10.0.0.1 2002:7f00:1::1 64:ff9b::a00:1 ::7f00:1 fe80::1%eth0 192.0.2.1"
    )
    assert [a for a in refused.split() if is_public(a)] == []


def test_identity_is_asked_for_and_the_agent_names_itself(server, make_web, tmp_path):
    server.files({"/file": CONTENT})
    get(make_web(contact="me@example.org"), server.url + "/file", tmp_path / "t")
    assert server.asked[0].headers["accept-encoding"] == "identity"
    assert server.asked[0].headers["user-agent"].startswith("pilebuilder/")
    assert "me@example.org" in server.asked[0].headers["user-agent"]


def test_an_item_is_fetched_once(server, make_web, tmp_path):
    server.files({"/file": CONTENT})
    for n in range(3):
        assert get(make_web(), server.url + "/file", tmp_path / str(n)) == "ok"
    assert len(server.asked) == 1


def test_a_damaged_object_is_fetched_again(server, make_web, store, tmp_path):
    server.files({"/file": CONTENT})
    get(make_web(), server.url + "/file", tmp_path / "a")
    (tmp_path / "a").unlink()
    (path,) = [p for p in (store.root / "objects").rglob("*") if p.is_file()]
    path.chmod(0o644)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert get(make_web(), server.url + "/file", tmp_path / "b") == "ok"
    assert len(server.asked) == 2


def test_refresh_asks_conditionally(server, make_web, tmp_path):
    server.files({"/file": CONTENT})
    get(make_web(), server.url + "/file", tmp_path / "a")
    assert get(make_web(refresh="july"), server.url + "/file", tmp_path / "b") == "ok"
    assert len(server.asked) == 2
    assert "if-none-match" in server.asked[1].headers
    assert get(make_web(refresh="july"), server.url + "/file", tmp_path / "c") == "ok"
    assert len(server.asked) == 2


def test_two_at_once_write_one_file(server, make_web, tmp_path):
    server.routes["/file"] = lambda a: (time.sleep(0.05), a.file(CONTENT))[1]
    found = []
    webs = [make_web(), make_web()]

    def work(n: int) -> None:
        found.append(get(webs[n], server.url + "/file", tmp_path / str(n)))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert found == ["ok", "ok"]


def test_pages_are_decoded_within_limits(server, make_web):
    server.routes["/a"] = lambda a: a.reply(200, gzip.compress(b"page"), content_encoding="gzip")
    server.routes["/b"] = lambda a: a.reply(200, BOMB, content_encoding="gzip")
    server.routes["/c"] = lambda a: a.reply(200, gzip.compress(b"page")[:-4], content_encoding="gzip")
    server.routes["/d"] = lambda a: a.reply(200, b"x", content_encoding="br")
    server.routes["/e"] = endless
    web = make_web(tries=2, max_page=1 << 20)
    assert web.page(server.url + "/a").body == b"page"
    for path, reason in (("/b", "too_large"), ("/c", "interrupted"), ("/d", "bad_response"), ("/e", "too_large")):
        with pytest.raises(FetchError) as caught:
            web.page(server.url + path)
        assert caught.value.reason == reason


def test_a_full_disk_stops_the_run_and_the_same_command_goes_on(server, tmp_path, monkeypatch):
    """Not an item's failure: exit code 5, nothing half-written under a final name, and what came is kept."""
    from pilebuilder.build.worker import execute
    from pilebuilder.errors import NoSpaceError
    from pilebuilder.fetch import transfer
    from pilebuilder.task import Task

    server.routes["/file"] = lambda a: a.file(CONTENT, etag=TAG)
    items = [{"name": "data.bin", "address": server.url + "/file"}]
    params = {"fetcher": "http", "params": {"url": server.url + "/file"}, "items": items, "policy": {}}
    function = "pilebuilder.fetch.stage:fetch_items"
    task = Task(stage="fetch", name="x", function=function, code="1", params=params, component="X")
    real = transfer._counted

    def full(blocks, state):
        yield CONTENT[:1000]
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path))

    monkeypatch.setattr(transfer, "_counted", full)
    with pytest.raises(NoSpaceError, match="no space left"):
        execute(task, tmp_path / "out")
    assert not list((tmp_path / "out").rglob("data.bin"))
    monkeypatch.setattr(transfer, "_counted", real)
    execute(task, tmp_path / "out")
    (found,) = (tmp_path / "out").rglob("data.bin")
    assert found.read_bytes() == CONTENT
    assert [a.headers.get("range") for a in server.asked] == [None, "bytes=1000-"]


def test_a_write_that_fails_is_not_taken_for_a_network_failure(server, make_web, tmp_path):
    server.routes["/file"] = lambda a: a.file(CONTENT, etag=TAG)
    web = make_web()
    (web.store.root).mkdir(parents=True)
    (web.store.root / "parts").write_text("a file where the folder should be")
    with pytest.raises(OSError, match="parts"):
        bring(web, Item(name="data.bin", address=server.url + "/file"), tmp_path / "t")
