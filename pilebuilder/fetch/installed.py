"""Fetchers over what the installation holds: documentation as crawled pages, and translated message catalogues."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from pilebuilder.fetch.base import Fetched, FetchError, Item, Want
from pilebuilder.fetch.generated import written
from pilebuilder.registry import fetcher

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from pilebuilder.fetch.web import Web

GROUP_BYTES = 1 << 20
"""Python source whose pages make one WARC file."""
HTML_SHARE = 0.2
"""Compressed pages per byte of source, measured over numpy, scipy and pandas; only for planning."""
PAGE_DATE = "2025-01-01T00:00:00Z"
"""Date in the WARC records: fixed, since the pages are made here and equal input must give equal bytes."""
_TESTS = re.compile(
    r"(^|/)(tests?|testing|_?vendor(ed)?|idlelib|lib2to3|site-packages|__pycache__|node_modules)(/|$)"
    r"|(^|/)(test_|conftest)"
)


@fetcher("generate-python-docs", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class PythonDocs:
    """Documentation of installed distributions as a crawl: HTML pages with navigation and footers, in WARC files."""

    volatile: ClassVar[bool] = True
    network: ClassVar[bool] = False
    sampled: ClassVar[bool] = False
    partial: ClassVar[bool] = False
    batch_bytes: ClassVar[int] = int(2 * GROUP_BYTES * HTML_SHARE)

    packages: Annotated[tuple[str, ...], Field(min_length=1, description="distributions, or stdlib")] = ("stdlib",)

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """WARC files to make: the modules of each package in order, about 1 MiB of source in each file."""
        from pilebuilder.task import batches

        for package in self.packages:
            sources = _sources(package)
            if not sources:
                raise FetchError("no_sources", f"{package} has no Python source", remedy="take it from `packages`")
            groups = batches(sources, GROUP_BYTES, lambda s: s[2].st_size)
            for index, group in enumerate(groups):
                stamps = [(name, status.st_size, status.st_mtime_ns) for name, _, status in group]
                yield Item(
                    name=f"{package}-{index:03}.warc.gz",
                    address=f"generator:python-docs/{package}/{index}",
                    estimate=int(sum(s[1] for s in stamps) * HTML_SHARE),
                    version=hashlib.sha256(repr(stamps).encode()).hexdigest()[:16],
                    extra={"_files": [[name, str(path)] for name, path, _ in group], "_package": package},
                )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        """Render the pages of the item's modules and write them as WARC records."""
        from pilebuilder.fetch import warcfile
        from pilebuilder.fetch.docpages import SITE, pages

        package = str(item.extra["_package"])
        fields = {"software": "pilebuilder", "format": "WARC File Format 1.1", "description": package}
        out = [warcfile.info(PAGE_DATE, item.name, fields)]
        headers = {"Content-Type": "text/html; charset=utf-8", "Server": "generated"}
        unparsed = 0
        for name, path in item.extra["_files"]:
            try:
                made = list(pages(package, _module(name), Path(path).read_bytes()))
            except (SyntaxError, ValueError, RecursionError):
                unparsed += 1  # templates and source for another Python: no page could be made of them
                continue
            except OSError as error:
                raise FetchError("unreadable", f"{path} cannot be read: {error.strerror or error}") from error
            for page in made:
                out.append(warcfile.response(PAGE_DATE, SITE + page.path, "200 OK", headers, page.html.encode()))
        facts: dict[str, Any] = {"pages": len(out) - 1} | ({"unparsed_modules": unparsed} if unparsed else {})
        found = written(item, target, b"".join(out))
        return Fetched(item=item, path=found.path, sha256=found.sha256, bytes=found.bytes, facts=facts)


def _sources(package: str) -> list[tuple[str, Path, os.stat_result]]:
    """Python files of a distribution or of the standard library; no tests, no copies of other packages."""
    if package == "stdlib":
        import sysconfig

        root = Path(sysconfig.get_path("stdlib"))
        names = _modules_below(root)
    else:
        dist = _distribution(package)
        root = Path(str(dist.locate_file("")))
        record = dist.read_text("RECORD") or ""
        names = (row[0] for row in csv.reader(record.splitlines()) if row and row[0].endswith(".py"))
    found = []
    for name in sorted(names):
        if name.startswith("../") or _TESTS.search(name):
            continue
        with contextlib.suppress(FileNotFoundError):
            found.append((name, root / name, (root / name).stat()))
    return found


def _modules_below(root: Path) -> Iterator[str]:
    for folder, below, files in os.walk(root):
        inside = Path(folder).relative_to(root).as_posix()
        prefix = "" if inside == "." else f"{inside}/"
        below[:] = [b for b in below if not _TESTS.search(f"{prefix}{b}/")]
        yield from (prefix + name for name in files if name.endswith(".py"))


def _distribution(package: str) -> Distribution:
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        return distribution(package)
    except PackageNotFoundError:
        remedy = f"install it or take it from `packages`: pip install {package}"
        raise FetchError("not_installed", f"the distribution {package!r} is not installed", remedy=remedy) from None


def _module(name: str) -> str:
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@fetcher("generate-catalogues", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogues:
    """Translated messages of installed distributions (gettext .mo files): short text in many languages."""

    volatile: ClassVar[bool] = True
    network: ClassVar[bool] = False
    sampled: ClassVar[bool] = False
    partial: ClassVar[bool] = False

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """One text file per catalogue: its translations, one a line."""
        from importlib.metadata import distributions

        found = {}
        for dist in distributions():
            record = dist.read_text("RECORD") or ""
            for row in csv.reader(line for line in record.splitlines() if ".mo," in line):
                found[f"{dist.metadata['Name']}/{row[0]}.txt".replace("../", "")] = Path(str(dist.locate_file(row[0])))
        for name, path in sorted(found.items()):
            if path.is_file():
                status = path.stat()
                version = f"{status.st_size}:{status.st_mtime_ns}"
                yield Item(name=name, address=str(path), estimate=status.st_size // 2, version=version)

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        try:
            messages = translations(Path(item.address).read_bytes())
        except OSError as error:
            raise FetchError("unreadable", f"{item.address} cannot be read: {error.strerror or error}") from error
        except ValueError as error:
            raise FetchError("bad_catalogue", f"{item.address}: {error}", lasting=True) from error
        return written(item, target, "\n".join([*messages, ""]).encode())


def translations(content: bytes) -> list[str]:
    """Translated messages of a gettext ``.mo`` file in its own order, plural forms as messages of their own.

    Raises ValueError for a file that is not one or that is cut.
    """
    import struct

    if len(content) < 28:
        raise ValueError("shorter than the header of a message catalogue")
    order = {b"\xde\x12\x04\x95": "<", b"\x95\x04\x12\xde": ">"}.get(content[:4])
    if order is None:
        raise ValueError("not a message catalogue: wrong magic number")
    count, originals, translated = struct.unpack_from(f"{order}8xIII", content)[0:3]
    if max(originals, translated) + 8 * count > len(content):
        raise ValueError("cut: its tables reach past the end of the file")
    messages = []
    for index in range(count):
        if struct.unpack_from(f"{order}I", content, originals + 8 * index)[0] == 0:
            continue  # the entry of the empty message is the catalogue's own header
        size, start = struct.unpack_from(f"{order}II", content, translated + 8 * index)
        if start + size > len(content):
            raise ValueError("cut: a message reaches past the end of the file")
        messages += [m for m in content[start : start + size].decode().split("\0") if m.strip()]
    return messages
