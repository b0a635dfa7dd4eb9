"""Presentation MathML as TeX, for the constructs that articles use; unknown elements give their content."""

from __future__ import annotations

from typing import Any

from pilebuilder.read.xml import local

_BINARY = {
    "mfrac": r"\frac{{{0}}}{{{1}}}",
    "msub": "{0}_{{{1}}}",
    "msup": "{0}^{{{1}}}",
    "munder": r"\underset{{{1}}}{{{0}}}",
    "mover": r"\overset{{{1}}}{{{0}}}",
    "mroot": r"\sqrt[{1}]{{{0}}}",
}
_NAMES = {"∑": r"\sum", "∏": r"\prod", "∫": r"\int", "∮": r"\oint", "⋃": r"\bigcup", "⋂": r"\bigcap"}


def tex(element: Any) -> str:
    """TeX of a MathML element, with runs of white space as one space.

    >>> from pilebuilder.read.xml import tree
    >>> tex(tree(b"<math><mfrac><mi>a</mi><mrow><mn>2</mn><mi>b</mi></mrow></mfrac></math>"))
    '\\\\frac{a}{2b}'
    """
    return " ".join(_tex(element).split())


def _tex(element: Any) -> str:
    name, parts = local(element), [child for child in element if local(child)]
    if name in ("mi", "mn", "mo", "mtext", "ms"):
        return _token(name, "".join(element.itertext()))
    if name in ("annotation", "annotation-xml", "mspace", "maligngroup", "malignmark"):
        return " " if name == "mspace" else ""
    inner = [_tex(child) for child in parts]
    if name in ("munder", "mover") and len(inner) == 2 and inner[0].strip() in (*_NAMES.values(), "lim", r"\lim"):
        return f"{inner[0].strip()}{'_' if name == 'munder' else '^'}{{{inner[1]}}}"
    if name in _BINARY and len(inner) == 2:
        return _BINARY[name].format(*(text.strip() for text in inner))
    if name in ("msubsup", "munderover") and len(inner) == 3:
        return "{}_{{{}}}^{{{}}}".format(*(text.strip() for text in inner))
    if name == "msqrt":
        return rf"\sqrt{{{''.join(inner).strip()}}}"
    if name == "mfenced":
        middle = (element.get("separators", ",").strip() or ",")[:1]
        return str(element.get("open", "(") + middle.join(inner) + element.get("close", ")"))
    if name == "mtable":
        return r"\begin{matrix}" + r" \\ ".join(inner) + r"\end{matrix}"
    if name in ("mtr", "mlabeledtr"):
        return " & ".join(inner)
    return "".join(inner) or "".join((element.text or "").split())


def _token(name: str, text: str) -> str:
    text = text.strip("\n\t ⁡⁢⁣")
    if name == "mo":
        return f" {_NAMES.get(text, text)} " if text and text not in "()[]{}|,.;:!′" else _brace(text)
    if name == "mtext" or (name == "mi" and len(text) > 1 and text.isascii() and text.isalpha()):
        return rf"\mathrm{{{text}}}" if name == "mi" else rf"\text{{{text}}}" if text.strip() else " "
    return text


def _brace(text: str) -> str:
    return "\\" + text if text in ("{", "}") and text else text
