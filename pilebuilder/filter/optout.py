"""Opt-out: documents that somebody asked to leave out, by address, domain, author or digest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from pilebuilder.document import Docs, Rule
from pilebuilder.errors import RecipeError
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

Files = Annotated[tuple[str, ...], Field(description="text files, one entry a line; # begins a comment")]
LEVELS = 6
"""Labels of a host name that are tried as domains: a.b.c.d.example.org has six."""


@step("optout", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class OptOut:
    """Drops documents named in opt-out lists: URLs, domains with their subdomains, authors, digests of the text."""

    urls: Files = ()
    domains: Files = ()
    authors: Files = ()
    hashes: Annotated[
        tuple[str, ...],
        Field(description="files of SHA-256 digests of texts (64 hex digits) or document ids (32 hex digits)"),
    ] = ()
    author_fields: Annotated[
        tuple[str, ...], Field(min_length=1, description="fields of meta that name the author")
    ] = ("author", "authors", "user", "username", "owner", "creator", "by")

    def __post_init__(self) -> None:
        if not (self.urls or self.domains or self.authors or self.hashes):
            raise RecipeError("optout needs at least one list: urls, domains, authors or hashes")

    def digests(self) -> dict[str, str]:
        """Digests of the lists."""
        from pilebuilder.task import digest_file

        found = {}
        for kind in ("urls", "domains", "authors", "hashes"):
            for name in getattr(self, kind):
                _exists(name)
                found[f"{kind}/{name}"] = digest_file(Path(name))[0]
        return found

    def __call__(self, docs: Docs) -> Docs:
        rules = [
            Rule(reason="optout.url", failed=_urls(docs, entries(self.urls))),
            Rule(reason="optout.domain", failed=_domains(docs, entries(self.domains))),
            Rule(reason="optout.author", failed=_authors(docs, entries(self.authors), self.author_fields)),
            Rule(reason="optout.hash", failed=_hashes(docs, entries(self.hashes))),
        ]
        return docs.reject(rules)


def _exists(name: str) -> None:
    if not Path(name).is_file():
        raise RecipeError(f"no opt-out list {name}: give the path of a text file with one entry a line")


@cache
def entries(names: tuple[str, ...]) -> tuple[str, ...]:
    """Entries of list files, without comments, each once."""
    found: dict[str, None] = {}
    for name in names:
        _exists(name)
        try:
            text = Path(name).read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise RecipeError(f"{name}: not UTF-8 at byte {error.start}; save the list as UTF-8") from error
        for line in text.splitlines():
            entry = line.strip()
            if entry and not entry.startswith("#"):
                found[entry] = None
    return tuple(found)


def _is_in(values: pa.Array, wanted: list[str]) -> np.ndarray:
    """bool [n]: values that are in the list; null is not."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    return np.asarray(pc.is_in(values, value_set=pa.array(sorted(set(wanted)), values.type)))


def normal_url(url: str) -> str:
    """A URL as it is compared: without scheme, ``www.``, port 80 or 443, fragment and final slash; host in lower case.

    >>> normal_url("HTTPS://www.Example.org:443/a/B/#top")
    'example.org/a/B'
    """
    import pyarrow as pa

    return str(_normal_urls(pa.array([url], pa.string()))[0].as_py())


def _normal_urls(urls: pa.Array) -> pa.Array:
    """`normal_url` of a whole column."""
    import pyarrow.compute as pc

    # fmt: off
    urls = pc.replace_substring_regex(pc.utf8_trim_whitespace(urls), r"^[A-Za-z][A-Za-z0-9+.-]*://", "")
    urls = pc.replace_substring_regex(urls, r"#.*$", "")
    host = pc.utf8_lower(pc.replace_substring_regex(urls, r"[/?].*$", ""))
    rest = pc.replace_substring_regex(urls, r"^[^/?]*", "")
    host = pc.replace_substring_regex(pc.replace_substring_regex(host, r"^[^@]*@", ""), r"(:80|:443|\.)$", "")
    host = pc.replace_substring_regex(host, r"^www\.", "")
    return pc.replace_substring_regex(pc.binary_join_element_wise(host, rest, ""), r"/+$", "")
    # fmt: on


def _urls(docs: Docs, wanted: tuple[str, ...]) -> np.ndarray:
    """bool [n]: addresses in the list; an entry that ends in ``*`` stands for all that begin like it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    failed = np.zeros(len(docs), bool)
    if not wanted:
        return failed
    own = _normal_urls(docs.column("url"))
    exact = [w for w in wanted if not w.endswith("*")]
    if exact:
        failed |= _is_in(own, _normal_urls(pa.array(exact, pa.string())).to_pylist())
    for prefix in (w[:-1] for w in wanted if w.endswith("*")):
        tail = "/" if prefix.endswith("/") else ""
        begins = pc.starts_with(pc.binary_join_element_wise(own, "/", ""), normal_url(prefix) + tail)
        failed |= np.asarray(begins.fill_null(False))
    return failed


def _domains(docs: Docs, wanted: tuple[str, ...]) -> np.ndarray:
    """bool [n]: addresses whose host is a listed domain or lies under one."""
    import numpy as np
    import pyarrow.compute as pc

    failed = np.zeros(len(docs), bool)
    if not wanted:
        return failed
    names = [w.lower().removeprefix("*.").removeprefix("www.").strip(".") for w in wanted]
    host = pc.replace_substring_regex(
        pc.replace_substring_regex(_normal_urls(docs.column("url")), r"[/?].*$", ""), r":\d+$", ""
    )
    for _ in range(LEVELS):
        failed |= _is_in(host, names)
        host = pc.replace_substring_regex(host, r"^[^.]*\.", "")
    return failed


def _authors(docs: Docs, wanted: tuple[str, ...], fields: tuple[str, ...]) -> np.ndarray:
    """bool [n]: documents whose meta names a listed author, whatever the case; names compare whole."""
    import json

    import numpy as np
    import pyarrow.compute as pc

    failed = np.zeros(len(docs), bool)
    if not wanted:
        return failed
    names = {" ".join(w.casefold().split()) for w in wanted}
    meta = docs.column("meta")
    for field in fields:
        some = pc.match_substring(meta, f'"{field}"').fill_null(False)
        for row in np.flatnonzero(np.asarray(some)).tolist():
            value = json.loads(meta[row].as_py()).get(field)
            failed[row] |= any(" ".join(v.casefold().split()) in names for v in _strings(value))
    return failed


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value, *value.split(";")] if ";" in value else [value]
    if isinstance(value, dict):
        return [s for v in value.values() for s in _strings(v)]
    return [s for v in value for s in _strings(v)] if isinstance(value, list) else []


def _hashes(docs: Docs, wanted: tuple[str, ...]) -> np.ndarray:
    """bool [n]: documents listed by id, or by the SHA-256 of their text as UTF-8."""
    import hashlib

    import numpy as np

    failed = np.zeros(len(docs), bool)
    if not wanted:
        return failed
    lower = [w.lower() for w in wanted]
    for entry in lower:
        if len(entry) not in (32, 64) or set(entry) - set("0123456789abcdef"):
            raise RecipeError(
                f"{entry!r} in an opt-out list of hashes is neither SHA-256 (64 hex digits) nor an id (32)"
            )
    failed |= _is_in(docs.column("id"), lower)
    texts = {w for w in lower if len(w) == 64}
    if texts:
        data, offsets = docs.buffers()
        view = memoryview(data)  # type: ignore[arg-type]
        for row in range(len(docs)):
            failed[row] |= hashlib.sha256(view[offsets[row] : offsets[row + 1]]).hexdigest() in texts
    return failed
