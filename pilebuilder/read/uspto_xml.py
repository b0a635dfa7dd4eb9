"""Red Book patents: v2.4/2.5 (``PATDOC``), v4.x (``us-patent-grant``, ``us-patent-application``) and v1.5."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any

from pilebuilder.read.uspto_text import Block, Patent, iso_date, number_of
from pilebuilder.read.xml import XmlError, local, tree, words

_EMPTY_IN_SGML = re.compile(
    rb"<((?:EMI|COLSPEC|SPANSPEC|CUSTOM-CHARACTER|CHEMCDX|CHEMMOL|MATHEMATICA|CITED-BY-EXAMINER|CITED-BY-OTHER|B597US"
    rb"|B598US|B583US)(?:\s[^<>]*?)?)(?<!/)>"
)
_MARKS = {
    "maths": "[equation]", "math": "[equation]", "MATH-US": "[equation]", "CWU": "[equation]", "EMI": "[equation]",
    "tables": "[table]", "table": "[table]", "TABLE-US": "[table]", "TABLE": "[table]", "table-cwu": "[table]",
    "chemistry": "[structure]", "CHEM-US": "[structure]", "chemistry-cwu": "[structure]", "math-cwu": "[equation]",
}  # fmt: skip
_HIDDEN = frozenset(("number", "img", "image", "custom-character", "program-listing"))
_SKIPPED = {
    "sequence-cwu": "sequence_listing",
    "SEQLST-US": "sequence_listing",
    "us-sequence-listing": "sequence_listing",
}


def patent(data: bytes) -> Patent | str:
    """One document; the reason to skip it when it is no patent. Raises `XmlError`."""
    try:
        root = tree(data, keep_pis=True)
    except XmlError as error:
        if error.reason != "parse_error" or b"<PATDOC" not in data:
            if error.reason != "xml_limit":
                raise
            root = tree(data, keep_pis=True, huge=True)
        else:  # SGML of 2001: empty elements without a slash
            root = tree(_EMPTY_IN_SGML.sub(rb"<\1/>", data), keep_pis=True)
    name = local(root)
    if name == "PATDOC":
        return _v2(root)
    if name in ("us-patent-grant", "us-patent-application"):
        return _v4(root)
    if name == "patent-application-publication":
        return _v1(root)
    return _SKIPPED.get(name, "other_document")


def _all(root: Any, *path: str) -> Iterator[Any]:
    """Elements on a path of local names, each step a child of the one before; the first anywhere below `root`."""
    for element in root.iter(path[0]):
        yield from _below(element, path[1:])


def _below(element: Any, path: tuple[str, ...]) -> Iterator[Any]:
    if not path:
        yield element
        return
    for child in element:
        if child.tag == path[0]:
            yield from _below(child, path[1:])


def _one(root: Any, *path: str) -> str:
    found = next(_all(root, *path), None)
    return words(found) if found is not None else ""


def _v2(root: Any) -> Patent:
    found = Patent(
        number=number_of(_one(root, "B110", "DNUM")),
        kind=_one(root, "B130"),
        date=iso_date(_one(root, "B140", "DATE")),
        title=_one(root, "B540"),
        inventors=[_person(e, "SNM", "FNM") for e in root.iter("B721")],
        assignees=[words(e) for e in _all(root, "B731", "PARTY-US", "NAM", "ONM")],
        classes=[words(e) for e in root.iter("B511", "B521", "B512", "B522")],
        application_number=_one(root, "B210", "DNUM"),
        format="v2",
    )
    for part in _all(root, "SDODE"):
        for child in part:
            section = "summary" if local(child) == "BRFSUM" else local(child).lower()
            for element in child.iter("H", "PARA"):
                found.blocks.append(_block(element, "H", section))
    return found


def _v4(root: Any) -> Patent:
    document = next(_all(root, "publication-reference", "document-id"), None)
    facts = {local(child): words(child) for child in document} if document is not None else {}
    people = list(root.iter("inventor")) or [
        e for e in root.iter("applicant") if "inventor" in e.get("app-type", "applicant-inventor")
    ]
    found = Patent(
        number=number_of(facts.get("doc-number", "")),
        kind=facts.get("kind", ""),
        date=iso_date(facts.get("date", "")),
        title=_one(root, "invention-title"),
        inventors=[_person(e, "last-name", "first-name") for e in people],
        assignees=[_one(e, "orgname") or _person(e, "last-name", "first-name") for e in root.iter("assignee")],
        classes=list(
            dict.fromkeys(_class(e) for e in root.iter("classification-ipcr", "classification-ipc", "main-cpc"))
        ),
        application_number=_one(root, "application-reference", "document-id", "doc-number"),
        format="v4",
        application=local(root) == "us-patent-application",
    )
    section = ""
    for child in (e for part in root.iter("description") for e in part):
        if not local(child):  # a processing instruction opens and closes a section
            section = _section(child, section)
        elif local(child) in ("heading", "p"):
            found.blocks.append(_block(child, "heading", section))
        else:
            found.blocks += [_block(e, "heading", section, direct=False) for e in child.iter("heading", "p")]
    return found


def _v1(root: Any) -> Patent:
    found = Patent(
        number=_one(root, "document-id", "doc-number"),
        kind=_one(root, "document-id", "kind-code"),
        date=iso_date(_one(root, "document-id", "document-date")),
        title=_one(root, "title-of-invention"),
        inventors=[_person(e, "family-name", "given-name") for e in root.iter("first-named-inventor", "inventor")],
        assignees=[_one(e, "organization-name") for e in root.iter("assignee")],
        classes=[words(e) for e in root.iter("ipc")],
        application_number=_one(root, "application-number", "doc-number"),
        format="v1",
        application=True,
    )
    sections = {"background-of-invention": "background", "summary-of-invention": "summary"}
    for child in (e for part in root.iter("subdoc-description") for e in part):
        for element in child.iter("heading", "paragraph"):
            found.blocks.append(_block(element, "heading", sections.get(local(child), local(child))))
    return found


def _section(instruction: Any, held: str) -> str:
    """``<?BRFSUM ... end="lead"?>`` opens the brief summary, ``end="tail"`` closes it."""
    target, text = instruction.target, instruction.text or ""
    if 'end="tail"' in text:
        return ""
    if 'end="lead"' in text:
        return "summary" if target in ("BRFSUM", "summary-of-invention") else target.lower()
    return held


def _block(element: Any, heading: str, section: str, *, direct: bool = True) -> Block:
    if local(element) == heading:
        return Block("heading", _text(element), section, direct)
    return Block("paragraph", partial(_text, element), section, direct)


def _text(element: Any) -> str:
    return " ".join("".join(_pieces(element)).split())


def _pieces(element: Any) -> Iterator[str]:
    """Text of a paragraph; formulas, tables and structures by their marks."""
    yield element.text or ""
    for child in element:
        name = local(child)
        if name in _MARKS:
            yield f" {_MARKS[name]} "
        elif name and name not in _HIDDEN:
            yield from _pieces(child)
        yield child.tail or ""


def _person(element: Any, family: str, given: str) -> str:
    return ", ".join(filter(None, (_one(element, family), _one(element, given))))


def _class(element: Any) -> str:
    parts = {local(e): words(e) for e in element.iter() if local(e)}
    if "section" in parts:
        group = f"{parts.get('main-group', '')}/{parts.get('subgroup', '')}".strip("/")
        return f"{parts['section']}{parts.get('class', '')}{parts.get('subclass', '')} {group}".strip()
    return parts.get("main-classification", words(element))
