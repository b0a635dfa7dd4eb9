"""HTML files, one document each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.read.text import MaxBytes
from pilebuilder.registry import reader

if TYPE_CHECKING:
    from pilebuilder.read.sandbox import Job


@reader("html", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Html:
    """HTML pages, loose, compressed, or in a tar or zip: one document a file.

    Format: HTML and XHTML of any version, as browsers read it (https://html.spec.whatwg.org/#parsing).
    Record unit: a file.
    Id: its name (``ARCHIVE/MEMBER`` in an archive).
    Text: by `extractor`, in a child process with limits; see `pilebuilder.read.html` for encodings and extractors.
    ``<body><nav>Home</nav><main><h1>One</h1><p>It is.</p></main></body>`` gives ``One``, an empty line, ``It is.``
    Metadata: title, charset; signals as the reader `warc`.
    Licence: the page's own ``rel="license"`` link to Creative Commons, else the raw file's.
    Skip reasons: ``empty_text``, ``binary``, ``link``, ``not_named`` for members of archives that do not end in .html,
    .htm or .xhtml.
    Quarantined: ``html_limit``, ``crash``, ``timeout``, ``memory`` (one page each), ``too_large``, ``truncated``,
    ``corrupt``.
    """

    extractor: Annotated[
        Literal["resiliparse", "trafilatura", "justext", "union", "all"],
        Field(description="how text is found in a page"),
    ] = "resiliparse"
    stoplist: Annotated[str, Field(max_length=40, description="jusText's stop word list")] = "English"
    charset: Annotated[str | None, Field(max_length=40, description="encoding; default: found out per page")] = None
    suffixes: Annotated[tuple[str, ...], Field(description="only members of archives that end so")] = (
        ".html",
        ".htm",
        ".xhtml",
        ".html.gz",
    )
    max_bytes: MaxBytes = 64 << 20
    seconds: Annotated[float, Field(gt=0, le=600, description="CPU seconds that one page may take")] = 10.0

    SIGNALS: ClassVar[Mapping[str, str]] = {"html.lang": "string", "html.text_share": "double"}

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read import html
        from pilebuilder.read.sandbox import Limits, ordered
        from pilebuilder.read.whole import whole

        return whole(raw, ordered(html.FUNCTION, _entries(self, raw), Limits(seconds=self.seconds)))


def _entries(options: Html, raw: Raw) -> Iterator[Item | Job[Item]]:
    """Items that need no parser, and jobs for the pages."""
    from pilebuilder.read.base import Quarantined
    from pilebuilder.read.files import Content, binary, contents, is_binary, unpacked
    from pilebuilder.read.sandbox import Job
    from pilebuilder.read.streams import StreamError

    for found in contents(raw, limit=options.max_bytes, only=options.suffixes):
        if not isinstance(found, Content):
            yield found
            continue
        try:
            data = unpacked(found.data, options.max_bytes)
        except StreamError as error:
            yield Quarantined(reason=error.reason, offset=found.offset, detail=error.detail, key=found.name)
            continue
        if is_binary(data):
            yield binary(found)
            continue
        params = {"extractor": options.extractor, "charset": options.charset, "stoplist": options.stoplist}
        url = raw.url if found.name == raw.name else None
        yield Job(data=data, params=params, then=partial(_finished, found.name, found.offset, url))


def _finished(key: str, offset: int, url: str | None, answer: Any) -> Item:
    from pilebuilder.read.base import Quarantined, Record, Skipped
    from pilebuilder.read.characters import tidy
    from pilebuilder.read.html import Page
    from pilebuilder.read.sandbox import Failure

    if isinstance(answer, Failure):
        return Quarantined(reason=answer.reason, offset=offset, detail=answer.detail, key=key)
    page = Page(**answer)
    text = tidy(page.text)
    if not text or text.isspace():
        return Skipped(reason="empty_text", offset=offset, key=key)
    meta = ({"title": page.title} if page.title else {}) | {"charset": page.charset}
    return Record(key=key, text=text, offset=offset, url=url, licence=page.licence, meta=meta, signals=page.signals)
