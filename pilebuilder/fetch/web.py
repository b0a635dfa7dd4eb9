"""The way to the network: one object per task or listing, which opens nothing until it is asked for a page.

Every request goes through `Web.send`: mirrors, politeness, redirects, credentials and address checks live there once.
"""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

from pilebuilder.fetch.backoff import wait
from pilebuilder.fetch.clock import Clock
from pilebuilder.fetch.failures import Failed, of_exception, of_status
from pilebuilder.fetch.gate import Gate
from pilebuilder.fetch.policy import MIB, Manners, Policy, Secret
from pilebuilder.fetch.rawstore import RawStore

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

T = TypeVar("T")
REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A small answer, read whole and decoded."""

    url: str
    """Where it came from in the end, in the upstream's own terms (mirrors undone)."""
    status: int
    headers: Mapping[str, str]
    body: bytes

    def text(self) -> str:
        """As UTF-8, or Latin-1 where it is not."""
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self.body.decode("latin-1")

    def json(self) -> Any:
        """Parsed JSON; raises `Failed` when it is none, since error pages come with status 200 too."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            start = self.body[:80].decode("ascii", "replace")
            detail = f"{self.url} did not answer JSON but {start!r}: {error}"
            raise Failed(
                "bad_listing", detail, again=False, remedy="the upstream may have changed its layout"
            ) from None


class Web:
    """Access to upstreams under one policy."""

    def __init__(self, policy: Policy, clock: Clock | None = None, store: RawStore | None = None) -> None:
        self.policy, self.clock = policy, clock or Clock()
        self.store = store or RawStore()
        self.gate = Gate(self.store.root / "hosts", self.clock)
        self._pool: PoolManager | None = None
        self._proxied = False

    @classmethod
    def open(cls, params: Mapping[str, Any] | None = None) -> Web:
        """From task parameters."""
        return cls(Policy(**(params or {})))

    def __enter__(self) -> Web:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.clear()
            self._pool = None

    # -- one request

    @contextlib.contextmanager
    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        secret: Secret | None = None,
        manners: Manners | None = None,
    ) -> Iterator[tuple[BaseHTTPResponse, str]]:
        """One request with its redirects: the response with its body unread, and the address that gave it.

        Raises `Failed`. The host's slot is held until the body has been read.
        """
        manners = manners or Manners()
        delay = self.policy.delay if manners.delay is None else manners.delay
        slots = manners.connections or self.policy.connections
        with contextlib.ExitStack() as held:
            for hop in range(self.policy.redirects + 1):
                target = self._target(url)
                host = urlsplit(target).netloc.rpartition("@")[2]
                held.enter_context(self.gate.request(host, delay, slots))
                response = self._once(
                    method, url, target, {**(headers or {}), **self._secret(secret, url, target, method)}, body
                )
                held.callback(_close, response)
                if response.status not in REDIRECTS or "location" not in response.headers:
                    yield response, url
                    return
                if hop == self.policy.redirects:
                    break
                following = urljoin(url, response.headers["location"].strip())
                held.pop_all().close()
                if response.status == 303:
                    method, body = "GET", None
                self._check_redirect(url, following)
                url = following
        raise Failed("too_many_redirects", f"{url}: more than {self.policy.redirects} redirects", again=False)

    def _target(self, url: str) -> str:
        """The address to ask for `url`: its mirror if there is one; refuses what is not the web."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        if parts.scheme not in ("http", "https") or not host:
            raise Failed("bad_address", f"{url[:200]} is not a web address", again=False, lasting=True)
        mirror = self.policy.mirrors.get(host)
        if mirror:
            base = urlsplit(mirror)
            url = urlunsplit((base.scheme, base.netloc, base.path.rstrip("/") + parts.path, parts.query, ""))
            parts, host = urlsplit(url), (base.hostname or "").lower()
        if parts.scheme == "http" and host not in self.policy.allow_http and not self._for_tests(parts.netloc):
            detail = f"{url[:200]} is not encrypted"
            raise Failed(
                "plain_http", detail, again=False, remedy=f"add `allow_http: [{host}]` to `fetch:` if you accept that"
            )
        return url

    @staticmethod
    def _for_tests(netloc: str) -> bool:
        from pilebuilder.fetch.connect import allowed_for_tests

        return netloc in allowed_for_tests()

    def _secret(self, secret: Secret | None, url: str, target: str, method: str = "GET") -> Mapping[str, str]:
        """The credential's headers, if this request goes to its own host and over TLS (or to a test's loopback)."""
        if secret is None or urlsplit(url).hostname != secret.host:
            return {}
        own = urlsplit(target).hostname == secret.host and urlsplit(target).scheme == "https"
        if not own and not self._for_tests(urlsplit(target).netloc):
            return {}
        return {**secret.headers, **(secret.sign(method, url) if secret.sign else {})}

    def _check_redirect(self, url: str, following: str) -> None:
        parts = urlsplit(following)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            detail = f"{url} redirects to {following[:200]!r}, which is not a web address"
            raise Failed("bad_redirect", detail, again=False, lasting=True)

    def _once(
        self, method: str, url: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> BaseHTTPResponse:
        from urllib3.exceptions import HTTPError

        from pilebuilder.fetch.connect import check_through_proxy, make_pool

        if self._pool is None:
            self._pool = make_pool(self.policy)
            self._proxied = self._pool.proxy is not None
        sent = {"User-Agent": self.policy.user_agent, "Accept-Encoding": "identity", **headers}
        try:
            if self._proxied:
                check_through_proxy(urlsplit(target).hostname or "")
            response = self._pool.request(
                method, target, headers=sent, body=body, preload_content=False, decode_content=False, redirect=False,
                retries=False,
            )  # fmt: skip
        except (HTTPError, OSError, UnicodeError, ValueError) as error:
            raise of_exception(error, url) from error
        declared = response.headers.get("content-length")
        if declared is not None and not all(v.strip().isdigit() and v.strip().isascii() for v in declared.split(",")):
            _close(response)
            raise Failed("bad_response", f"{url} declares the impossible length {declared[:40]!r}")
        return response

    # -- with patience

    def persist(
        self,
        address: str,
        attempt: Callable[[], T],
        moved: Callable[[], int] = lambda: 0,
        policy: Policy | None = None,
    ) -> T:
        """Repeat an attempt until it succeeds or the policy says to give up; raises `FetchError`.

        Attempts that moved at least `policy.progress` bytes do not count against the tries.
        """
        policy = policy or self.policy
        failures = attempts = 0
        waited = 0.0
        while True:
            before = moved()
            try:
                return attempt()
            except Failed as failed:
                attempts += 1
                failures = 1 if moved() - before >= policy.progress else failures + 1
                pause = wait(policy, address, failures)
                if failed.wait is not None:
                    pause = max(pause, failed.wait)
                out_of_patience = waited + pause > policy.patience
                if not failed.again or failures >= policy.tries or out_of_patience:
                    raise failed.final(attempts) from failed
                waited += pause
                self.clock.sleep(pause)

    def page(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
        secret: Secret | None = None,
        manners: Manners | None = None,
        accept: tuple[int, ...] = (200,),
        check: Callable[[Page], None] | None = None,
    ) -> Page:
        """A listing or a small document, decoded and held in memory; raises `FetchError`.

        `check` may raise `Failed` to have the page asked for again: some upstreams answer errors with status 200.
        """

        def attempt() -> Page:
            asked = {"Accept-Encoding": "gzip", **(headers or {})}
            with self.send(method, url, asked, body=body, secret=secret, manners=manners) as (response, final):
                if response.status not in accept:
                    raise of_status(response, final, self.clock.now(), self.policy)
                content = b"".join(
                    decoded(self.blocks(response, final), response, final, self.policy.max_page, self.policy)
                )
                found = Page(url=final, status=response.status, headers=_lower(response.headers), body=content)
            if check is not None:
                check(found)
            return found

        return self.persist(url, attempt)

    def blocks(self, response: BaseHTTPResponse, address: str, size: int = MIB) -> Iterator[bytes]:
        """The body as it arrives, undecoded; raises `Failed` when it stalls, trickles, or ends before its length."""
        from urllib3.exceptions import HTTPError

        policy, started, moved, total = self.policy, self.clock.monotonic(), 0, 0
        while True:
            try:
                block = response.read1(size, decode_content=False)
            except (HTTPError, OSError, ValueError) as error:
                raise of_exception(error, address) from error
            if not block:
                if getattr(getattr(response, "_original_response", None), "surplus", False):
                    raise Failed("bad_response", f"{address} sends more than the length it declares", restart=True)
                if not total and response.status == 200 and not _framed(response):
                    raise Failed("interrupted", f"{address}: neither a length nor a body; its headers may be cut")
                return
            total += len(block)
            moved += len(block)
            elapsed = self.clock.monotonic() - started
            if elapsed >= policy.floor_window:
                if moved < policy.floor_rate * elapsed:
                    detail = f"{address}: {moved / elapsed:.0f} bytes/s over {elapsed:.0f} s"
                    raise Failed("too_slow", detail, remedy="run again later")
                started, moved = self.clock.monotonic(), 0
            yield block


def decoded(
    blocks: Iterator[bytes], response: BaseHTTPResponse, address: str, limit: int, policy: Policy
) -> Iterator[bytes]:
    """Undo a gzip or deflate content coding within limits; other codings are refused."""
    coding = (response.headers.get("content-encoding") or "identity").strip().lower()
    if coding in ("identity", ""):
        total = 0
        for block in blocks:
            total += len(block)
            if total > limit:
                raise Failed("too_large", f"{address}: more than {limit} bytes", again=False, lasting=True)
            yield block
        return
    if coding not in ("gzip", "x-gzip", "deflate"):
        raise Failed(
            "bad_response", f"{address} answers in the content coding {coding[:40]!r}, which was not asked for"
        )
    yield from _inflated(blocks, zlib.decompressobj(47 if coding != "deflate" else 15), address, limit, policy)


def _inflated(blocks: Iterator[bytes], unpack: Any, address: str, limit: int, policy: Policy) -> Iterator[bytes]:
    wire = total = 0
    for block in blocks:
        wire += len(block)
        while block:
            try:
                out = unpack.decompress(block, MIB)
            except zlib.error as error:
                raise Failed("bad_response", f"{address}: broken content coding: {error}") from None
            block = unpack.unconsumed_tail
            total += len(out)
            if total > limit or total > max(16 * MIB, wire * policy.max_ratio):
                detail = f"{address}: {wire} bytes on the wire unpack to more than {total - len(out)}"
                raise Failed("too_large", detail, again=False, lasting=True)
            yield out
    if not unpack.eof:
        raise Failed("interrupted", f"{address}: its content coding ends in the middle")


def _framed(response: BaseHTTPResponse) -> bool:
    """Whether the headers say where the body ends."""
    return "content-length" in response.headers or "transfer-encoding" in response.headers


def _lower(headers: Any) -> dict[str, str]:
    return {name.lower(): ", ".join(headers.getlist(name)) for name in headers}


def _close(response: BaseHTTPResponse) -> None:
    """Give the connection back if the body was read to its end, else drop it."""
    with contextlib.suppress(Exception):
        if response.closed:
            response.release_conn()
        else:
            response.close()


def cache_folder(web: Web, name: str) -> Path:
    """A folder of the shared store for what may be asked again any time: robots.txt, rights files."""
    path = web.store.root / name
    path.mkdir(parents=True, exist_ok=True)
    return path
