"""Wikitext to readable text: the rules, the section pruning, and two renderers that follow them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_TAILS = (
    "references|external links|see also|further reading|notes|notes and references|footnotes|citations|sources"
    "|bibliography|external sources|references and notes|works cited|general references|gallery"
)
TAIL_SECTIONS = frozenset(_TAILS.split("|"))
"""Sections that hold no prose; with everything under them they go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a wiki calls its own things."""

    namespaces: tuple[str, ...] = ()
    """Local names of the namespaces File, Media and Category."""


def renderer(name: str, rules: Rules) -> Callable[[str], str]:
    """A function from wikitext to text: ``compiled``, ``mwparserfromhell`` or ``pile``."""
    if name == "pile":
        return _strip_as_the_pile
    if name == "compiled":
        from pilebuilder.read.wikitext_rules import Compiled

        compiled = Compiled(rules)
        return lambda text: polish(prune(compiled(text)))
    return lambda text: polish(prune(_strip(text, rules)))


def polish(text: str) -> str:
    """What is left where templates were: empty parentheses, and punctuation after an opening one.

    >>> polish("Ampere (; symbol A) ( ) is ( , ) a unit.")
    'Ampere (symbol A) is a unit.'
    """
    if "(" in text:
        text = _AFTER_OPENING.sub("(", text)
        text = _EMPTY_PARENTHESES.sub("()", text).replace(" ()", "")
    return text


_BLANK_LINES = re.compile(r"\n\n\n+")
_AFTER_OPENING = re.compile(r"\((?:[ \t]*[,;:])+[ \t]*")
_EMPTY_PARENTHESES = re.compile(r"\([ \t]+\)")


def _strip_as_the_pile(text: str) -> str:
    import mwparserfromhell

    code = mwparserfromhell.parse(text, skip_style_tags=True)
    for node in (
        *code.filter_wikilinks(),
        *code.filter_templates(),
        *code.filter_tags(matches=lambda n: n.tag == "ref"),
    ):
        try:
            if not hasattr(node, "title") or re.match(r"(?i)(file|image|media|category):", str(node.title)):
                code.remove(node)
        except ValueError:  # it went with the node around it
            continue
    return re.sub(r"\n{3,}", "\n\n", str(code.strip_code())).strip()


def _strip(text: str, rules: Rules) -> str:
    import mwparserfromhell

    drop = re.compile(
        r"(?i)\s*:?(?:"
        + "|".join(map(re.escape, ("file", "image", "media", "category", *rules.namespaces)))
        + r")\s*:"
    )
    code = mwparserfromhell.parse(text, skip_style_tags=False)
    for node in code.ifilter(recursive=True, matches=lambda n: _goes(n, drop)):
        try:
            code.remove(node)
        except ValueError:
            continue
    for heading in code.filter_headings():
        code.replace(heading, f"\n\x01{heading.level}{heading.title.strip_code().strip()}\n")
    return str(code.strip_code())


def _goes(node: object, drop: re.Pattern[str]) -> bool:
    kind = type(node).__name__
    if kind == "Wikilink":
        return bool(drop.match(str(node.title)))  # type: ignore[attr-defined]
    return kind == "Tag" and str(node.tag).lower() in ("ref", "table", "gallery", "timeline", "imagemap", "score")  # type: ignore[attr-defined]


def prune(text: str) -> str:
    """Marked headings (``\\x01``, level, title) as lines, without tail sections and sections that hold nothing.

    >>> prune("Lead.\\n\\x012History\\n\\n\\x012Uses\\nMany.\\n\\x012References\\nx\\n\\x013Books\\ny")
    'Lead.\\n\\nUses\\n\\nMany.'
    """
    lead, *sections = text.split("\x01")
    kept = [(0, "", lead.strip())]
    cut = 7
    for section in sections:
        level = int(section[:1]) if section[:1].isdigit() else 2
        title, _, body = section[1:].partition("\n")
        if level > cut:
            continue
        cut = level if title.strip().lower() in TAIL_SECTIONS else 7
        if cut == 7:
            kept.append((level, title.strip(), body.strip()))
    out: list[str] = []
    below = 0  # level of the section kept last, seen from the end: what holds a kept section is kept
    for level, title, body in reversed(kept):
        if body or (below > level > 0):
            out.append(f"{title}\n\n{body}".strip())
            below = level
    return _BLANK_LINES.sub("\n\n", "\n\n".join(reversed(out)))
