"""Bytes to text: one stated order of encodings, and the removal of what no text holds."""

from __future__ import annotations

import codecs
import re
import unicodedata

_CONTROLS = bytes((*range(9), *range(0x0B, 0x20), 0x7F))
_NONCHARACTERS = re.compile("[\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_BLANK_LINES = re.compile(r"\n{3,}")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE = 64 << 10
"""Bytes that the detector looks at."""


def decode(data: bytes, declared: str | None = None) -> tuple[str, str]:
    """Text and the encoding used: byte order mark, declared, UTF-8, detected on 64 KiB, cp1252, latin-1 in this order.

    >>> decode(b"caf\\xe9"), decode(b"caf\\xc3\\xa9")
    (('café', 'cp1252'), ('café', 'utf-8'))
    """
    names = [name for mark, name in _BOMS if data.startswith(mark)][:1]
    names += [declared] if declared else []
    for name in (*names, "utf-8"):
        try:
            return data.decode(name).removeprefix("\ufeff"), "utf-8" if name == "utf-8-sig" else name.lower()
        except (UnicodeError, LookupError):
            continue
    for guess in (_detected(data), "cp1252"):
        try:
            if guess:
                return data.decode(guess), guess
        except (UnicodeError, LookupError):
            continue
    return data.decode("latin-1"), "latin-1"


def _detected(data: bytes) -> str | None:
    """A guess for text of a few hundred bytes or more that is no UTF-8; below that, cp1252 is right more often."""
    if len(data) < 200:
        return None
    from resiliparse.parse.encoding import detect_encoding

    name = str(detect_encoding(data[:_SAMPLE], from_html_meta=False)).lower()
    western = ("windows-1252", "iso-8859-1", "iso-8859-15", "utf-8", "ascii", "us-ascii")
    return None if name in western else name


def tidy(text: str) -> str:
    """One newline character, no control characters but tab and newline, no lone surrogates, canonical composition."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.isascii():
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        if _SURROGATES.search(text):
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    raw = text.encode()
    clean = raw.translate(None, _CONTROLS)
    if len(clean) != len(raw):
        text = clean.decode()
    return _NONCHARACTERS.sub("", text) if "\uffff" in text or "\ufffe" in text else text


def squeeze(text: str) -> str:
    """At most one blank line in a row, none at the ends, no white space at line ends."""
    lines = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip("\n")
