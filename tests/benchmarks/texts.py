"""Real text that any machine with this project has: sources and documentation of installed packages, message
catalogues in many languages, and the shared samples where they are present. Nothing is fetched."""

from __future__ import annotations

import gettext
import hashlib
import itertools
import json
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

PROSE = {".rst", ".md", ".txt"}
SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "samples" / "bulk"


def documents(limit: int, longest: int = 20_000) -> Iterator[tuple[str, str]]:
    """(component, text) up to `limit` bytes in all, in an order that mixes the kinds and is fixed for a machine.

    Where a machine has less text than that, it comes once more with the words of every line in reverse order: as many
    words and characters of each kind, and no document like another.
    """
    size = 0
    seen: set[bytes] = set()
    again = ((c, "\n".join(" ".join(line.split(" ")[::-1]) for line in t.split("\n"))) for c, t in _mixed())
    for component, text in itertools.chain(_mixed(), again):
        for piece in _pieces(text, longest):
            digest = hashlib.blake2b(piece.encode(), digest_size=12).digest()
            if digest in seen:
                continue
            seen.add(digest)
            yield component, piece
            size += len(piece.encode())
            if size >= limit:
                return


def _mixed() -> Iterator[tuple[str, str]]:
    """Samples first (they are the most varied), then files in the order of a hash of their path."""
    for path in sorted(SAMPLES.glob("*.jsonl.zst")):
        import zstandard

        with path.open("rb") as file:
            for line in zstandard.ZstdDecompressor().stream_reader(file).read().splitlines():
                text = json.loads(line).get("text")
                if text:
                    yield path.name.split(".")[0], text
    roots = [
        Path(sysconfig.get_paths()["stdlib"]),
        Path(sysconfig.get_paths()["purelib"]),
        Path("/usr/share"),
        Path(sys.prefix),
    ]
    files = {p for root in roots for p in root.rglob("*") if p.suffix in PROSE | {".py", ".mo", ".html"}}
    for path in sorted(files, key=lambda p: hashlib.blake2b(str(p).encode()).digest()):
        yield from _read(path)


def _read(path: Path) -> Iterator[tuple[str, str]]:
    try:
        if path.suffix == ".mo":
            with path.open("rb") as file:
                catalogue = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
            language = path.parent.parent.name.split("_")[0].split(".")[0]
            texts = [str(v) for v in catalogue.values() if v]
            for start in range(0, len(texts), 40):
                yield f"messages-{language}", "\n".join(texts[start : start + 40])
        elif path.is_file() and path.stat().st_size < 2_000_000:
            kind = {".py": "code", ".html": "html"}.get(path.suffix, "prose")
            yield kind, path.read_bytes().decode()
    except (OSError, UnicodeDecodeError, ValueError, EOFError, IndexError, KeyError):
        return


def _pieces(text: str, longest: int) -> Iterator[str]:
    """A long file as several documents, cut at line ends."""
    start = 0
    while len(text) - start > longest:
        stop = text.rfind("\n", start + longest // 2, start + longest) + 1 or start + longest
        yield text[start:stop]
        start = stop
    if text[start:].strip():
        yield text[start:]
