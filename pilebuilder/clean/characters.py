"""Steps that repair characters: mojibake, control characters, Unicode normal forms."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from pilebuilder.document import Docs, from_buffers, texts
from pilebuilder.registry import step

if TYPE_CHECKING:
    import numpy as np

Kind = Literal[
    "control", "byte_order_mark", "noncharacter", "annotation", "deprecated", "zero_width", "bidirectional"
]  # fmt: skip


@step("ftfy", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Ftfy:
    """Repairs mojibake and typographic damage: the output of ``ftfy.fix_text``, byte for byte, many times as fast.

    The defaults are ftfy's. FineWeb keeps typography as it is: ``fix_latin_ligatures``, ``fix_character_width``,
    ``uncurl_quotes`` and ``fix_line_breaks`` false, ``normalization: null``. Note that ``fix_character_width`` turns
    the full-width punctuation of Chinese and Japanese into ASCII.
    """

    unescape_html: Annotated[
        Literal["auto", True, False], Field(description="decode &amp; and the like; 'auto': until a '<' comes")
    ] = "auto"
    remove_terminal_escapes: Annotated[bool, Field(description="colour codes of terminals")] = True
    fix_encoding: Annotated[bool, Field(description="repair text that was decoded in the wrong encoding")] = True
    restore_byte_a0: Annotated[bool, Field(description="take a blank for a no-break space where that repairs")] = True
    replace_lossy_sequences: Annotated[bool, Field(description="U+FFFD for sequences that lost a byte")] = True
    decode_inconsistent_utf8: Annotated[bool, Field(description="repair parts of a line by themselves")] = True
    fix_c1_controls: Annotated[bool, Field(description="U+0080 to U+009F are read as Windows-1252")] = True
    fix_latin_ligatures: Annotated[bool, Field(description="the ligature U+FB01 becomes fi, and so on")] = True
    fix_character_width: Annotated[bool, Field(description="full-width Latin, half-width katakana")] = True
    uncurl_quotes: Annotated[bool, Field(description="curly quotes become straight")] = True
    fix_line_breaks: Annotated[bool, Field(description="\\r\\n, \\r, U+2028 and U+2029 become newlines")] = True
    remove_control_chars: Annotated[bool, Field(description="control characters but tab, newline, form feed")] = True
    normalization: Annotated[
        Literal["NFC", "NFD", "NFKC", "NFKD"] | None, Field(description="Unicode normal form; null: as it is")
    ] = "NFC"

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.kernels.mojibake import repair

        options = tuple((f.name, getattr(self, f.name)) for f in fields(self))
        return docs.edit(from_buffers(*repair(*docs.buffers(), options)), "ftfy")


@step("control-characters", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class ControlCharacters:
    """Removes characters that no reader sees: control characters, byte order marks, noncharacters."""

    kinds: Annotated[
        tuple[Kind, ...],
        Field(
            description="what goes; tab, newline, carriage return and form feed stay; 'zero_width' (soft hyphen, zero"
            " width space) and 'bidirectional' (direction marks) carry meaning in some scripts"
        ),
    ] = ("control", "byte_order_mark", "noncharacter", "annotation", "deprecated")

    def __call__(self, docs: Docs) -> Docs:
        from pilebuilder.kernels import edits

        data, offsets, removed = edits.without_controls(*docs.buffers(), tuple(sorted(self.kinds)))
        if not removed.any():
            return docs
        reasons = {f"control-characters.{kind}": removed[:, k] for k, kind in enumerate(edits.KINDS)}
        return docs.edit(from_buffers(data, offsets), reasons)


@step("nfc", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Normalize:
    """Puts texts into a Unicode normal form, so that equal letters are equal bytes."""

    form: Annotated[
        Literal["NFC", "NFD", "NFKC", "NFKD"], Field(description="the K forms change what a text says: use with care")
    ] = "NFC"

    def __call__(self, docs: Docs) -> Docs:
        import unicodedata

        import pyarrow as pa
        import pyarrow.compute as pc

        from pilebuilder.kernels.normal import not_normal

        rows = not_normal(*docs.buffers(), self.form)
        if not len(rows):
            return docs
        fixed = texts(unicodedata.normalize(self.form, text) for text in docs.text.take(rows).to_pylist())
        wrong = pa.array(_marks(rows, len(docs)))
        return docs.edit(
            pc.replace_with_mask(docs.text, wrong, fixed), "nfc" if self.form == "NFC" else f"nfc.{self.form}"
        )


def _marks(rows: np.ndarray, length: int) -> np.ndarray:
    import numpy as np

    marks = np.zeros(length, bool)
    marks[rows] = True
    return marks
