"""Green Book (APS) patents: lines with a tag in columns 1 to 4 and a value from column 6, continued with blanks."""

from __future__ import annotations

import re

from pilebuilder.read.characters import decode
from pilebuilder.read.uspto_text import Block, Patent, iso_date, number_of

_KINDS = {"1": "A", "2": "E", "4": "S", "5": "I", "6": "P", "7": "H"}
"""APT, the type of a patent, as kind codes of that time."""
_PARAGRAPHS = frozenset(("PAR", "PAL", "PA0", "PA1", "PA2", "PA3", "PA4", "PA5", "FNT"))
_LINE = re.compile(r"([A-Z][A-Z0-9]{2,3})(?: +(.*))?$")
_PLACEHOLDERS = re.compile(r"##(EQU|STR|TBL|EQ|SPC|PCN)\d*##")
_NAMED_PLACES = {"EQU": "[equation]", "EQ": "[equation]", "STR": "[structure]", "TBL": "[table]"}
_DOTTED = re.compile(r"\.([a-z+-][a-z0-9+-]{0,11})\.", re.I)
_SIGNS = {
    "degree": "°", "times": "×", "+-": "±", "about": "~", "mu": "μ", "ltoreq": "≤", "gtoreq": "≥", "noteq": "≠",
    "angstrom": "Å", "ANG": "Å", "infin": "∞", "sqroot": "√", "intg": "∫", "SIGMA": "Σ", "DELTA": "Δ", "OMEGA": "Ω",
    "fwdarw": "→", "rarw": "→", "apprxeq": "≈", "perp": "⊥", "div": "÷", "cndot": "·", "prime": "′", "sup": "^",
    "sub": "", "multidot": "·",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η",
    "theta": "θ", "iota": "ι", "kappa": "κ", "lambda": "λ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "PHI": "Φ", "PSI": "Ψ", "THETA": "Θ",
    "LAMBDA": "Λ", "PI": "Π", "GAMMA": "Γ", "THgr": "Θ",
}  # fmt: skip


def patent(data: bytes) -> Patent:
    """One ``PATN`` block."""
    found = Patent(format="aps")
    section = ""
    for tag, value in _fields(data):
        if not value and tag not in _PARAGRAPHS and len(tag) == 4:
            section = tag
        elif section == "PATN":
            _head(found, tag, value)
        elif section == "INVT" and tag == "NAM":
            found.inventors.append(value)
        elif section == "ASSG" and tag == "NAM":
            found.assignees.append(value)
        elif section == "CLAS" and tag in ("OCL", "ICL"):
            found.classes.append(" ".join(value.split()))
        elif section in ("BSUM", "DRWD", "DETD", "PARN"):
            _block(found, tag, value, {"BSUM": "summary"}.get(section, section.lower()))
    return found


def _head(found: Patent, tag: str, value: str) -> None:
    if tag == "WKU":  # the number with a check digit after it
        found.number = number_of(value[:-1])
    elif tag == "APT":
        found.kind = _KINDS.get(value.strip(), "")
    elif tag == "ISD":
        found.date = iso_date(value)
    elif tag == "TTL":
        found.title = signs(value)
    elif tag == "APN":
        found.application_number = value


def _block(found: Patent, tag: str, value: str, section: str) -> None:
    if tag == "PAC":
        found.blocks.append(Block("heading", signs(value), section))
    elif tag in _PARAGRAPHS and value:
        found.blocks.append(Block("paragraph", signs(value), section))
    elif tag == "TBL":
        found.blocks.append(Block("paragraph", "[table]", section))
    elif tag == "EQU":
        found.blocks.append(Block("paragraph", "[equation]", section))


def signs(text: str) -> str:
    """Dot codes and image marks as characters; a code that is not known stays.

    >>> signs("50.degree. C., 10.sup.-3 m, .alpha.-H.sub.2 SO.sub.4 ##EQU1##")
    '50° C., 10^-3 m, α-H2 SO4 [equation]'
    """
    text = _PLACEHOLDERS.sub(lambda m: _NAMED_PLACES.get(m.group(1), ""), text)
    if "." in text:
        text = _DOTTED.sub(lambda m: _SIGNS.get(m.group(1), _SIGNS.get(m.group(1).lower(), m.group())), text)
    return " ".join(text.split())


def _fields(data: bytes) -> list[tuple[str, str]]:
    """Tag and value of each field, continuation lines joined by a blank."""
    text, _ = decode(data)
    fields: list[tuple[str, list[str]]] = []
    for line in text.replace("\r", "").split("\n"):
        found = _LINE.match(line) if line[:1] != " " else None
        if found:
            fields.append((found.group(1), [found.group(2) or ""]))
        elif fields and line.strip():
            fields[-1][1].append(line.strip())
    return [(tag, " ".join(part for part in parts if part).strip()) for tag, parts in fields]
