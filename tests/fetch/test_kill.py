"""Kill -9 in the middle of a download, at many offsets: what came stays, and the resumed file is identical."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading

import pytest

from pilebuilder.fetch.base import Item
from pilebuilder.fetch.bring import bring
from pilebuilder.fetch.connect import ALLOW_PRIVATE
from tests.fetch.server import Asked

CONTENT = random.Random(3).randbytes(6 << 20)
TAG = '"v1"'
BLOCK = 1 << 20
POINTS = int(os.environ.get("PILEBUILDER_TEST_KILLS", "8"))
CHILD = """
import sys
from pathlib import Path
from pilebuilder.fetch.base import Item
from pilebuilder.fetch.bring import bring
from pilebuilder.fetch.policy import Policy
from pilebuilder.fetch.web import Web
with Web(Policy(delay=0.0)) as web:
    bring(web, Item(name="data.bin", address=sys.argv[1], digest=sys.argv[2] or None), Path(sys.argv[3]))
"""


@pytest.mark.parametrize("offset", [random.Random(i).randrange(1, len(CONTENT)) for i in range(POINTS)])
def test_kill_and_resume(offset, server, make_web, tmp_path, store):
    reached = threading.Event()
    asked_from = []

    def route(asked: Asked) -> None:
        start = asked.range()[0] if asked.range() else 0
        asked_from.append(start)
        if len(asked_from) > 1:
            return asked.file(CONTENT, etag=TAG)
        asked.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(CONTENT)}\r\nETag: {TAG}\r\n\r\n".encode())
        asked.send(CONTENT[:offset])
        reached.set()
        asked.connection.recv(1)  # until the client is gone
        return None

    server.routes["/file"] = route
    url = f"{server.url}/file"
    digest = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
    child = subprocess.Popen([sys.executable, "-c", CHILD, url, digest, str(tmp_path / "t")], env={**os.environ})
    assert reached.wait(20)
    _wait_for_bytes(store, offset - BLOCK)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not (tmp_path / "t").exists()
    got = bring(make_web(), Item(name="data.bin", address=url, digest=digest), tmp_path / "t")
    assert got.path.read_bytes() == CONTENT
    assert len(asked_from) == 2
    assert offset - BLOCK <= asked_from[1] <= offset, "what came before the kill must not come again"
    assert list((store.root / "parts").iterdir()) == []
    assert os.environ[ALLOW_PRIVATE] == server.netloc


def _wait_for_bytes(store, size: int) -> None:
    """Until the child has written at least so much: the kill is then in the middle, not before the start."""
    import time

    for _ in range(400):
        parts = [p for p in (store.root / "parts").glob("*") if not p.name.endswith(".json")]
        if parts and parts[0].stat().st_size >= max(1, size):
            return
        time.sleep(0.02)
    raise AssertionError("the child wrote nothing")
