"""Writing WARC files (ISO 28500): one gzip member per record, the same bytes for the same pages."""

from __future__ import annotations

import base64
import hashlib
import uuid
import zlib

VERSION = b"WARC/1.1\r\n"
_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122, names that are URLs


def member(content: bytes) -> bytes:
    """One gzip member without name and time, so that equal content gives equal bytes."""
    pack = zlib.compressobj(6, zlib.DEFLATED, 31)
    return pack.compress(content) + pack.flush()


def _digest(content: bytes) -> str:
    return "sha1:" + base64.b32encode(hashlib.sha1(content, usedforsecurity=False).digest()).decode()


def _record(kind: str, headers: dict[str, str], block: bytes, identity: str) -> bytes:
    fields = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{uuid.uuid5(_NAMESPACE, identity)}>",
        **headers,
        "WARC-Block-Digest": _digest(block),
        "Content-Length": str(len(block)),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return member(VERSION + head.encode() + b"\r\n" + block + b"\r\n\r\n")


def info(date: str, name: str, fields: dict[str, str]) -> bytes:
    """The ``warcinfo`` record that begins a file."""
    block = "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode()
    headers = {"WARC-Date": date, "WARC-Filename": name, "Content-Type": "application/warc-fields"}
    return _record("warcinfo", headers, block, f"{name} {date}")


def response(date: str, url: str, status: str, http_headers: dict[str, str], payload: bytes) -> bytes:
    """A ``response`` record: an HTTP answer as a crawler would have stored it."""
    fields = {**http_headers, "Content-Length": str(len(payload))}
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()) + "\r\n"
    headers = {
        "WARC-Date": date,
        "WARC-Target-URI": url,
        "Content-Type": "application/http; msgtype=response",
        "WARC-Payload-Digest": _digest(payload),
        "WARC-Identified-Payload-Type": http_headers.get("Content-Type", "application/octet-stream").split(";")[0],
    }
    return _record("response", headers, head.encode("latin-1") + payload, f"{url} {date}")
