"""MediaWiki dumps: the articles of a wiki as readable text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader


@reader("mediawiki", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class MediaWiki:
    """MediaWiki XML export 0.3 to 0.11, plain or compressed (multistream bzip2 included): one document a page.

    Format: https://www.mediawiki.org/xml/export-0.11.xsd; wikitext: https://www.mediawiki.org/wiki/Markup_spec.
    Record unit: ``page``.
    Id: ``wiki:DB:PAGE_ID``.
    Text: the title, a blank line, and the rendered wikitext of the latest revision: links as their label, headings as
    lines, list items with ``- ``, TeX of ``<math>`` in ``$``; without templates (a few that carry prose, such as
    ``convert`` or ``lang``, give it), references, tables, galleries, files, categories, comments, and the closing
    sections of notes and links. `renderer` chooses the compiled renderer or mwparserfromhell; both follow these rules.
    ``style: pile`` strips with mwparserfromhell as the tool behind the original did, without pruning sections.
    Metadata: title, page and revision id, wiki. Date: of the revision. URL: ``?curid=`` of the wiki's own address.
    Licence: the dump's own when it names one, else CC BY-SA 4.0 for Wikimedia wikis, else the raw file's.
    Skip reasons: ``redirect``, ``namespace`` (not 0, see `namespaces`), ``model`` (not wikitext), ``deleted``,
    ``empty_text``, ``short`` (below `min_chars`), ``disambiguation`` (with `skip_disambiguation`).
    Quarantined: ``parse_error``, ``bad_utf8``, ``too_large``, one page each; ``truncated`` when ``</mediawiki>`` is
    missing.

    ``'''Ampere''' is a [[SI base unit|unit]].<ref>x</ref>`` on the page Ampere gives ``Ampere\\n\\nAmpere is a unit.``
    """

    namespaces: Annotated[tuple[int, ...], Field(description="namespaces whose pages are documents")] = (0,)
    renderer: Annotated[Literal["compiled", "mwparserfromhell"], Field(description="who turns wikitext into text")] = (
        "compiled"
    )
    style: Annotated[Literal["clean", "pile"], Field(description="clean, or as the Pile's tool did it")] = "clean"
    skip_disambiguation: Annotated[bool, Field(description="skip disambiguation pages")] = False
    min_chars: Annotated[int, Field(ge=0, description="shorter pages are skipped as `short`")] = 0
    max_page_bytes: Annotated[int, Field(ge=1024, le=1 << 30, description="largest page, in bytes of XML")] = 32 << 20

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.mediawiki_pages import read
        from pilebuilder.read.whole import whole

        return whole(raw, read(self, raw))
