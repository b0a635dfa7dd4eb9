"""Crawl archives: WARC, WET and ARC to the text of their pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader


@reader("warc", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Warc:
    """WARC (ISO 28500), WET and ARC 1.0 files, plain or compressed: each HTML page becomes its text.

    Format: ISO 28500:2017; https://archive.org/web/researcher/ArcFileFormat.php; crawls as Common Crawl writes them.
    Record unit: a ``response`` record (``conversion`` in WET files); other types carry no document and are not
    counted.
    Id: ``cc:CRAWL:DIGEST URL`` from the crawl in the file's name, the payload's SHA-1 and the address, so the same
    page in the same crawl keeps its id wherever the file is cut.
    Text: by `extractor`; see `pilebuilder.read.html` for encodings and the rule of ``union``.
    ``<body><nav>Home</nav><main><h1>One</h1><p>It is.</p></main></body>`` gives ``One``, an empty line, ``It is.``
    Metadata: title, charset, digest, crawl, status, content type, IP address if kept by the crawler, ``truncated``
    (WARC-Truncated). Signals: ``html.lang`` and ``html.text_share`` (text per markup), for filters that want to judge
    the page and not its text alone. Date: WARC-Date. URL: WARC-Target-URI.
    Licence: the page's own ``rel="license"`` link to Creative Commons, else the raw file's.
    Skip reasons: ``status`` (not 200), ``content_type`` (not HTML), ``not_http`` (DNS and the like), ``revisit`` is
    not counted, ``noai`` (only with `respect_noai`), ``empty_text``. Quarantined, one record each: ``corrupt``,
    ``truncated``, ``bad_record``, ``bad_length``, ``bad_http``, ``too_large``, ``html_limit``, and what the sandbox
    reports (``crash``, ``timeout``, ``memory``). After a damaged gzip member reading goes on at the next record.
    """

    extractor: Annotated[
        Literal["resiliparse", "trafilatura", "justext", "union", "all"],
        Field(description="how text is found in a page: fast, precise, the Pile's, best of two, everything visible"),
    ] = "resiliparse"
    stoplist: Annotated[str, Field(max_length=40, description="jusText's stop word list")] = "English"
    respect_noai: Annotated[bool, Field(description="skip pages whose robots tag or header says noai")] = False
    seconds: Annotated[float, Field(gt=0, le=600, description="CPU seconds that one page may take")] = 10.0
    max_record_bytes: Annotated[int, Field(ge=1024, le=1 << 30, description="largest record, in bytes")] = 64 << 20

    SIGNALS: ClassVar[Mapping[str, str]] = {"html.lang": "string", "html.text_share": "double"}

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.warc_pages import read
        from pilebuilder.read.whole import whole

        return whole(raw, read(self, raw))
