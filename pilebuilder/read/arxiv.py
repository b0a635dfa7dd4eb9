"""arXiv e-prints: LaTeX sources, one submission a file (``1911.02782.gz``) or many in a bulk tar of such files.

Format: https://info.arxiv.org/help/bulk_data_s3.html. A submission is a gzip of a tar or of a single file (the name
does not tell which), a PDF, PostScript, or HTML; bulk tars hold ``YYMM/{id}.gz`` and ``YYMM/{id}.pdf``.

Record unit: one submission.
Id: ``arxiv:{id}`` (``hep-th/9901001``, ``0704.0001``, ``1911.02782``), without version.
Text, ``clean``: title, abstract and body from the first section on as Markdown, mathematics verbatim in dollars,
citations ``[@key]``, captions of floats kept; comments, tables, pictures and the bibliography left out::

    # S2ORC

    ## Abstract

    We introduce S2ORC, a corpus of $81.1$M papers [@Lo2020].

The main file is chosen and includes are expanded among the submission's own files (`pilebuilder.read.latex_source`).
Conversion: pandoc, where it is installed (the extra ``latex``), in a sandbox; where it is not, or gives up on a paper,
the converter in `pilebuilder.read.latex_text`. The metadata say which; `converter` fixes one. Submissions in HTML are
read as such. ``pile``: pandoc's Markdown of the main file, lines with ``:::`` removed; what pandoc cannot do is lost.
All of it happens in a child process with limits of memory and CPU time.
Metadata: arxiv_id, title, root_file, converter, missing (includes that are not there), and what the fetch recorded
(authors, categories, doi, ...). Beside a bulk tar, ``arxiv-metadata-oai-snapshot.json`` is joined.
Licence: of the fetch or the snapshot; with `licences` only papers of these families are kept, others are ``licence``.
Skip reasons: ``no_source`` (PDF or PostScript only), ``no_tex``, ``withdrawn``, ``no_text``, ``licence``, ``metadata``
(OAI-PMH records and ``.abs`` files that lie among the sources).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from pilebuilder.read.sandbox import Job

MAX_SUBMISSION = 256 << 20
"""Bytes of one submission as it was sent in; arXiv accepts 50 MB."""
SNAPSHOT = "arxiv-metadata-oai-snapshot"
_BULK = re.compile(r"(?:.*/)?\d{4}/[^/]+\.(?:gz|pdf|tar\.gz)$")
_OLD = re.compile(r"([a-z-]+)(\d{7})(?:v\d+)?$", re.I)
_NEW = re.compile(r"(\d{4}\.\d{4,5})(?:v\d+)?$")
_FACTS = ("title", "authors", "categories", "doi", "created", "updated", "journal-ref", "comments", "version")


@reader("arxiv", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Arxiv:
    """Papers from arXiv's LaTeX sources as Markdown, with mathematics."""

    style: Annotated[
        Literal["clean", "pile"], Field(description="main text, or pandoc's whole as the Pile had it")
    ] = "clean"
    converter: Annotated[
        Literal["auto", "pandoc", "builtin"], Field(description="auto: pandoc where installed, else the built-in one")
    ] = "auto"
    appendix: Annotated[bool, Field(description="keep what follows \\appendix or the bibliography")] = True
    licences: Annotated[tuple[str, ...], Field(description="licence families kept, such as CC-BY; empty: all")] = ()
    seconds: Annotated[float, Field(gt=0, le=600, description="CPU seconds that one paper may take")] = 60.0

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.sandbox import Limits, ordered
        from pilebuilder.read.whole import whole

        limits = Limits(memory=3 << 30, seconds=self.seconds)
        return whole(raw, ordered("pilebuilder.read.arxiv_paper:paper", self._entries(raw), limits))

    def wants(self, name: str, names: Sequence[str]) -> list[str]:
        """The metadata snapshot, for a bulk tar."""
        return [n for n in names if SNAPSHOT in n] if name.endswith(".tar") else []

    def tools(self) -> dict[str, str]:
        """Versions of programs outside this package that the text depends on."""
        from pilebuilder.read.pandoc import PandocError, version

        try:
            return {} if self.converter == "builtin" else {"pandoc": ".".join(map(str, version()[1]))}
        except PandocError:
            return {"pandoc": "none"}

    def _entries(self, raw: Raw) -> Iterator[Item | Job[Item]]:
        from pilebuilder.read.whole import looks_html, wrong_format

        with raw.path.open("rb") as file:
            head = file.read(4096)
        if SNAPSHOT in raw.name:
            yield Skipped(reason="metadata", key=raw.name)
        elif head[257:262] == b"ustar" and (found := _bulk(raw)):
            yield from self._submissions(raw, found)
        elif b"<OAI-PMH" in head:
            yield from _responses(raw)
        elif not head.strip() or (looks_html(head) and not raw.name.lower().endswith((".htm", ".html"))):
            yield wrong_format("a submission", head) if head.strip() else Quarantined(reason="empty_file")
        else:
            name = raw.name.rpartition("/")[2]
            with raw.path.open("rb") as file:
                data = file.read(MAX_SUBMISSION + 1)
            yield self._job(data, paper_id(name), 0, raw, dict(raw.extra))

    def _submissions(self, raw: Raw, names: list[str]) -> Iterator[Item | Job[Item]]:
        """The members of a bulk tar."""
        from pilebuilder.read.archives import Refused, tar_members
        from pilebuilder.read.streams import StreamError, open_stream

        known = _snapshot(raw, {paper_id(name.rpartition("/")[2]) for name in names})
        with open_stream(raw.path, expect=raw.name) as stream:
            for member in tar_members(stream):
                ident = paper_id(member.name.rpartition("/")[2])
                if isinstance(member, Refused):
                    yield Quarantined(reason=member.reason, offset=member.offset, detail=member.detail)
                elif member.name.lower().endswith(".pdf"):
                    yield Skipped(reason="no_source", offset=member.offset, key=f"arxiv:{ident}")
                else:
                    try:
                        data = member.content(MAX_SUBMISSION)
                    except StreamError as error:
                        if error.reason != "too_large":
                            raise
                        detail = f"{member.name}: {error.detail}"
                        yield Quarantined(reason="too_large", offset=member.offset, detail=detail)
                        continue
                    yield self._job(data, ident, member.offset, raw, known.get(ident, {}))

    def _job(self, data: bytes, ident: str, offset: int, raw: Raw, facts: Mapping[str, Any]) -> Item | Job[Item]:
        from pilebuilder.read.licences import cc_licence, family
        from pilebuilder.read.sandbox import Job

        key, stated = f"arxiv:{ident}", str(facts.get("license") or facts.get("licence") or raw.licence or "")
        licence = licence_of(stated) if stated else None
        allowed = {family(name) for name in self.licences}
        if allowed and (not licence or family(cc_licence(licence) or licence) not in allowed):
            return Skipped(reason="licence", offset=offset, key=key)
        if len(data) > MAX_SUBMISSION:
            detail = f"more than {MAX_SUBMISSION} bytes"
            return Quarantined(reason="too_large", offset=offset, detail=detail, key=key)
        params = {"style": self.style, "converter": self.converter, "appendix": self.appendix, "seconds": self.seconds}
        return Job(data=data, params=params, then=partial(_item, key, offset, licence, dict(facts)))


def _item(key: str, offset: int, licence: str | None, facts: dict[str, Any], answer: Any) -> Item:
    """What the child's answer becomes."""
    from pilebuilder.read.sandbox import Failure

    if isinstance(answer, Failure):
        return Quarantined(reason=answer.reason, offset=offset, detail=f"{key}: {answer.detail}"[:400], key=key)
    if answer.get("skip"):
        return Skipped(reason=answer["skip"], offset=offset, key=key, count=answer.get("count", 1))
    ident = key.removeprefix("arxiv:")
    kept = {name: facts[name] for name in _FACTS if facts.get(name)}
    found = {name: answer[name] for name in ("title", "root_file", "converter", "missing") if answer.get(name)}
    return Record(
        key=key,
        text=answer["text"],
        offset=offset,
        url=f"https://arxiv.org/abs/{ident}",
        date=str(facts.get("created") or facts.get("update_date") or "") or None,
        licence=licence,
        meta={"arxiv_id": ident, **found, **kept},
    )


def paper_id(name: str) -> str:
    """The identifier in a file's name.

    >>> paper_id("1911.02782.gz"), paper_id("astro-ph0001001.gz"), paper_id("0704.0001v2.tar.gz")
    ('1911.02782', 'astro-ph/0001001', '0704.0001')
    """
    stem = re.sub(r"(?:\.tar)?(?:\.(?:gz|tgz|tar|tex|pdf))?$", "", name)
    if found := _NEW.search(stem):
        return found.group(1)
    if (found := _OLD.fullmatch(stem)) and found.group(1).strip("-"):
        return f"{found.group(1)}/{found.group(2)}"
    return stem


def licence_of(stated: str) -> str:
    """arXiv's licence addresses by short names.

    >>> licence_of("http://arxiv.org/licenses/nonexclusive-distrib/1.0/")
    'arXiv-nonexclusive-distrib-1.0'
    """
    from pilebuilder.read.licences import cc_licence

    if found := re.search(r"arxiv\.org/licenses/([a-z-]+)/(\d\.\d)", stated):
        return f"arXiv-{found.group(1)}-{found.group(2)}"
    if "licenses/publicdomain" in stated:
        return "PDM-1.0"
    return cc_licence(stated) or stated


def _bulk(raw: Raw) -> list[str]:
    """Names of the submissions in a bulk tar; none when it is something else."""
    from pilebuilder.read.archives import tar_members
    from pilebuilder.read.streams import StreamError, open_stream

    names: list[str] = []
    with open_stream(raw.path, expect=raw.name) as stream:
        try:
            for member in tar_members(stream):
                if not names and not _BULK.fullmatch(member.name):
                    return []
                names.append(member.name)
        except StreamError:
            pass  # told when the members themselves are read
    return names


def _snapshot(raw: Raw, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Metadata of these papers from the snapshot beside the bulk tar, if it is there."""
    import orjson

    from pilebuilder.read.streams import open_stream

    found: dict[str, dict[str, Any]] = {}
    for path in raw.beside.values():
        with open_stream(path) as stream:
            for line in stream:
                if line[:7] == b'{"id":"' and line[7 : line.find(b'"', 7)].decode("ascii", "replace") not in wanted:
                    continue
                try:
                    paper = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(paper, dict) and paper.get("id") in wanted:
                    found[paper["id"]] = paper
    return found


def _responses(raw: Raw) -> Iterator[Item]:
    """An OAI-PMH answer among the sources: its records are metadata, its errors are named."""
    from pilebuilder.read.xml import XmlError, local, tree, words

    try:
        root = tree(raw.path.read_bytes()) if raw.bytes <= 64 << 20 else None
    except XmlError as error:
        yield Quarantined(reason=error.reason, detail=error.detail)
        return
    for element in root.iter() if root is not None else ():
        if local(element) == "error" and element.get("code") != "noRecordsMatch":
            yield Quarantined(reason="oai_error", detail=f"{element.get('code')}: {words(element)}")
        elif local(element) == "record":
            ident = next((words(e) for e in element.iter() if local(e) == "identifier"), "")
            yield Skipped(reason="metadata", key=f"arxiv:{ident.rpartition(':')[2]}")
    if root is None or not any(local(e) in ("record", "error") for e in root.iter()):
        yield Skipped(reason="metadata", key=raw.name)
