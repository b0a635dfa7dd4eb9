"""Download speed and memory: our downloader and curl, the same loopback file to the same disk, in turns.

    python -m tests.benchmarks.fetch [--mib 2048] [--rounds 3]

Our figure includes the SHA-256 digest, the sync before the rename, and the store. The server sends the file with
sendfile in a process of its own. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

AGAIN = "--fetch-once"


def serve(path: str, ready: Any) -> None:
    """Answer every GET on a free port with the file."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready.put(listener.getsockname()[1])
    size = os.path.getsize(path)
    while True:
        connection, _ = listener.accept()
        with connection, open(path, "rb") as source:
            request = b""
            while b"\r\n\r\n" not in request:
                block = connection.recv(4096)
                if not block:
                    break
                request += block
            head = f'HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nETag: "x"\r\nConnection: close\r\n\r\n'
            connection.sendall(head.encode())
            connection.sendfile(source)


def fetch_once(url: str, store: str, target: str) -> None:
    """In a process of its own: fetch one file and print seconds, digest and peak memory."""
    from pilebuilder.fetch.base import Item
    from pilebuilder.fetch.bring import bring
    from pilebuilder.fetch.policy import Policy
    from pilebuilder.fetch.rawstore import RawStore
    from pilebuilder.fetch.web import Web

    with Web(Policy(delay=0.0), store=RawStore(Path(store))) as web:
        started = time.perf_counter()
        got = bring(web, Item(name="file.bin", address=url), Path(target))
        seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "sha256": got.sha256, "peak": peak}))


def ours(url: str, folder: Path) -> dict[str, Any]:
    port = url.split(":")[2].partition("/")[0]
    env = {**os.environ, "PILEBUILDER_TEST_ALLOW_PRIVATE": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "tests.benchmarks.fetch", AGAIN, url, str(folder / "store"), str(folder / "t")]
    out = subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout
    return dict(json.loads(out))


def curl(url: str, folder: Path) -> float:
    started = time.perf_counter()
    subprocess.run(["curl", "-s", "-o", str(folder / "c"), url], check=True)
    seconds = time.perf_counter() - started
    (folder / "c").unlink()
    return seconds


def main() -> None:
    if len(sys.argv) > 1 and sys.argv[1] == AGAIN:
        fetch_once(*sys.argv[2:5])
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        digest = hashlib.sha256()
        with source.open("wb") as stream:
            for i in range(options.mib):
                block = hashlib.shake_128(str(i).encode()).digest(1 << 20)
                stream.write(block)
                digest.update(block)
        ready: Any = multiprocessing.Queue()
        server = multiprocessing.Process(target=serve, args=(str(source), ready), daemon=True)
        server.start()
        url = f"http://127.0.0.1:{ready.get()}/file.bin"
        rows = []
        for turn in range(options.rounds):
            work = folder / str(turn)
            work.mkdir()
            theirs = curl(url, work)
            mine = ours(url, work)
            assert mine["sha256"] == digest.hexdigest()
            rows.append((theirs, mine["seconds"], mine["peak"]))
            shutil.rmtree(work)
        server.terminate()
    size = options.mib * (1 << 20) / 1e6
    print(f"{'round':>5} {'curl MB/s':>10} {'ours MB/s':>10} {'ratio':>6} {'peak MiB':>9}")
    for turn, (theirs, mine_s, peak) in enumerate(rows):
        print(f"{turn:>5} {size / theirs:>10.0f} {size / mine_s:>10.0f} {theirs / mine_s:>6.2f} {peak / 2**20:>9.1f}")
    ratio = statistics.median(t / m for t, m, _ in rows)
    figures = {
        "mib": options.mib,
        "curl_mb_s": round(size / statistics.median(t for t, _, _ in rows)),
        "fetch_mb_s": round(size / statistics.median(m for _, m, _ in rows)),
        "fetch_to_curl": round(ratio, 3),
        "peak_mib": round(max(p for _, _, p in rows) / 2**20, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
