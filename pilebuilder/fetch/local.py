"""Files that already lie on this machine: a folder of the user's, or what the installation itself put here."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import quote, unquote_to_bytes

from pydantic import Field

from pilebuilder.fetch.base import Fetched, FetchError, Item, Want
from pilebuilder.registry import fetcher

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web

BLOCK = 1 << 20
REFUSED = {
    "link_outside": "links out of the folder are not followed",
    "link_broken": "the link leads to nothing",
    "link_folder": "links to folders are not followed; make the folder a component of its own, or `exclude` it",
}
"""Why a name of the folder is not read: reason and cause."""
ESCAPED = "file://"
"""Begins the address of a file whose path is not plain UTF-8 text; the rest is percent-encoded."""
SKIPPED = ("**/__pycache__/**", "**/.git/**", "**/.DS_Store")
# The standard library's folder may hold the installed packages and the interpreter's own tests.
PLACES = {"stdlib": "stdlib", "site-packages": "purelib", "data": "data"}
PLACE_SKIPS = {"stdlib": ("site-packages/**", "dist-packages/**", "test/**", "**/tests/**", "config-*/**")}


@fetcher("local", version=2)
@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """Files of a folder, or of the installation: python:stdlib, python:site-packages, python:data."""

    volatile: ClassVar[bool] = True
    network: ClassVar[bool] = False
    sampled: ClassVar[bool] = False
    partial: ClassVar[bool] = False

    path: Annotated[str, Field(min_length=1, description="a folder, one file, or python:stdlib|site-packages|data")]
    include: Annotated[tuple[str, ...], Field(description="globs of names; ** crosses folders")] = ("**",)
    exclude: Annotated[tuple[str, ...], Field(description="globs of names to leave out")] = ()
    licence: Annotated[str | None, Field(description="licence of these files when the card's is not theirs")] = None
    acknowledge_rights: Annotated[bool, Field(description="you may use these files (local-only cards)")] = True

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Regular files by name, bytewise; a link to a folder, or out of this one, is listed and then refused."""
        if not self.acknowledge_rights:
            reason = "this component has no lawful public source; it reads only files that you are entitled to use"
            raise FetchError("rights", reason, remedy="if you are, set `acknowledge_rights: true` beside `path`")
        root, skips = _place(self.path)
        if not root.exists():
            raise FetchError("no_folder", f"{root} does not exist", remedy="put the files there or set another `path`")
        if root.is_file():
            yield _item(root.name, root, root.parent.resolve(), self.licence)
            return
        if not os.access(root, os.R_OK | os.X_OK):
            raise FetchError("unreadable", f"{root} cannot be listed", remedy="mend its permissions")
        include, exclude = _matcher(self.include), _matcher((*SKIPPED, *skips, *self.exclude))
        inside = root.resolve()
        links = not self.path.startswith("python:")  # what an installer linked is there under its own name
        names = _walk(root, _reaches(self.include), include, exclude, links=links)
        for name in sorted((n for n in names if not exclude(n)), key=os.fsencode):
            yield _item(name, root / name, inside, self.licence)

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        """Digest the file where it lies; it must not change while it is read."""
        path = _path(item.address)
        if "refused" in item.extra:
            reason = str(item.extra["refused"])
            raise FetchError(reason, REFUSED[reason], lasting=True)
        try:
            digest, size = _digest(path)
            same = _version(path) == item.version
        except FileNotFoundError:
            raise FetchError("vanished", f"{path} was removed after it was listed", remedy="run again") from None
        except OSError as error:
            reason = f"{path} cannot be read: {error.strerror or error}"
            raise FetchError("unreadable", reason, remedy="mend its permissions and run again") from error
        if not same:
            raise FetchError("changed", f"{path} changed while it was read", remedy="run again when it is at rest")
        if item.address.startswith(ESCAPED):  # a path that no table can hold: the corpus gets its own copy
            shutil.copyfile(path, target)
            return Fetched(item=item, path=target, sha256=digest, bytes=size)
        return Fetched(item=item, path=path, sha256=digest, bytes=size, owned=False)


def _place(path: str) -> tuple[Path, tuple[str, ...]]:
    """Folder and standing exclusions of a path or symbolic place."""
    if not path.startswith("python:"):
        return Path(path).expanduser().absolute(), ()
    import sysconfig

    name = path.removeprefix("python:")
    if name not in PLACES:
        known = ", ".join(f"python:{p}" for p in PLACES)
        raise FetchError("no_place", f"{path!r} is no place of the installation", remedy=f"known: {known}")
    return Path(sysconfig.get_path(PLACES[name])).absolute(), PLACE_SKIPS.get(name, ())


def _walk(
    root: Path,
    reaches: Callable[[str], bool],
    include: Callable[[str], bool],
    exclude: Callable[[str], bool],
    *,
    links: bool,
) -> Iterator[str]:
    """Names of wanted files below a folder; only folders that can hold one are read, links to these named (`links`).

    A folder that cannot be listed is an error, not a gap.
    """

    def refuse(error: OSError) -> None:
        reason = f"{error.filename} cannot be listed: {error.strerror}"
        raise FetchError("unreadable", reason, remedy="mend its permissions")

    for folder, below, files in os.walk(root, onerror=refuse):
        inside = os.path.relpath(folder, root)
        prefix = "" if inside == "." else f"{inside}/"
        below[:] = [b for b in below if reaches(prefix + b) and not exclude(f"{prefix}{b}/x")]
        for name in files:
            path = os.path.join(folder, name)
            if include(prefix + name) and (os.path.islink(path) or os.path.isfile(path)):
                yield prefix + name
        if links:
            yield from (prefix + b for b in below if os.path.islink(os.path.join(folder, b)))


def _reaches(globs: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether files in this folder, or below it, can fit any of the globs."""
    patterns = []
    for glob in globs:
        parts = glob.split("/")[:-1]
        fixed = parts[: parts.index("**")] if "**" in parts else parts
        deep = "**" in parts or "**" in glob
        patterns.append(([re.compile(_translate(part)) for part in fixed], deep))

    def fits(folder: str) -> bool:
        names = folder.split("/")
        return any(
            all(p.fullmatch(n) for p, n in zip(fixed, names, strict=False)) and (deep or len(names) <= len(fixed))
            for fixed, deep in patterns
        )

    return fits


def _item(name: str, path: Path, inside: Path, licence: str | None) -> Item:
    name, address = _printable(name), _address(path)
    if refused := _refused(path, inside):
        return Item(name=name, address=address, extra={"refused": refused})
    return Item(name=name, address=address, bytes=path.stat().st_size, version=_version(path), licence=licence)


def _refused(path: Path, inside: Path) -> str | None:
    if not path.is_symlink():
        return None
    if path.is_dir():
        return "link_folder"
    if not path.is_file():
        return "link_broken"
    return None if path.resolve().is_relative_to(inside) else "link_outside"


def _is_plain(text: str) -> bool:
    """Whether a name can stand in tables and messages as it is: UTF-8, no control characters, no backslash."""
    return not any("\ud800" <= c <= "\udfff" or ord(c) < 32 or c in "\\\x7f" for c in text)


def _printable(name: str) -> str:
    """`name`, or a form of it with the odd bytes percent-encoded and a digest that keeps it unique."""
    if _is_plain(name):
        return name
    raw = os.fsencode(name)
    kept = "".join(chr(b) if 32 <= b < 127 and b not in b"%\\" else f"%{b:02X}" for b in raw)
    stem, dot, suffix = kept.rpartition(".")
    digest = hashlib.blake2b(raw, digest_size=4).hexdigest()
    return f"{stem}.{digest}.{suffix}" if dot else f"{kept}.{digest}"


def _address(path: Path) -> str:
    return str(path) if _is_plain(str(path)) else ESCAPED + quote(os.fsencode(path))


def _path(address: str) -> Path:
    if address.startswith(ESCAPED):
        return Path(os.fsdecode(unquote_to_bytes(address.removeprefix(ESCAPED))))
    return Path(address)


def _version(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}"


def _digest(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def _matcher(globs: tuple[str, ...]) -> Callable[[str], bool]:
    """Whether a name fits any of the globs."""
    if not globs:
        return lambda name: False
    pattern = re.compile("|".join(f"(?:{_translate(g)})" for g in globs), re.DOTALL)
    return lambda name: pattern.fullmatch(name) is not None


@functools.cache
def _translate(glob: str) -> str:
    """Regular expression of a glob: ``*`` and ``?`` stay within a folder, ``**/`` crosses any number of them.

    >>> bool(re.fullmatch(_translate("**/*.py"), "a/b/c.py")), bool(re.fullmatch(_translate("*.py"), "a/c.py"))
    (True, False)
    """
    out, i = [], 0
    while i < len(glob):
        if glob.startswith("**/", i):
            out.append("(?:[^/]+/)*")
            i += 3
        elif glob.startswith("**", i):
            out.append(".*")
            i += 2
        elif glob[i] == "[" and "]" in glob[i + 2 :]:
            end = glob.index("]", i + 2)
            inner = glob[i + 1 : end].replace("\\", r"\\")
            out.append("[" + ("^/" + inner[1:] if inner[0] in "!^" else inner) + "]")
            i = end + 1
        else:
            out.append({"*": "[^/]*", "?": "[^/]"}.get(glob[i], re.escape(glob[i])))
            i += 1
    return "".join(out)
