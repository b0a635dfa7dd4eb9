"""HTTP for the loopback Hub: bodies by length or in chunks, faults, and the storage host with ranges and parts."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from tests.publish.faults import Asked, Fault

if TYPE_CHECKING:
    from tests.publish.hub import Hub


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any, status: int = 200, **headers: str) -> Reply:
        named = {k.replace("_", "-"): v for k, v in headers.items()}
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})

    @classmethod
    def error(cls, status: int, message: str, code: str = "") -> Reply:
        headers = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {})}
        return cls(status, json.dumps({"error": message}).encode(), {"Content-Type": "application/json", **headers})


class Cut(Exception):
    """The connection is to be cut without an answer."""


class Handler(BaseHTTPRequestHandler):
    """The Hub."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    hub: Hub
    role = "hub"

    def log_message(self, *_: object) -> None:
        pass

    def _any(self) -> None:
        asked = Asked(self.role, self.command, self.path, self.headers.get("authorization"))
        hub = self.hub
        hub.log.append(asked)
        number = len(hub.log)
        fault = next((f for f in hub.faults if f.fits(asked.line)), None)
        try:
            body = self._body(asked, fault)
            if hub.on_request:
                hub.on_request(number, "before")
            if fault and fault.hang:
                time.sleep(fault.hang)
            if fault and fault.do:
                fault.do()
            if fault and fault.status:
                reply = Reply(fault.status, fault.body, {"Content-Type": "application/json", **fault.headers})
            else:
                reply = self.work(body)
            if hub.on_request:
                hub.on_request(number, "after")
            if fault and fault.silent:
                raise Cut
            asked.status = reply.status
            self._send(reply)
        except (Cut, BrokenPipeError, ConnectionResetError):
            self._cut()

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = _any  # noqa: N815

    def work(self, body: bytes) -> Reply:
        return self.hub.answer(self.command, self.path, self.headers, body)

    def _body(self, asked: Asked, fault: Fault | None) -> bytes:
        out = bytearray()
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                out += self.rfile.read(size)
                self.rfile.readline()
                self._maybe_cut(out, asked, fault)
            self.rfile.readline()
        else:
            left = int(self.headers.get("content-length") or 0)
            while left and (piece := self.rfile.read(min(left, 1 << 16))):
                out += piece
                left -= len(piece)
                self._maybe_cut(out, asked, fault)
            if left:
                raise Cut  # the client went away
        asked.received = len(out)
        if fault and fault.reset:
            raise Cut
        return bytes(out)

    @staticmethod
    def _maybe_cut(out: bytearray, asked: Asked, fault: Fault | None) -> None:
        if fault and fault.reset and len(out) >= fault.after:
            asked.received = len(out)
            raise Cut

    def _cut(self) -> None:
        """A reset, not a polite end."""
        self.close_connection = True
        try:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        except OSError:
            pass

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)


class StorageHandler(Handler):
    """The host of large files: addresses are signed, so a token has no business here."""

    role = "storage"

    def work(self, body: bytes) -> Reply:
        state = self.hub.state
        kind, _, rest = self.path.partition("?")[0].strip("/").partition("/")
        digest, _, part = rest.partition("/")
        if self.command == "PUT" and kind == "upload":
            if hashlib.sha256(body).hexdigest() != digest:
                return Reply.error(400, "the content does not have the digest it was announced with")
            with state.lock:
                state.objects[digest] = body
            return Reply()
        if self.command == "PUT" and kind == "part":
            with state.lock:
                state.parts[digest, int(part)] = body
            return Reply(headers={"ETag": f'"{hashlib.md5(body).hexdigest()}"'})
        if self.command in ("GET", "HEAD") and kind == "object" and digest in state.objects:
            return ranged(state.objects[digest], self.headers.get("range"), {"ETag": f'"{digest}"'})
        return Reply.error(404, "no such object")


def ranged(content: bytes, wanted: str | None, headers: dict[str, str]) -> Reply:
    """A file, or the range of it that was asked for."""
    headers = {"Accept-Ranges": "bytes", **headers}
    if not wanted:
        return Reply(200, content, headers)
    first, _, last = wanted.removeprefix("bytes=").partition("-")
    start = int(first) if first else max(0, len(content) - int(last))
    stop = min(int(last) + 1, len(content)) if last and first else len(content)
    if start >= len(content):
        return Reply(416, b"", {"Content-Range": f"bytes */{len(content)}"})
    return Reply(206, content[start:stop], {**headers, "Content-Range": f"bytes {start}-{stop - 1}/{len(content)}"})
