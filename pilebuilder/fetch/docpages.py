"""Documentation of Python modules as web pages: what a documentation site serves, navigation and footer included."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

SITE = "https://docs.example"
"""A reserved name (RFC 2606): these pages are made here and never came from a network."""

_SECTION = re.compile(r"([A-Z][A-Za-z ]{2,40})\n([-=~])\2{2,}\s*$")
_BULLET = re.compile(r"(?:[-*+•]|\d{1,2}[.)])\s+")
_FENCE = re.compile(r"^```[^\n]*\n(.*?)^```[ ]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"``(.+?)``|`([^`\n]+)`(?:_\b)?")


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it stands on the site, its title, its HTML."""

    path: str
    title: str
    html: str


def pages(package: str, module: str, source: bytes) -> Iterator[Page]:
    """Pages of one module: one for the module with its functions, one for each class; none without documentation.

    Source that does not parse on this Python (templates, other versions) raises `SyntaxError` or `ValueError`.
    """
    tree = ast.parse(source)
    classes = [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    body = [_documented(module, "module", ast.get_docstring(tree)), *_functions(tree)]
    links = [(f"{module}.{c.name}", c.name) for c in classes]
    if any(body):
        yield _page(package, module, module, "".join(filter(None, body)), links)
    for node in classes:
        body = [_documented(node.name, "class", ast.get_docstring(node)), *_functions(node)]
        if any(body):
            yield _page(package, f"{module}.{node.name}", f"{module}.{node.name}", "".join(filter(None, body)), links)


def _functions(node: ast.Module | ast.ClassDef) -> list[str]:
    found = []
    for child in node.body:
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            signature = f"{child.name}({ast.unparse(child.args)})"
            found.append(_documented(signature, "function", ast.get_docstring(child)))
    return found


def _documented(name: str, kind: str, text: str | None) -> str:
    """Heading and body of one documented object; nothing without a docstring."""
    if not text or not text.strip():
        return ""
    level = {"module": "h1", "class": "h1", "function": "h2"}[kind]
    return f'<section class="{kind}">\n<{level}>{escape(name)}</{level}>\n{body(text)}</section>\n'


def body(text: str) -> str:
    """HTML of a docstring: sections, paragraphs, lists, and code as it stands.

    >>> body("Add two numbers.\\n\\n>>> add(1, 2)\\n3")
    '<p>Add two numbers.</p>\\n<pre>&gt;&gt;&gt; add(1, 2)\\n3</pre>\\n'
    """
    out: list[str] = []
    for index, part in enumerate(_FENCE.split(text.expandtabs().strip("\n"))):
        if index % 2:
            out.append(f"<pre>{escape(part)}</pre>\n")
        elif part.strip():
            out += _blocks(part)
    return "".join(out)


def _blocks(text: str) -> Iterator[str]:
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.rstrip().split("\n")
        heading = _SECTION.match("\n".join(lines[:2]))
        if heading:
            yield f"<h3>{escape(heading[1])}</h3>\n"
            lines = lines[2:]
        if lines and any(lines):
            yield _block(lines)


def _block(lines: list[str]) -> str:
    first = lines[0]
    if first.lstrip().startswith(">>>") or all(line.startswith("    ") for line in lines):
        indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        return f"<pre>{escape(chr(10).join(line[indent:] for line in lines))}</pre>\n"
    if _BULLET.match(first.lstrip()):
        return _bullets(lines)
    if len(lines) > 1 and not first.startswith(" ") and lines[1].startswith("    "):
        return _terms(lines)
    return f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>\n"


def _bullets(lines: list[str]) -> str:
    entries: list[str] = []
    for line in lines:
        stripped = line.strip()
        mark = _BULLET.match(stripped)
        if mark:
            entries.append(stripped[mark.end() :])
        elif entries:
            entries[-1] += " " + stripped
    return "<ul>\n" + "".join(f"<li>{_inline(e)}</li>\n" for e in entries) + "</ul>\n"


def _terms(lines: list[str]) -> str:
    """Names with indented explanations: parameters, attributes, return values."""
    out: list[str] = []
    held: list[str] = []
    for line in lines:
        if line.startswith(" "):
            held.append(line.strip())
            continue
        if held:
            out.append(f"<dd>{_inline(' '.join(held))}</dd>\n")
            held = []
        out.append(f"<dt>{_inline(line)}</dt>\n")
    if held:
        out.append(f"<dd>{_inline(' '.join(held))}</dd>\n")
    return "<dl>\n" + "".join(out) + "</dl>\n"


def _inline(text: str) -> str:
    return _CODE.sub(lambda m: f"<code>{m[1] or m[2]}</code>", escape(text, quote=False))


def _page(package: str, name: str, title: str, content: str, links: list[tuple[str, str]]) -> Page:
    crumbs = " &raquo; ".join(f'<a href="/{package}/">{escape(part)}</a>' for part in name.split("."))
    side = "".join(f'<li><a href="/{package}/{escape(to)}.html">{escape(text)}</a></li>\n' for to, text in links)
    heading = escape(f"{title} - {package} documentation")
    html = _FRAME.format(title=heading, package=escape(package), crumbs=crumbs, side=side, content=content)
    return Page(path=f"/{package}/{name}.html", title=title, html=html)


_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/static/site.css">
<script>window.site = {{"package": "{package}", "search": "/search.json", "theme": "auto"}};</script>
</head>
<body class="docs">
<div class="notice" role="region">This site uses cookies to remember your theme. <a href="/privacy.html">Read more</a>
<button type="button">Accept</button></div>
<header><nav class="top"><ul>
<li><a href="/">Home</a></li><li><a href="/{package}/">{package}</a></li>
<li><a href="/{package}/genindex.html">Index</a></li>
<li><a href="/{package}/search.html">Search</a></li><li><a href="/{package}/install.html">Install</a></li>
<li><a href="/{package}/changes.html">Release notes</a></li><li><a href="/about.html">About</a></li>
</ul><form action="/{package}/search.html">
<input name="q" placeholder="Search the docs"><button>Go</button></form></nav></header>
<div class="page">
<aside class="sidebar"><h3>On this page</h3><ul>
{side}</ul><h3>Related topics</h3><ul><li><a href="/{package}/">Documentation overview</a></li>
<li><a href="/{package}/previous.html">Previous topic</a></li><li><a href="/{package}/next.html">Next topic</a></li>
</ul></aside>
<main><div class="breadcrumbs">{crumbs}</div>
<article>
{content}</article></main>
</div>
<footer><p>Copyright the {package} developers. Built from the installed distribution.</p>
<ul><li><a href="/contact.html">Contact</a></li><li><a href="/privacy.html">Privacy policy</a></li>
<li><a href="/terms.html">Terms of use</a></li><li><a href="#top">Back to top</a></li></ul></footer>
</body>
</html>
"""
