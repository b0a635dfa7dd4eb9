"""A loopback web server that can misbehave: each route is a function that is handed the raw connection."""

from __future__ import annotations

import contextlib
import email.utils
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

OLD = email.utils.formatdate(1_600_000_000, usegmt=True)


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: socket.socket
    server: Server
    time: float = field(default_factory=time.monotonic)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def range(self) -> tuple[int, int | None] | None:
        """First and last byte asked for."""
        value = self.headers.get("range")
        if not value:
            return None
        first, _, last = value.removeprefix("bytes=").partition("-")
        return int(first), int(last) if last else None

    def send(self, content: bytes) -> None:
        self.connection.sendall(content)

    def reply(self, status: int, body: bytes = b"", *, length: bool = True, **headers: str) -> None:
        """A well-formed answer. Header names are given with underscores."""
        lines = [f"HTTP/1.1 {status} Status", f"Date: {email.utils.formatdate(usegmt=True)}"]
        named = {k.replace("_", "-").title(): v for k, v in headers.items()}
        if length:
            named.setdefault("Content-Length", str(len(body)))
        lines += [f"{k}: {v}" for k, v in named.items()]
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (b"" if self.method == "HEAD" else body))

    def file(self, content: bytes, **headers: str) -> None:
        """A file as a good server gives it: with ETag, dates and ranges."""
        tag = '"' + hashlib.md5(content).hexdigest() + '"'
        headers = {"etag": tag, "last_modified": OLD, "accept_ranges": "bytes", **headers}
        if self.headers.get("if-none-match") == tag:
            return self.reply(304, **headers)
        wanted, condition = self.range(), self.headers.get("if-range")
        if wanted is None or (condition and condition not in (headers["etag"], headers["last_modified"])):
            return self.reply(200, content, **headers)
        first, last = wanted
        if first >= len(content):
            return self.reply(416, content_range=f"bytes */{len(content)}", **headers)
        last = len(content) - 1 if last is None else min(last, len(content) - 1)
        span = f"bytes {first}-{last}/{len(content)}"
        return self.reply(206, content[first : last + 1], content_range=span, **headers)


Route = Callable[[Asked], None]


class Server:
    """Routes by path; a path that ends in ``*`` is a prefix. Keeps every request."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}
        self.asked: list[Asked] = []
        self.live = 0
        self.most_live = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def netloc(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.netloc}"

    def close(self) -> None:
        self._listener.close()
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def files(self, content: dict[str, bytes]) -> None:
        """Serve files well."""
        for path, body in content.items():
            self.routes[path] = lambda asked, body=body: asked.file(body)

    def paths(self) -> list[str]:
        return [a.target for a in self.asked]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        with contextlib.suppress(OSError, ValueError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for asked in self._requests(connection):
                with self._lock:
                    self.asked.append(asked)
                    self.live += 1
                    self.most_live = max(self.most_live, self.live)
                try:
                    self._route(asked)(asked)
                finally:
                    with self._lock:
                        self.live -= 1
        self._open.discard(connection)

    def _requests(self, connection: socket.socket) -> Iterator[Asked]:
        stream = connection.makefile("rb")
        while line := stream.readline():
            method, target, _ = line.decode("latin-1").split()
            headers: dict[str, str] = {}
            while (raw := stream.readline()) not in (b"\r\n", b""):
                name, _, value = raw.decode("latin-1").partition(":")
                headers[name.strip().lower()] = value.strip()
            body = stream.read(int(headers.get("content-length", 0)))
            yield Asked(method, target, headers, body, connection, self)

    def _route(self, asked: Asked) -> Route:
        if asked.path in self.routes:
            return self.routes[asked.path]
        for path, route in self.routes.items():
            if path.endswith("*") and asked.path.startswith(path[:-1]):
                return route
        return lambda a: a.reply(404, b"no such page")


@contextlib.contextmanager
def running() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()
