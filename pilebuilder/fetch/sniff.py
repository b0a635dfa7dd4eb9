"""Whether a file is what its name says: error pages come with status 200, and archives have signatures."""

from __future__ import annotations

import re

SIGNATURES = {
    ".gz": (b"\x1f\x8b",),
    ".tgz": (b"\x1f\x8b",),
    ".bz2": (b"BZh",),
    ".xz": (b"\xfd7zXZ\0",),
    ".zst": (b"\x28\xb5\x2f\xfd", b"\x50\x2a\x4d\x18"),
    ".zip": (b"PK\x03\x04", b"PK\x05\x06"),
    ".epub": (b"PK\x03\x04",),
    ".7z": (b"7z\xbc\xaf\x27\x1c",),
    ".pdf": (b"%PDF-",),
    ".parquet": (b"PAR1",),
}
"""First bytes by suffix; a skippable zstd frame may begin with any of 16 values, the lowest stands here."""
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)[\s>]", re.IGNORECASE | re.DOTALL)


def wrong_content(name: str, start: bytes, kind: str) -> tuple[str, str] | None:
    """Reason and detail when a file's beginning cannot be what its name promises, else None.

    >>> wrong_content("a.zip", b"<!DOCTYPE html><title>Sorry", "text/html")
    ('html_page', 'an HTML page came instead of the file')
    """
    suffix = "." + name.lower().rpartition(".")[2] if "." in name else ""
    if suffix in (".html", ".htm", ".xhtml"):
        return None
    if not start:
        return ("empty_file", "the file is empty") if suffix in SIGNATURES else None
    if _HTML.match(start.removeprefix(b"\xef\xbb\xbf")):
        return "html_page", "an HTML page came instead of the file"
    expected = SIGNATURES.get(suffix)
    if expected and not start.startswith(expected) and not (suffix == ".zst" and start[1:4] == b"\x2a\x4d\x18"):
        shown = start[:16].decode("ascii", "backslashreplace")
        return (
            "wrong_format",
            f"it begins with {shown!r} ({kind[:60] or 'no content type'}), not as a {suffix} file does",
        )
    return None
