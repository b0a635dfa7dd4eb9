"""Downloading one file: resumed where it stopped, digested as it arrives, verified before it gets its name."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.failures import Failed, of_status
from pilebuilder.fetch.policy import MIB, Manners, Secret
from pilebuilder.fetch.sniff import wrong_content
from pilebuilder.fetch.web import Web, decoded

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MISMATCHES = 3
"""Downloads of a file that may end with the wrong digest, size or kind before it is given up."""
_CONTENT_RANGE = re.compile(r"bytes\s+(\d+)-(\d+)/(\d+|\*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to download, and what is known of it beforehand."""

    url: str
    name: str
    """File name: its suffix says what content to expect."""
    bytes: int | None = None
    digest: str | None = None
    start: int = 0
    length: int | None = None
    """Take only this many bytes from `start` on: the head of a file, or a record inside it."""
    headers: Mapping[str, str] = field(default_factory=dict)
    secret: Secret | None = None
    manners: Manners = field(default_factory=Manners)


@dataclass(slots=True)
class Got:
    """What arrived."""

    sha256: str
    bytes: int
    final: str
    headers: Mapping[str, str]
    proven: bool
    """False when neither a length nor a digest could show that nothing is missing."""


@dataclass(slots=True)
class Part:
    """An unfinished file, and what it takes to continue it: the validator of the content it holds the beginning of."""

    path: Path
    validator: str = ""
    total: int | None = None

    @property
    def notes(self) -> Path:
        return self.path.with_name(self.path.name + ".json")

    def load(self) -> int:
        """Bytes that can be continued: none without a strong validator."""
        try:
            held = json.loads(self.notes.read_bytes())
            self.validator, self.total = str(held["validator"]), held["total"]
            size = self.path.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        return size if self.validator else 0

    def begin(self, validator: str, total: int | None) -> None:
        """Start anew with this content."""
        self.validator, self.total = validator, total
        self.path.write_bytes(b"")
        temporary = self.notes.with_name(f".{self.notes.name}.{os.getpid()}")
        temporary.write_text(json.dumps({"validator": validator, "total": total}))
        temporary.rename(self.notes)

    def discard(self) -> None:
        self.validator, self.total = "", None
        self.path.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)


class Digests:
    """SHA-256 (and the upstream's own kind) of a stream, computed beside the thread that receives it."""

    def __init__(self, extra: str | None) -> None:
        self.sha256 = hashlib.sha256()
        kind = (extra or "").partition(":")[0]
        self.other = hashlib.new(kind, usedforsecurity=False) if kind and kind != "sha256" else None
        self._queue: queue.Queue[bytes | None] = queue.Queue(maxsize=8)
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (block := self._queue.get()) is not None:
            self.sha256.update(block)
            if self.other is not None:
                self.other.update(block)

    def update(self, block: bytes) -> None:
        self._queue.put(block)

    def close(self) -> None:
        """Wait until everything is digested."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def matches(self, expected: str | None) -> bool:
        if not expected:
            return True
        kind, _, value = expected.partition(":")
        found = self.sha256.hexdigest() if kind == "sha256" or self.other is None else self.other.hexdigest()
        return found == value.lower()


def download(web: Web, request: Request, path: Path) -> Got:
    """Download to `path`, which may hold the beginning already; raises `FetchError`, keeping what can be continued.

    On return the file is complete as far as can be shown. The caller sees to it that no one else writes it.
    """
    _check_digest(request.digest)
    part = Part(path)
    state = {"mismatches": 0, "moved": 0}

    def attempt() -> Got:
        try:
            return _attempt(web, request, part, state)
        except Failed as failed:
            if failed.restart:
                part.discard()
                state["mismatches"] += 1
                failed.again = failed.again and state["mismatches"] < MISMATCHES
            raise

    got = web.persist(request.url, attempt, lambda: state["moved"])
    part.notes.unlink(missing_ok=True)
    return got


def _attempt(web: Web, request: Request, part: Part, state: dict[str, int]) -> Got:
    have = part.load()
    if not have:
        part.discard()
    asked = dict(request.headers)
    whole = request.start == 0 and request.length is None
    if have or not whole:
        end = "" if request.length is None else request.start + request.length - 1
        if request.length is not None and have >= request.length:
            part.discard()
            have = 0
        asked["Range"] = f"bytes={request.start + have}-{end}"
    if have:
        asked["If-Range"] = part.validator
    with web.send("GET", request.url, asked, secret=request.secret, manners=request.manners) as (response, final):
        have = _agree(web, request, part, response, final, have)
        headers = {k.lower(): v for k, v in response.headers.items()}
        digests = Digests(request.digest)
        try:
            size = _receive(web, request, part, response, final, have, digests, state)
        finally:
            digests.close()
    _verify(request, part, size, headers, digests, final)
    proven = part.total is not None or request.bytes is not None or bool(request.digest) or "chunked" in headers.get(
        "transfer-encoding", ""
    )  # fmt: skip
    return Got(digests.sha256.hexdigest(), size, final, headers, proven)


def _agree(web: Web, request: Request, part: Part, response: BaseHTTPResponse, final: str, have: int) -> int:
    """Compare the answer with what was asked: how many bytes of the part remain good. Raises `Failed`."""
    if response.status == 416:
        stated = re.fullmatch(r"bytes\s+\*/(\d+)", response.headers.get("content-range", "").strip())
        if have and stated and int(stated[1]) == request.start + have and part.total in (None, have):
            part.total = have
            return have
        raise Failed("bad_range", f"{final} cannot continue at byte {request.start + have}", restart=True)
    if response.status == 206:
        return _agree_range(request, part, response, final, have)
    if response.status != 200:
        raise of_status(response, final, web.clock.now(), web.policy)
    if request.start:
        remedy = "this component needs an upstream that serves ranges"
        raise Failed("no_range", f"{final} sends the whole file instead of a range", again=False, remedy=remedy)
    length = response.headers.get("content-length")
    total = int(length.split(",")[0]) if length and not _chunked(response) and not _coded(response) else None
    if request.length is not None and total is not None:
        total = min(total, request.length)
    _check_size(web, request, total, final)
    part.begin(_validator(response), total)
    return 0


def _agree_range(request: Request, part: Part, response: BaseHTTPResponse, final: str, have: int) -> int:
    stated = _CONTENT_RANGE.fullmatch(response.headers.get("content-range", "").strip())
    begin = request.start + have
    if not stated or int(stated[1]) != begin or int(stated[2]) < begin:
        said = response.headers.get("content-range", "nothing")[:80]
        raise Failed("bad_range", f"{final} was asked for bytes from {begin} and sent {said!r}", restart=True)
    if _coded(response):
        raise Failed("bad_range", f"{final} sends a range of an encoded body", restart=True)
    end = None if stated[3] == "*" else int(stated[3]) - request.start
    if request.length is not None:
        end = request.length if end is None else min(end, request.length)
    if have and part.validator != _validator(response) and _validator(response):
        raise Failed("changed", f"{final} changed while it was fetched", restart=True)
    if have and part.total not in (None, end):
        raise Failed("changed", f"{final} changed its length while it was fetched", restart=True)
    if not have:
        part.begin(_validator(response), end)
    part.total = end
    return have


def _receive(
    web: Web,
    request: Request,
    part: Part,
    response: BaseHTTPResponse,
    final: str,
    have: int,
    digests: Digests,
    state: dict[str, int],
) -> int:
    """Append the body to the part, digesting it and what the part held before. Returns the file's size."""
    limit = web.policy.max_file if request.length is None else request.length
    with part.path.open("r+b", buffering=0) as stream:
        for block in _held(stream, have):
            digests.update(block)
        stream.truncate(have)
        size = have
        if response.status == 416:
            return size
        for block in decoded(_counted(web.blocks(response, final), state), response, final, 1 << 62, web.policy):
            if request.length is not None and size + len(block) > limit:
                block = block[: limit - size]
            if size + len(block) > limit:
                part.discard()
                detail = f"{final}: more than {limit} bytes"
                raise Failed("too_large", detail, again=False, lasting=True, remedy="raise `max_file` in `fetch:`")
            digests.update(block)
            view = memoryview(block)
            while view:
                view = view[stream.write(view) :]
            size += len(block)
            if request.length is not None and size == limit:
                break
    return size


def _counted(blocks: Iterator[bytes], state: dict[str, int]) -> Iterator[bytes]:
    for block in blocks:
        state["moved"] += len(block)
        yield block


def _held(stream: Any, have: int) -> Iterator[bytes]:
    """The first `have` bytes of the part."""
    left = have
    while left and (block := stream.read(min(MIB, left))):
        left -= len(block)
        yield block


def _verify(request: Request, part: Part, size: int, headers: Mapping[str, str], digests: Digests, final: str) -> None:
    """Length, digest and kind; a file that fails is thrown away and asked for again a few times."""
    if part.total is not None and size != part.total:
        raise Failed("length_mismatch", f"{final} ended after {size} of {part.total} bytes")
    whole = request.start == 0 and request.length is None
    if whole and request.bytes is not None and size != request.bytes:
        remedy = "the listing and the file disagree; list anew with another `refresh`"
        detail = f"{final} has {size} bytes, its listing says {request.bytes}"
        raise Failed("length_mismatch", detail, restart=True, remedy=remedy)
    if request.digest and not digests.matches(request.digest):
        detail = f"{final} does not have the digest {request.digest} that its upstream publishes"
        raise Failed(
            "checksum_mismatch", detail, restart=True, remedy="list anew with another `refresh`, or report upstream"
        )
    if not request.digest and request.start == 0:
        with part.path.open("rb") as stream:
            problem = wrong_content(request.name, stream.read(1024), headers.get("content-type", ""))
        if problem:
            raise Failed(problem[0], f"{final}: {problem[1]}", restart=True, remedy="look at the address in a browser")


def _check_size(web: Web, request: Request, total: int | None, final: str) -> None:
    if total is not None and total > web.policy.max_file:
        detail = f"{final} has {total} bytes"
        raise Failed("too_large", detail, again=False, lasting=True, remedy="raise `max_file` in `fetch:`")


def _validator(response: BaseHTTPResponse) -> str:
    """A validator strong enough to continue by: an ETag that is not weak, or a date well before the answer's own."""
    tag = response.headers.get("etag", "").strip()
    if tag.startswith('"') and tag.endswith('"') and len(tag) > 2:
        return str(tag)
    if tag:
        return ""
    modified, sent = response.headers.get("last-modified", ""), response.headers.get("date", "")
    try:
        old_enough = (parsedate_to_datetime(sent) - parsedate_to_datetime(modified)).total_seconds() >= 60
    except (ValueError, TypeError):
        return ""
    return str(modified) if old_enough else ""


def _chunked(response: BaseHTTPResponse) -> bool:
    return "chunked" in (response.headers.get("transfer-encoding") or "").lower()


def _coded(response: BaseHTTPResponse) -> bool:
    return (response.headers.get("content-encoding") or "identity").strip().lower() not in ("identity", "")


def _check_digest(digest: str | None) -> None:
    if digest and not re.fullmatch(r"(sha256:[0-9a-fA-F]{64}|sha1:[0-9a-fA-F]{40}|md5:[0-9a-fA-F]{32})", digest):
        raise FetchError(
            "bad_listing", f"{digest[:80]!r} is no digest", remedy="the upstream may have changed its layout"
        )
