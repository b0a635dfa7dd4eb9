"""From an item to a raw file: out of the shared store if it is there, else downloaded into it."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pilebuilder.fetch.base import Fetched, FetchError, Item
from pilebuilder.fetch.policy import Manners, Secret
from pilebuilder.fetch.rawstore import Evidence, item_key
from pilebuilder.fetch.transfer import Got, Request, download
from pilebuilder.fetch.web import Web


def bring(
    web: Web,
    item: Item,
    target: Path,
    *,
    headers: Mapping[str, str] | None = None,
    secret: Secret | None = None,
    manners: Manners | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Fetched:
    """Fetch an item by its address and give it the name `target`; raises `FetchError`.

    ``extra._start`` and ``extra._length`` ask for a part of the file behind the address.
    """
    held = web.store.find(item)
    if held is None or _stale(web, item, held):
        with web.store.hold(item_key(item)):
            held = web.store.find(item)  # another process may have brought it meanwhile
            if held is None or _stale(web, item, held):
                held = _download(web, item, headers or {}, secret, manners or Manners(), held)
    web.store.place(held, target)
    known = {
        "final": held.final,
        "etag": held.etag,
        "modified": held.modified,
        **held.facts,
        **(facts or {}),
    }
    return Fetched(
        item=item, path=target, sha256=held.sha256, bytes=held.bytes, facts={k: v for k, v in known.items() if v}
    )


def compose(
    web: Web, item: Item, target: Path, make: Callable[[], tuple[bytes, dict[str, Any]]], variant: str = ""
) -> Fetched:
    """As `bring`, for an item put together from many answers: made once, then found in the shared store.

    `variant` names what decides the content beside the address and version (parameters, policy).
    """
    keyed = replace(item, extra={**item.extra, "_variant": variant})
    key = item_key(keyed)
    held = web.store.find(keyed)
    if held is None:
        with web.store.hold(key):
            held = web.store.find(keyed)
            if held is None:
                content, facts = make()
                part = web.store.part(key)
                part.write_bytes(content)
                held = Evidence(
                    address=item.address,
                    sha256=hashlib.sha256(content).hexdigest(),
                    bytes=len(content),
                    time=_time(web),
                    licence=item.licence or "",
                    facts=facts,
                )
                web.store.add(keyed, part, held)
    web.store.place(held, target)
    return Fetched(item=item, path=target, sha256=held.sha256, bytes=held.bytes, facts=held.facts)


def _time(web: Web) -> str:
    return datetime.datetime.fromtimestamp(web.clock.now(), datetime.UTC).isoformat(timespec="seconds")


def _stale(web: Web, item: Item, held: Evidence) -> bool:
    """Whether an item that nothing versions should be confirmed: once per refresh label."""
    return not item.version and not item.digest and held.label != web.policy.refresh


def _download(
    web: Web, item: Item, headers: Mapping[str, str], secret: Secret | None, manners: Manners, held: Evidence | None
) -> Evidence:
    if held is not None and _unchanged(web, item, headers, secret, manners, held):
        renewed = Evidence(**{**_fields(held), "label": web.policy.refresh})
        web.store.note(item, renewed)
        return renewed
    part = web.store.part(item_key(item))
    start, length = item.extra.get("_start", 0), item.extra.get("_length")
    request = Request(
        url=item.address,
        name=item.name,
        bytes=item.bytes if length is None and not start else None,
        digest=item.digest if length is None and not start else None,
        start=start,
        length=length,
        headers=headers,
        secret=secret,
        manners=manners,
    )
    got = download(web, request, part)
    evidence = _evidence(web, item, got)
    web.store.add(item, part, evidence)
    return evidence


def _unchanged(
    web: Web, item: Item, headers: Mapping[str, str], secret: Secret | None, manners: Manners, held: Evidence
) -> bool:
    """Ask the upstream whether what we hold is still what it has."""
    if not held.etag and not held.modified:
        return False
    asked = {**headers, "Range": "bytes=0-0"}
    if held.etag:
        asked["If-None-Match"] = held.etag
    else:
        asked["If-Modified-Since"] = held.modified
    page = web.page(item.address, asked, secret=secret, manners=manners, accept=(200, 206, 304, 412, 416))
    return page.status == 304


def _evidence(web: Web, item: Item, got: Got) -> Evidence:
    facts: dict[str, Any] = {} if got.proven else {"length": "unproven"}
    if item.extra.get("_length") is not None and got.bytes > int(item.extra["_length"]):
        raise FetchError("length_mismatch", f"{item.address} sent more than the range asked for")
    return Evidence(
        address=item.address,
        sha256=got.sha256,
        bytes=got.bytes,
        time=_time(web),
        final=got.final if got.final != item.address else "",
        etag=got.headers.get("etag", ""),
        modified=got.headers.get("last-modified", ""),
        type=got.headers.get("content-type", ""),
        licence=item.licence or "",
        label=web.policy.refresh,
        facts=facts,
    )


def _fields(held: Evidence) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(held)
