"""Creative Commons licences as SPDX names, from the addresses and sentences in which articles state them."""

from __future__ import annotations

import re

OPEN = ("CC0", "CC-BY", "CC-BY-SA", "PDM")
"""Families that allow redistribution and change, the default where a reader keeps by licence."""

_ADDRESS = re.compile(
    r"creativecommons\.org/(?:licenses?/(by(?:-nc)?(?:-nd|-sa)?)|publicdomain/(zero|mark))(?:/(\d\.\d))?", re.I
)
_CODE = re.compile(r"\bCC[ -]?(0|zero|BY(?:[ -]NC)?(?:[ -](?:ND|SA))?)\b(?:[ -]?(\d\.\d))?", re.I)
_SENTENCE = re.compile(
    r"Creative\s+Commons[\s,]+(?:(?P<zero>CC0|Zero|Public\s+Domain)|Attribution"
    r"(?P<nc>[\s–—-]*Non[\s–—-]*Commercial)?(?P<rest>[\s–—-]*(?:No[\s–—-]*Deriv\w*|Share[\s–—-]*Alike))?)"
    r"(?:[\s–—-]+(?:Unported|International|Generic|Licen[cs]e|\(CC[ -]BY[^)]{0,20}\)))*"
    r"[\s,]*(?:v(?:ersion)?\s*)?(?P<version>\d\.\d)?",
    re.I,
)


def cc_licence(text: str) -> str | None:
    """SPDX name (``CC-BY-4.0``), or the family where no version is stated (``CC-BY``); None when none is named.

    >>> cc_licence("http://creativecommons.org/licenses/by-nc/3.0/"), cc_licence("CC BY-SA")
    ('CC-BY-NC-3.0', 'CC-BY-SA')
    >>> cc_licence("terms of the Creative Commons Attribution Non-Commercial License, which")
    'CC-BY-NC'
    """
    if found := _ADDRESS.search(text):
        if found.group(2):
            return "CC0-1.0" if found.group(2).lower() == "zero" else "PDM-1.0"
        return _named("CC-" + found.group(1).upper(), found.group(3))
    if found := _SENTENCE.search(text):
        if found["zero"]:
            return "CC0-1.0"
        rest = re.sub(r"[\s–—-]", "", found["rest"] or "").lower()
        tail = "-ND" if rest.startswith("noderiv") else "-SA" if rest else ""
        named = "CC-BY" + ("-NC" if found["nc"] else "") + tail
        code = _CODE.search(text)
        return _named(named, found["version"] or (code.group(2) if code else None))
    if found := _CODE.search(text):
        kind = found.group(1).upper().replace(" ", "-")
        return "CC0-1.0" if kind in ("0", "ZERO") else _named("CC-" + kind, found.group(2))
    return None


def _named(family: str, version: str | None) -> str:
    return f"{family}-{version}" if version else family


def family(licence: str) -> str:
    """A licence without its version: ``CC-BY-SA-4.0`` is of the family ``CC-BY-SA``."""
    return re.sub(r"-\d\.\d$", "", licence)
