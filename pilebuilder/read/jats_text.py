"""JATS bodies as Markdown: sections, paragraphs, lists, captions; formulas as TeX."""

from __future__ import annotations

import re
from typing import Any

from pilebuilder.read.mathml import tex
from pilebuilder.read.xml import local, words


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LEFT_OUT = _names(
    "ref-list fn-group fn table table-wrap-foot graphic inline-graphic media supplementary-material object-id title"
    " label caption alt-text long-desc permissions attrib sub-article response floats-group related-article aff"
    " contrib-group author-notes sec-meta kwd-group processing-meta inline-supplementary-material"
)
_BLOCKS = _names(
    "p sec list disp-quote disp-formula disp-formula-group fig fig-group table-wrap table-wrap-group boxed-text"
    " statement def-list verse-group preformat code speech array app app-group glossary notes ack question-wrap"
)
_FORMULAS = _names("inline-formula disp-formula tex-math math alternatives chem-struct")
_NO_ABSTRACT = _names("graphical toc teaser precis video web-summary")
_DOCUMENT = re.compile(r"\\begin\{document\}(.*?)\\end\{document\}", re.S)
_ADDRESS = re.compile(r"(?:https?://|www\.|ftp://|doi:\s*10\.|10\.\d{4,9}/)\S*", re.I)
DEEPEST = 6


def article_text(article: Any, title: str) -> str:
    """Title, abstracts, body and appendices."""
    out: list[str] = [f"# {title}"] if title else []
    for child in article:
        name = local(child)
        if name == "front":
            for abstract in (e for e in child.iter() if local(e) == "abstract"):
                if abstract.get("abstract-type", "") not in _NO_ABSTRACT:
                    _section(abstract, 2, out, "Abstract")
        elif name == "body":
            blocks(child, 2, out)
        elif name == "back":
            for part in child:
                if local(part) in ("app-group", "app"):
                    blocks(part, 2, out) if local(part) == "app-group" else _section(part, 2, out, "Appendix")
    return "\n\n".join(out)


def blocks(element: Any, depth: int, out: list[str]) -> None:
    """The children of an element that holds blocks, and stray text between them."""
    _text(element.text, out)
    for child in element:
        block(child, depth, out)
        _text(child.tail, out)


def _text(text: str | None, out: list[str]) -> None:
    if text and (flat := " ".join(text.split())):
        out.append(flat)


def block(element: Any, depth: int, out: list[str]) -> None:
    """One block; what stands inside a paragraph but is a block of its own ends the paragraph."""
    name = local(element)
    if name in ("sec", "app"):
        _section(element, depth, out)
    elif name == "p":
        _paragraph(element, depth, out)
    elif name in ("fig", "table-wrap", "boxed-text", "statement", "fig-group", "table-wrap-group"):
        _captioned(element, depth, out)
    elif name == "list":
        _list(element, depth, out)
    elif name in ("disp-formula", "disp-formula-group", "alternatives"):
        formula = _formula(element)
        out.extend([f"$${formula}$$"] if formula else [])
    elif name in ("disp-quote", "verse-group", "speech"):
        inner: list[str] = []
        blocks(element, depth, inner)
        out.extend("\n".join(f"> {line}" for line in text.split("\n")) for text in inner)
    elif name == "def-list":
        for item in (e for e in element if local(e) == "def-item"):
            out.append(": ".join(filter(None, (words(e) for e in item if local(e) in ("term", "def")))))
    elif name in ("preformat", "code"):
        out.append("```\n" + "".join(element.itertext()).strip("\n") + "\n```")
    elif name in ("verse-line", "attrib"):
        _text(inline(element), out)
    elif name not in _LEFT_OUT and name:
        blocks(element, depth, out) if any(local(e) in _BLOCKS for e in element) else _text(inline(element), out)


def _section(element: Any, depth: int, out: list[str], default: str = "") -> None:
    heads = [inline(e) for e in element if local(e) in ("label", "title")]
    heading = " ".join(" ".join(heads).split()) or default
    inner: list[str] = []
    blocks(element, depth + 1, inner)
    if inner:
        out.extend([f"{'#' * min(depth, DEEPEST)} {heading}"] if heading else [])
        out.extend(inner)


def _captioned(element: Any, depth: int, out: list[str]) -> None:
    """Label and caption in one paragraph; boxes and statements with their own blocks after it."""
    head = []
    for child in element:
        if local(child) in ("label", "title"):
            text = inline(child).strip()
            head.append(text if not text or text[-1] in ".:?!" else text + ".")
        elif local(child) == "caption":
            head += [inline(part) for part in child if local(part) in ("title", "p")]
    text = " ".join(" ".join(head).split())
    out.extend([text] if text else [])
    if local(element) not in ("fig", "table-wrap"):
        for child in element:
            block(child, depth, out)


def _paragraph(element: Any, depth: int, out: list[str]) -> None:
    running = [element.text or ""]
    for child in element:
        if local(child) in _BLOCKS:
            _text("".join(running), out)
            running = []
            block(child, depth, out)
        else:
            running.append(_inline_element(child))
        running.append(child.tail or "")
    _text("".join(running), out)


def _list(element: Any, depth: int, out: list[str]) -> None:
    ordered, lines = element.get("list-type") == "order", []
    for number, item in enumerate((e for e in element if local(e) == "list-item"), 1):
        inner: list[str] = []
        blocks(item, depth, inner)
        if inner:
            mark = f"{number}. " if ordered else "- "
            first, *rest = inner
            lines.append(mark + first.replace("\n", "\n  "))
            lines += ["  " + text.replace("\n", "\n  ") for text in rest]
    out.extend(["\n".join(lines)] if lines else [])


def inline(element: Any) -> str:
    """Running text of an element: formulas as TeX between dollars, notes and graphics left out."""
    pieces = [element.text or ""]
    for child in element:
        pieces += (_inline_element(child), child.tail or "")
    return "".join(pieces)


def _inline_element(element: Any) -> str:
    name = local(element)
    if name in _FORMULAS:
        formula = _formula(element)
        return f"${formula}$" if formula else ""
    if name == "sup":
        text = inline(element)
        return text if not text or any(local(e) == "xref" for e in element.iter()) else f"^{text}"
    if name in ("ext-link", "uri"):
        text = inline(element)
        return "" if _ADDRESS.fullmatch(text.strip()) else text
    if name == "break":
        return " "
    if name in _LEFT_OUT and name not in ("title", "label"):
        return ""
    return inline(element)


def _formula(element: Any) -> str:
    """TeX of a formula: its own TeX, else from MathML, else what text it has."""
    for inner in element.iter():
        if local(inner) == "tex-math":
            source = "".join(inner.itertext())
            found = _DOCUMENT.search(source)
            return (found.group(1) if found else source).strip().strip("$").strip()
    for inner in element.iter():
        if local(inner) == "math":
            return tex(inner)
    return " ".join("".join(t for t in _own_text(element)).split())


def _own_text(element: Any) -> list[str]:
    pieces = [element.text or ""]
    for child in element:
        if local(child) not in ("label", "graphic", "inline-graphic"):
            pieces += _own_text(child)
        pieces.append(child.tail or "")
    return pieces
