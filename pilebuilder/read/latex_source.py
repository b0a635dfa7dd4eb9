"""The files of a LaTeX submission as one source: which file is the main one, what it includes, without comments.

Everything is looked up among the files of the submission itself, under names without ``..`` and drives; nothing is
ever read from a disk, so an ``\\input`` of a file of this machine finds nothing.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping

from pilebuilder.read.archives import label

DEEPEST = 10
MAX_EXPANDED = 32 << 20
"""Bytes of a source with its includes; a book of 1,000 pages has 4 MB."""
PREFERRED = ("ms.tex", "main.tex", "paper.tex", "article.tex", "arxiv.tex")

_CLASS = re.compile(r"^[^%\n]*\\document(?:class|style)\b", re.M)
_PLAIN = re.compile(
    r"^[^%\n]*\\(?:bye\b|magnification\b|input +(?:amstex|amsppt|harvmac|eplain|lanlmac|phyzzx)|documentclass|end\b)",
    re.M,
)
_INCLUDE = re.compile(
    r"\\(?:(?P<two>import|subimport|inputfrom|includefrom)\*?\s*\{(?P<folder>[^{}]{0,200})\}\s*\{(?P<file>[^{}]{1,200})\}"
    r"|(?:input|include|subfile|InputIfFileExists|@input)\s*\{(?P<braced>[^{}]{1,200})\}"
    r"|input\s+(?P<bare>[^\s{}\\%]{1,200}))"
)
_VERBATIM = re.compile(r"\\begin\{(verbatim\*?|lstlisting|Verbatim|minted|alltt|comment|filecontents\*?)\}")
_LEFT_OUT = ("comment", "filecontents", "filecontents*")
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_CONDITION = re.compile(r"\\(?:if[a-zA-Z@]*|fi)(?![a-zA-Z@])")


class TooLarge(ValueError):
    """Includes that multiply beyond `MAX_EXPANDED`."""


def main_file(files: Mapping[str, str]) -> str | None:
    """Name of the main file; None when nothing here is TeX.

    ``00README.json`` or ``00README.XXX`` decide when they name it; else a file with a document class that no other
    file includes, at the top, under a usual name; else plain TeX; the longest of several.
    """
    named = _readme(files)
    if named:
        return named
    sources = {name: text for name, text in files.items() if _is_tex(name) and not name.lower().startswith("anc/")}
    candidates = [name for name, text in sources.items() if _CLASS.search(text)]
    candidates = candidates or [name for name, text in sources.items() if _PLAIN.search(text)] or list(sources)
    if not candidates:
        return None
    included = {found for name, text in sources.items() for found in _included(text, name, sources) if found != name}
    return min(candidates, key=lambda name: _rank(name, sources, included))


def _rank(name: str, sources: Mapping[str, str], included: set[str]) -> tuple[bool, int, bool, int, int, str]:
    base = name.rpartition("/")[2].lower()
    usual = PREFERRED.index(base) if base in PREFERRED else len(PREFERRED)
    size = len(sources[name]) + sum(len(sources[part]) for part in _all_included(name, sources))
    return name in included, name.count("/"), r"\begin{document}" not in sources[name], usual, -size, name


def _all_included(name: str, sources: Mapping[str, str]) -> set[str]:
    """Every file that is reached from one."""
    reached: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for part in _included(sources[current], current, sources):
            if part not in reached and part != name:
                reached.add(part)
                waiting.append(part)
    return reached


def _readme(files: Mapping[str, str]) -> str | None:
    for name, text in files.items():
        if name.lower() == "00readme.json":
            try:
                sources = json.loads(text).get("sources", [])
                named = [s["filename"] for s in sources if s.get("usage") == "toplevel" and s["filename"] in files]
            except (ValueError, AttributeError, KeyError, TypeError):
                continue
            if named:
                return str(named[0])
        elif name.lower() in ("00readme.xxx", "00readme"):
            for line in text.split("\n"):
                words = line.split()
                if len(words) >= 2 and words[1].lower() == "toplevelfile" and words[0] in files:
                    return words[0]
    return None


def _is_tex(name: str) -> bool:
    base = name.rpartition("/")[2].lower()
    return base.endswith((".tex", ".ltx", ".latex", ".txt")) or ("." not in base and not base.startswith("00readme"))


def _included(text: str, name: str, files: Mapping[str, str]) -> list[str]:
    found = (_target(match, name, files) for match in _INCLUDE.finditer(without_comments(text)))
    return [target for target in found if target]


def _target(match: re.Match[str], name: str, files: Mapping[str, str]) -> str:
    """The file of the submission that an include means, or an empty string."""
    folder = posixpath.dirname(name)
    reference = (match["file"] or match["braced"] or match["bare"] or "").strip().strip('"')
    if match["two"]:
        reference = posixpath.join(match["folder"], reference)
    for base in ("", folder) if not match["two"] else (folder, ""):
        path = label(posixpath.normpath(posixpath.join(base, reference)))
        for form in (path, path + ".tex", path + ".ltx"):
            if form in files:
                return form
        lowered = {held.lower(): held for held in files}
        if (held := lowered.get(path.lower()) or lowered.get(path.lower() + ".tex")) is not None:
            return held
    return ""


def expanded(files: Mapping[str, str], main: str) -> tuple[str, list[str]]:
    """The main file with its includes in place, comments removed, and the includes that are not there."""
    missing: list[str] = []
    text = _expand(files, main, (main,), missing, [0])
    return without_conditions(text), missing


def _expand(files: Mapping[str, str], name: str, above: tuple[str, ...], missing: list[str], size: list[int]) -> str:
    text = without_comments(files[name])
    size[0] += len(text)
    if size[0] > MAX_EXPANDED:
        raise TooLarge(f"more than {MAX_EXPANDED} bytes with all includes")

    def include(match: re.Match[str]) -> str:
        target = _target(match, name, files)
        if not target or target in above or len(above) > DEEPEST or not _is_tex(target):
            if not target:
                missing.append(match.group()[:80])
            return ""
        return _expand(files, target, (*above, target), missing, size) + "\n"

    return "".join(piece if verbatim else _INCLUDE.sub(include, piece) for verbatim, piece in _pieces(text))


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """The source in pieces: the name of a verbatim environment and all of it, or an empty name and what is between."""
    at = 0
    while found := _VERBATIM.search(text, at):
        line = max(text.rfind("\n", 0, found.start()) + 1, at)
        if _COMMENT.search(text[line : found.start()]):  # the environment itself is commented out
            yield "", text[at : found.end()]
            at = found.end()
            continue
        end = text.find(f"\\end{{{found.group(1)}}}", found.end())
        end = len(text) if end < 0 else end + len(found.group(1)) + 6
        yield "", text[at : found.start()]
        yield found.group(1), text[found.start() : end]
        at = end
    yield "", text[at:]


def without_comments(text: str) -> str:
    """The source without comments; verbatim environments stay, ``comment`` and ``filecontents`` go.

    >>> without_comments("a % b\\n  c \\\\% d\\n% e\\nf")
    'a c \\\\% d\\nf'
    """
    return "".join(
        _stripped(piece) if not verbatim else "" if verbatim in _LEFT_OUT else piece
        for verbatim, piece in _pieces(text)
    )


def _stripped(text: str) -> str:
    if "%" not in text:
        return text
    out: list[str] = []
    joining = False
    for line in text.split("\n"):
        cut = _COMMENT.sub(r"\1", line)
        if cut is not line and cut != line:
            if cut.strip():
                out.append(cut.lstrip() if joining else cut)
                joining = True
            continue
        out.append((line.lstrip() if joining and line.strip() else line) + "\n")
        joining = False
    return "".join(out).removesuffix("\n") if out and not joining else "".join(out)


def without_conditions(text: str) -> str:
    """The source without what stands between ``\\iffalse`` and its ``\\fi``."""
    start = text.find(r"\iffalse")
    if start < 0:
        return text
    pieces, at = [], 0
    while start >= 0:
        depth, end = 0, -1
        for found in _CONDITION.finditer(text, start):
            depth += -1 if found.group() == r"\fi" else 1
            if depth == 0:
                end = found.end()
                break
        if end < 0:
            break
        pieces.append(text[at:start])
        at, start = end, text.find(r"\iffalse", end)
    return "".join(pieces) + text[at:]
