"""What a patent is to us, and which part of its description is the background."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

_BEGINS = re.compile(r"back\s*ground|prior\s+art|related\s+art|state\s+of\s+the\s+art|conventional\s+art", re.I)
_ENDS = re.compile(
    r"summary|brief\s+(?:description|explanation|statement)|detailed\s+description|description\s+of\s+(?:the\s+)?(?:drawing"
    r"|figure|(?:preferred|illustrated|specific|several|exemplary|various|example)?\s*embodiment|preferred|invention)"
    r"|objects?\s+(?:and\s+\w+\s+)?of|disclosure|(?:best\s+)?modes?\s+(?:for|of)\s+carrying|embodiment|what\s+is\s+claimed"
    r"|^\s*(?:claims?|drawings?|examples?|advantages?|solution\s+to\s+problem|means\s+for\s+solving)\b",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Block:
    """One heading or paragraph of the description, in order."""

    kind: Literal["heading", "paragraph"]
    content: str | Callable[[], str]
    """The text, or how to get it: most paragraphs of a patent are none of its background."""
    section: str = ""
    """``summary`` inside the brief summary, ``background`` inside an element of that name, else another section."""
    direct: bool = True
    """Whether it is a direct child of the description (what the original looked at)."""

    @property
    def text(self) -> str:
        return self.content if isinstance(self.content, str) else self.content()


@dataclass(slots=True, kw_only=True)
class Patent:
    """Facts of a patent, and its description."""

    number: str = ""
    kind: str = ""
    date: str = ""
    title: str = ""
    inventors: list[str] = field(default_factory=list)
    assignees: list[str] = field(default_factory=list)
    classes: list[str] = field(default_factory=list)
    application_number: str = ""
    format: str = ""
    application: bool = False
    blocks: list[Block] = field(default_factory=list)

    def meta(self) -> dict[str, Any]:
        """All facts but the text."""
        facts = {name: getattr(self, name) for name in self.__slots__ if name not in ("blocks", "application")}
        return {name: value for name, value in facts.items() if value}


def number_of(raw: str) -> str:
    """A patent number without leading zeros: ``08930553`` is 8930553, ``D0680087`` is D680087."""
    found = re.fullmatch(r"([A-Z]{0,2})0*(\d+)", raw.strip().upper())
    return found.group(1) + found.group(2) if found else raw.strip()


def iso_date(raw: str) -> str:
    """``20150106`` as ``2015-01-06``; days or months of zero are left out."""
    raw = raw.strip()
    if not re.fullmatch(r"\d{8}", raw):
        return ""
    parts = [raw[:4], raw[4:6], raw[6:]]
    return "-".join(parts[: 1 if parts[1] == "00" else 2 if parts[2] == "00" else 3])


def background(patent: Patent) -> str:
    """The background by classes of headings; see the reader's docstring."""
    named = [b for b in patent.blocks if b.section == "background"]
    if any(b.kind == "paragraph" for b in named):
        return _joined(_until_end(named, 0))
    start = next((i for i, b in enumerate(patent.blocks) if b.kind == "heading" and _BEGINS.search(b.text)), -1)
    if start >= 0:
        text = _until_end(patent.blocks, start)
        if any(b.kind == "paragraph" for b in text):
            return _joined(text)
    summary = [b for b in patent.blocks if b.section == "summary"]
    if not summary or (summary[0].kind == "heading" and _ENDS.search(summary[0].text)):
        return ""
    return _joined(_until_end(summary, 0))


def _until_end(blocks: list[Block], start: int) -> list[Block]:
    """Blocks from `start` up to the first heading that ends a background and does not begin one."""
    section = blocks[start].section
    for i in range(start, len(blocks)):
        block = blocks[i]
        left = section == "summary" and block.section != "summary"
        if left or (block.kind == "heading" and _ENDS.search(block.text) and not _BEGINS.search(block.text)):
            return blocks[start:i]
    return blocks[start:]


def _joined(blocks: list[Block]) -> str:
    while blocks and blocks[-1].kind == "heading":
        blocks = blocks[:-1]
    return "\n\n".join(block.text for block in blocks if block.text)


def pile_background(patent: Patent) -> str:
    """The background as the original parsers cut it, with their losses."""
    if patent.format == "v2":
        return "\n".join(b.text for b in patent.blocks if b.kind == "paragraph" and b.section == "summary")
    blocks = [b for b in patent.blocks if b.direct and (b.section == "summary" or patent.format != "aps")]
    start = next((i for i, b in enumerate(blocks) if b.kind == "heading" and "BACKGROUND" in b.text), -1)
    found: list[str] = []
    for block in blocks[start + 1 :] if start >= 0 else []:
        if block.kind == "heading":
            break
        found.append(block.text)
    return "\n".join(found)
