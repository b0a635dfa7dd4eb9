"""One arXiv submission to Markdown: what runs in the child process of the arXiv reader."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from pilebuilder.read.archives import Caps, Refused, tar_members
from pilebuilder.read.characters import decode as decode_text
from pilebuilder.read.characters import squeeze, tidy
from pilebuilder.read.latex_source import expanded, main_file
from pilebuilder.read.streams import Stream, StreamError, decode
from pilebuilder.read.whole import looks_html

MAX_FILE = 16 << 20
"""Bytes of one TeX file; longer ones are data in the guise of TeX."""
MAX_FILES = 64 << 20
CAPS = Caps(members=20_000, member_bytes=2 << 30)
_TEXTUAL = (".tex", ".ltx", ".latex", ".txt", ".htm", ".html", ".abs", "00readme.json", "00readme.xxx")
_TEX = re.compile(
    rb"\\(?:document(?:class|style)|begin|input|section|magnification|font|def|bye|hsize|centerline|title)\b"
)
_BEGIN = re.compile(r"\\begin\s*\{document\}")
_START = re.compile(r"\\(?:part|chapter|section)\b|\\begin\s*\{abstract\}|\\abstract\b")
_TITLE = re.compile(r"\\(?:title|icmltitle|Title)\*?\s*(?:\[[^\]]{0,200}\])?\s*(?=\{)")
_BIBLIOGRAPHY = re.compile(r"\\begin\s*\{thebibliography\}|\\(?:bibliography|printbibliography)\b(?:\s*\{[^{}]*\})?")
_APPENDIX = re.compile(r"\\(?:appendix|appendices)\b|\\begin\s*\{appendix\}|\\begin\s*\{appendices\}")
_ABSTRACT = re.compile(r"\\(begin|end)\s*\{abstract\}")
_REFERENCE = re.compile(r"\[((?:\\.|[^\[\]\\]){1,60})\]\(#[^()\s]{0,200}\)")
_UNRESOLVED = re.compile(r"\[?\\\[[^\[\]]{1,80}\\\]\]?(?:\(#[^()]{0,200}\))?")
_IMAGE = re.compile(r"!\[([^\[\]]*)\]\([^()\s]*\)(?:\{[^{}]*\})?")
_USUAL = re.compile(r"(?:^|/)(?:index|main|paper|report|article|ms)\.html?$", re.I)
_WITHDRAWN = re.compile(r"\b(?:withdrawn|retracted)\b", re.I)
# Markdown without what only pandoc reads: attributes, divs, spans, raw HTML and TeX, elaborate tables.
_PLAIN_MARKDOWN = (
    "markdown-smart-raw_html-raw_tex-raw_attribute-fenced_divs-native_divs-native_spans-bracketed_spans"
    "-header_attributes-link_attributes-inline_code_attributes-fenced_code_attributes-simple_tables"
    "-multiline_tables-grid_tables-implicit_figures+pipe_tables"
)


class Refusal(Exception):
    """A paper that cannot be done; `reason` and `detail` reach the quarantine row."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail = reason, detail


def paper(data: bytes, style: str, converter: str, appendix: bool, seconds: float) -> dict[str, Any]:
    """Text and facts of a submission, or why it is skipped; raises `Refusal` or `StreamError` for a broken one."""
    files = submission(data)
    if isinstance(files, str):
        return {"skip": files}
    abstracts = [name for name in files if name.endswith(".abs")]
    if abstracts and len(abstracts) == len(files):
        return {"skip": "metadata", "count": len(abstracts)}
    texts = {name: tidy(decode_text(content)[0]) for name, content in files.items()}
    main = main_file({name: text for name, text in texts.items() if not name.lower().endswith((".htm", ".html"))})
    if main is None or (not _TEX.search(files[main]) and main not in _told(texts)):
        return _html(texts, style) if main is None or looks_html(files[main][:512]) else _no_tex(texts[main])
    source, missing = expanded(texts, main)
    found = _converted(source, style, converter, appendix, int(seconds))
    if "skip" in found:
        return found
    return found | {"root_file": main, "missing": missing[:20]}


def _told(texts: dict[str, str]) -> set[str]:
    return set(texts) if any(name.lower().startswith("00readme") for name in texts) else set()


def _no_tex(text: str) -> dict[str, Any]:
    return {"skip": "withdrawn" if len(text) < 4000 and _WITHDRAWN.search(text) else "no_tex"}


def submission(data: bytes) -> dict[str, bytes] | str:
    """The textual files of a submission by name; a reason to skip it when it has none by kind."""
    if data[:5] == b"%PDF-":
        return "no_source"
    pieces = decode(io.BytesIO(data))
    head = b""
    for piece in pieces:
        head += piece
        if len(head) >= 1024:
            break
    if head[:5] == b"%PDF-" or head[:2] == b"%!" or head[:4] == b"\xc5\xd0\xd3\xc6":
        for _ in pieces:  # to the proven end
            pass
        return "no_source"
    if _is_tar(head):
        return _members(_chain(head, pieces))
    content, size = [head], len(head)
    for piece in pieces:
        size += len(piece)
        if size > MAX_FILE:
            raise Refusal("too_large", f"a single file of more than {MAX_FILE} bytes")
        content.append(piece)
    single = b"".join(content)
    if b"\0" in single[:4096] and single[:2] not in (b"\xff\xfe", b"\xfe\xff"):
        raise Refusal("wrong_format", "neither a tar, nor PDF, nor text")
    return {"main.html" if looks_html(single[:1024]) else "main.tex": single}


def _is_tar(head: bytes) -> bool:
    import tarfile

    if head[257:262] == b"ustar":
        return True
    try:
        tarfile.TarInfo.frombuf(head[:512], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return False
    return head[:1] != b"\0"


def _chain(head: bytes, rest: Iterator[bytes]) -> io.BufferedReader:
    def pieces() -> Iterator[bytes]:
        yield head
        yield from rest

    return io.BufferedReader(Stream(pieces()), 1 << 18)


def _members(stream: io.BufferedReader) -> dict[str, bytes] | str:
    files: dict[str, bytes] = {}
    others: list[str] = []
    size = 0
    for member in tar_members(stream, CAPS):
        name = member.name
        base = name.rpartition("/")[2].lower()
        if isinstance(member, Refused):
            if member.reason not in ("link", "special_file"):
                raise Refusal(member.reason, member.detail)
        elif base.endswith(_TEXTUAL) or "." not in base or base in ("00readme.xxx", "00readme.json"):
            if member.size <= MAX_FILE:
                content = member.content(MAX_FILE)
                size += len(content)
                if size > MAX_FILES:
                    raise Refusal("too_large", f"more than {MAX_FILES} bytes of TeX")
                if b"\0" not in content[:4096]:
                    files[name] = content
        else:
            others.append(base)
    if not files:
        return "no_source" if any(o.endswith((".pdf", ".ps", ".eps", ".ps.gz")) for o in others) else "no_tex"
    return files


def _html(texts: dict[str, str], style: str) -> dict[str, Any]:
    """A submission in HTML: the page with a usual name, else the longest, then the others by name."""
    from pilebuilder.read.markup import html_text

    pages = {
        name: text
        for name, text in texts.items()
        if name.lower().endswith((".htm", ".html")) or looks_html(text[:512].encode())
    }
    if not pages or style == "pile":
        return {"skip": "no_tex"}
    first = min(pages, key=lambda name: (not _USUAL.search(name), -len(pages[name]), name))
    order = [first, *sorted(name for name in pages if name != first)]
    text = tidy("\n\n".join(html_text(pages[name]) for name in order).strip())
    return {"text": text, "converter": "html", "root_file": first} if text else {"skip": "no_text"}


def _converted(source: str, style: str, converter: str, appendix: bool, seconds: int) -> dict[str, Any]:
    from pilebuilder.read import pandoc

    if style == "pile":
        try:
            text = pandoc.markdown(source.encode(), "latex", seconds=seconds)
        except pandoc.PandocError as error:
            raise Refusal(error.reason, error.detail) from None
        return {"text": text, "converter": _pandoc_name()} if text.strip() else {"skip": "no_text"}
    preamble, body = split(source)
    title = _title(preamble + body)
    body = trimmed(body, appendix)
    if not body.strip():
        return {"skip": "no_text"}
    use_pandoc = converter == "pandoc" or (converter == "auto" and pandoc.available())
    text, used = "", "builtin"
    if use_pandoc:
        try:
            text, used = _by_pandoc(preamble, body, seconds), _pandoc_name()
        except pandoc.PandocError as error:
            if error.reason == "pandoc_missing":
                raise Refusal(error.reason, error.detail) from None
    if not text.strip():
        text, used = _by_hand(preamble, body), "builtin"
    if not text.strip():
        return _no_tex(body)
    return {"text": tidy(squeeze(f"# {title}\n\n{text}" if title else text)), "title": title, "converter": used}


def _pandoc_name() -> str:
    from pilebuilder.read.pandoc import version

    return "pandoc " + ".".join(map(str, version()[1]))


def split(source: str) -> tuple[str, str]:
    """Preamble and body; a plain TeX source is all body."""
    found = _BEGIN.search(source)
    if not found:
        return "", source
    end = source.find(r"\end{document}", found.end())
    return source[: found.start()], source[found.end() : end if end >= 0 else len(source)]


def trimmed(body: str, appendix: bool) -> str:
    """The body from its abstract or first section on, without bibliography, and without appendices if so asked."""
    if found := _START.search(body):
        body = body[found.start() :]
    if not appendix:
        ends = [m.start() for m in (_APPENDIX.search(body), _BIBLIOGRAPHY.search(body)) if m]
        return body[: min(ends, default=len(body))]
    pieces, at = [], 0
    while found := _BIBLIOGRAPHY.search(body, at):
        pieces.append(body[at : found.start()])
        at = found.end()
        if found.group().startswith(r"\begin"):
            end = body.find(r"\end{thebibliography}", at)
            at = len(body) if end < 0 else end + 21
    return "".join(pieces) + body[at:]


def _title(source: str) -> str:
    from pilebuilder.read.latex_text import TooDeep, closing, definitions, to_markdown

    found = _TITLE.search(source)
    end = closing(source, found.end()) if found else -1
    if not found or end < 0:
        return ""
    try:
        title = to_markdown(
            source[found.end() + 1 : end - 1].replace(r"\\", " "), definitions(source[: found.start()])[0]
        )
    except TooDeep:
        return ""
    return " ".join(title.split())[:500]


def _by_pandoc(preamble: str, body: str, seconds: int) -> str:
    from pilebuilder.read import pandoc

    body = _ABSTRACT.sub(lambda m: r"\section*{Abstract}" if m.group(1) == "begin" else "\n\n", body)
    source = f"{preamble}\n\\begin{{document}}\n{body}\n\\end{{document}}\n".replace(r"\textsc", r"\textrm")
    options = ("--shift-heading-level-by=1", "--markdown-headings=atx")
    text = pandoc.markdown(source.encode(), "latex", to=_PLAIN_MARKDOWN, seconds=seconds, options=options)
    text = _IMAGE.sub(r"\1", text.replace("\u00a0", " "))
    return _UNRESOLVED.sub("", _REFERENCE.sub(r"\1", text))


def _by_hand(preamble: str, body: str) -> str:
    from pilebuilder.read.latex_text import TooDeep, definitions, to_markdown

    macros, _ = definitions(preamble)
    own, body = definitions(body)
    try:
        text = to_markdown(body, macros | own)
    except (TooDeep, RecursionError) as error:
        raise Refusal("too_deep", str(error)) from None
    return "\n".join("#" + line if re.match(r"#{1,5} ", line) else line for line in text.split("\n"))


__all__ = ["Refusal", "StreamError", "paper", "split", "submission", "trimmed"]
