"""DeepMind Mathematics: files of alternating question and answer lines, cut into documents of about 8 KiB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pilebuilder.read.base import Item, Raw
from pilebuilder.registry import reader

MAX_MODULE = 256 << 20
"""Bytes of one module file; the released ones hold about 40 MB."""


@reader("dm-mathematics", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Mathematics:
    """Question and answer lines in strict alternation; a document closes after the answer that fills it.

    Format: ``LEVEL/MODULE.txt`` of mathematics_dataset-v1.0 (Saxton et al. 2019, arXiv:1904.01557), loose, compressed,
    or in the released tar.
    Record unit: consecutive pairs of one module until they exceed `characters`.
    Id: ``dmmath:LEVEL/MODULE#CHUNK``.
    Text: the lines as they are, single newlines, as the corrected replication code of the Pile renders them.
    Metadata: module, level, chunk.
    Licence: the card's.
    Skip reasons: ``test_set`` (levels that `levels` does not name; interpolate and extrapolate are meant for
    evaluation).
    Quarantined: ``truncated`` when a question has no answer or the file does not end a line, since the alternation is
    the format's only end mark.

    ``"What is 1 + 1?\\n2\\nIs 4 prime?\\nFalse\\n"`` gives ``What is 1 + 1?\\n2\\nIs 4 prime?\\nFalse``.
    """

    characters: Annotated[int, Field(ge=1, description="a document closes when it exceeds this")] = 8192
    levels: Annotated[tuple[str, ...], Field(description="levels to read")] = (
        "train-easy",
        "train-medium",
        "train-hard",
    )

    def __call__(self, raw: Raw) -> Iterator[Item]:
        from pilebuilder.read.whole import whole

        return whole(raw, _modules(self, raw))


def _modules(options: Mathematics, raw: Raw) -> Iterator[Item]:
    from pilebuilder.read.base import Skipped
    from pilebuilder.read.files import Content, contents
    from pilebuilder.read.whole import looks_html, wrong_format

    for found in contents(raw, limit=MAX_MODULE):
        if not isinstance(found, Content):
            yield found
            continue
        level, module = _place(found.path)
        if level and level not in options.levels:
            yield Skipped(reason="test_set", offset=found.offset, key=found.name)
        elif looks_html(found.data[:1024]):
            yield wrong_format("a module of questions and answers", found.data, found.offset)
        else:
            yield from _chunks(found.data, found.offset, level, module, options.characters)


def _place(path: str) -> tuple[str, str]:
    """Level and module from ``.../train-easy/algebra__linear_1d.txt``."""
    parts = path.removesuffix(".gz").removesuffix(".txt").split("/")
    return (parts[-2] if len(parts) > 1 else ""), parts[-1]


def _chunks(data: bytes, offset: int, level: str, module: str, characters: int) -> Iterator[Item]:
    from pilebuilder.ledger import context
    from pilebuilder.read.base import Quarantined, Record

    data = data.replace(b"\r\n", b"\n")
    start = chunk = 0
    while start < len(data):
        key = f"dmmath:{level}/{module}#{chunk}"
        end = _end(data, start, characters)
        whole_pairs = data.count(b"\n", start, end) % 2 == 0 and data[end - 1 : end] == b"\n"
        last = end
        if not whole_pairs:  # only at the end of the file: the pairs before the broken one are kept
            last = _last_pair(data, start)
        try:
            text = data[start:last].decode("utf-8").rstrip("\n")
        except UnicodeDecodeError as error:
            cause = f"{error.reason}: {context(data[start + error.start : start + error.start + 80])}"
            yield Quarantined(reason="bad_utf8", offset=offset + start + error.start, detail=cause, key=key)
            text = ""
        if text:
            meta = {"module": module, "level": level, "chunk": chunk}
            yield Record(key=key, text=text, offset=offset + start, meta=meta)
        if last < end:
            detail = f"a question without its answer ends the file: {context(data[last : last + 80])}"
            yield Quarantined(reason="truncated", offset=offset + last, detail=detail, key=key + "-rest")
        start, chunk = end, chunk + 1


def _end(data: bytes, start: int, characters: int) -> int:
    """Where a document that begins at `start` closes: after the first answer line beyond the limit, or at the end."""
    if len(data) - start <= characters:
        return len(data)
    newline = data.find(b"\n", start + characters)
    if newline < 0:
        return len(data)
    if data.count(b"\n", start, newline + 1) % 2:
        newline = data.find(b"\n", newline + 1)
    return newline + 1 if newline >= 0 else len(data)


def _last_pair(data: bytes, start: int) -> int:
    """End of the last whole pair from `start` on."""
    lines = data.count(b"\n", start)
    end = len(data)
    for _ in range(1 + lines % 2):
        end = data.rfind(b"\n", start, end)
        if end < 0:
            return start
    return end + 1
