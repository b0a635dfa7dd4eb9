"""What the downloader owes its user: where it connects, how it waits, what it keeps, when it stops."""

from __future__ import annotations

import contextlib
import errno
import gzip
import itertools
import shutil
import socket
import subprocess
import threading
import time

import pytest

from pilebuilder.fetch.base import FetchError, Item
from pilebuilder.fetch.bring import bring
from pilebuilder.fetch.connect import ALLOW_PRIVATE, is_public
from tests.fetch.misbehave import BOMB, CONTENT, TAG, always, endless, get, storm
from tests.fetch.server import running

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


def test_through_a_proxy(server, make_web, tmp_path, monkeypatch):
    """The user's proxy may be private; what is asked of it may not."""
    server.routes["http://files.example/file"] = lambda a: a.file(CONTENT)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, server.url)
    monkeypatch.delenv(ALLOW_PRIVATE)
    web = make_web(allow_http=("files.example", "127.0.0.1", "2130706433", "localhost"))
    assert get(web, "http://files.example/file", tmp_path / "t") == "ok"
    for host in ("127.0.0.1", "2130706433", "localhost"):
        assert get(web, f"http://{host}/file", tmp_path / "u") == "forbidden_address"
    assert server.paths() == ["http://files.example/file"]
