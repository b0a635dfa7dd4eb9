"""Real text for benchmarks: the shared samples, and documentation packages of the operating system, in 12 languages.

``python -m tests.benchmarks.corpus [FOLDER] [more]`` downloads the packages with apt-get (about 230 MB, nothing is
installed), unpacks them with dpkg-deb, takes the text out of their HTML, manual pages, POD, dictionaries and text files,
and writes ``FOLDER/docs.jsonl.zst`` (a little of each, 12 languages) and ``FOLDER/english.jsonl.zst`` (the English ones,
nearly whole); with the word ``more`` also ``FOLDER/more.jsonl.zst`` (further English packages, 250 MB to download).
FOLDER defaults to ``benchmarks`` in the cache folder of pilebuilder.
"""

from __future__ import annotations

import collections
import gzip
import io
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pilebuilder.kernels.cache import cache_root

SAMPLES = Path(__file__).resolve().parents[2] / ".." / "shared" / "samples" / "bulk"
PACKAGES = [
    "debian-reference-en", "debian-reference-de", "debian-reference-fr", "debian-reference-it",
    "debian-reference-es", "debian-reference-pt", "debian-reference-ja", "debian-reference-zh-cn",
    "python3.11-doc", "postgresql-doc-15", "manpages", "manpages-dev", "manpages-de", "manpages-fr",
    "manpages-es", "manpages-pl", "manpages-ja", "manpages-pt-br", "manpages-it", "manpages-nl", "manpages-ru",
    "manpages-zh", "fortunes", "wordnet-base", "dict-gcide", "dict-jargon", "debian-faq", "aptitude-doc-en",
    "aptitude-doc-fi", "developers-reference", "developers-reference-ru", "developers-reference-fr",
    "developers-reference-ja", "maint-guide", "git-doc", "sqlite3-doc", "r-doc-html", "bash-doc", "vim-doc",
    "libboost1.74-doc", "apache2-doc", "debian-policy", "perl-doc", "rust-doc", "python-django-doc",
]  # fmt: skip
ENGLISH = [
    "debian-reference-en", "python3.11-doc", "postgresql-doc-15", "manpages", "manpages-dev", "fortunes",
    "wordnet-base", "dict-gcide", "dict-jargon", "dict-foldoc", "debian-faq", "aptitude-doc-en",
    "developers-reference", "maint-guide", "git-doc", "sqlite3-doc", "r-doc-html", "bash-doc", "vim-doc",
    "libboost1.74-doc", "apache2-doc", "debian-policy", "perl-doc", "rust-doc", "python-django-doc", "linux-doc-6.1",
    "anarchism", "erlang-doc", "python-pandas-doc", "cmake-doc", "exim4-doc-html", "bind9-doc", "llvm-14-doc",
    "postgis-doc",
]  # fmt: skip
MORE = [
    "openjdk-17-doc", "racket-doc", "qtbase5-doc-html", "ghc-doc", "scala-doc", "libstdc++-12-doc", "python-scipy-doc",
    "python-sympy-doc", "python-statsmodels-doc", "python-astropy-doc", "wx3.2-doc", "petsc3.18-doc", "libgtk-4-doc",
]  # fmt: skip
"""English, too: what is wanted only for more than 300 MB."""
MOST = 25_000_000
"""Bytes of each package and kind in the English set."""
LIMITS = {"html": 5_000_000, "man": 3_000_000, "text": 4_000_000, "fortunes": 1_000_000, "dictionary": 3_000_000}
LONGEST = 60_000
ROFF = re.compile(r"^[.'](\\\".*|[A-Z]{1,2}\b ?|[a-z]{2}\b.*)|\\f[BIRP]|\\[&|]|\\-", re.M)


def folder() -> Path:
    return cache_root() / "benchmarks"


def fetch(into: Path, packages: Iterable[str] = PACKAGES) -> Path:
    """Packages unpacked below `into`; those already there are not fetched again."""
    debs, tree = into / "debs", into / "tree"
    debs.mkdir(parents=True, exist_ok=True)
    tree.mkdir(exist_ok=True)
    missing = [name for name in packages if not list(debs.glob(f"{name}_*.deb"))]
    for name in missing:
        done = subprocess.run(["apt-get", "download", "-q", name], cwd=debs, capture_output=True, text=True)
        if done.returncode:
            print(f"not available, left out: {name}", file=sys.stderr)
    for deb in sorted(debs.glob("*.deb")):
        target = tree / deb.name.split("_")[0]
        if not target.is_dir():
            subprocess.run(["dpkg-deb", "-x", str(deb), str(target)], check=True)
    return tree


def kind_of(path: Path) -> str | None:
    name = path.name
    if name.endswith((".html", ".htm")):
        return "html"
    if "/man/" in str(path) and name.endswith(".gz"):
        return "man"
    if name.endswith(".dict.dz"):
        return "dictionary"
    if "/wordnet/data." in str(path):
        return "glosses"
    if "/fortunes/" in str(path) and not name.endswith((".dat", ".u8")):
        return "fortunes"
    return "text" if name.endswith((".txt", ".txt.gz", ".rst", ".pod", ".rst.txt")) else None


def texts_of(kind: str, path: Path) -> Iterator[str]:
    raw = path.read_bytes()
    if path.suffix in (".gz", ".dz"):
        raw = gzip.decompress(raw)
    if kind == "html":
        from resiliparse.extract.html2text import extract_plain_text
        from resiliparse.parse.encoding import bytes_to_str, detect_encoding

        page = bytes_to_str(raw, detect_encoding(raw))
        yield from pieces(extract_plain_text(page, main_content=True, preserve_formatting=True, alt_texts=False))
        return
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if kind == "man":
        yield from pieces(ROFF.sub(lambda m: "-" if m.group(0) == r"\-" else "", text))
    elif kind == "fortunes":
        yield from text.split("\n%\n")
    elif kind == "dictionary":
        entries = re.split(r"\n(?=\S)", text)
        for start in range(0, len(entries), 20):
            yield "\n".join(entries[start : start + 20])
    elif kind == "glosses":
        found = [line.partition("|")[2].strip() for line in text.splitlines() if "|" in line]
        for start in range(0, len(found), 20):
            yield "\n".join(found[start : start + 20])
    else:
        yield from pieces(text)


def pieces(text: str) -> Iterator[str]:
    """A long text as several, cut between paragraphs."""
    part = ""
    for paragraph in re.split(r"(?<=\n\n)", text):
        if part and len(part) + len(paragraph) > LONGEST:
            yield part
            part = ""
        part += paragraph
    if part:
        yield part


def build(
    into: Path,
    name: str = "docs.jsonl.zst",
    packages: Iterable[str] = PACKAGES,
    limits: Mapping[str, int] = LIMITS,
    largest: int = 8_000_000,
) -> Path:
    """Write a file: at most so much of each package and kind, files up to `largest` bytes, in one fixed order."""
    import zstandard

    groups: dict[tuple[str, str], list[Path]] = collections.defaultdict(list)
    tree = fetch(into, packages)
    for path in sorted(p for package in packages for p in (tree / package).rglob("*")):
        kind = kind_of(path)
        if kind in limits and path.is_file() and not path.is_symlink() and path.stat().st_size < largest:
            language = path.parts[path.parts.index("man") + 1] if kind == "man" and "man" in path.parts else ""
            groups[kind, f"{path.relative_to(tree).parts[0]} {language}".strip()].append(path)
    rng, documents = random.Random(7), []
    for (kind, package), paths in sorted(groups.items()):
        rng.shuffle(paths)
        size = 0
        for path in paths:
            try:
                found = [text.strip() for text in texts_of(kind, path)] if size < limits[kind] else []
            except (OSError, EOFError):
                continue
            for text in found:
                if len(text) >= 80 and "\x00" not in text and size < limits[kind]:
                    documents.append((f"{kind} {package}", text))
                    size += len(text.encode())
    rng.shuffle(documents)
    target = into / name
    with target.open("wb") as stream, zstandard.ZstdCompressor(level=3).stream_writer(stream) as out:
        for source, text in documents:
            out.write(json.dumps({"source": source, "text": text}, ensure_ascii=False).encode() + b"\n")
    return target


def build_english(into: Path) -> Path:
    """Write ``english.jsonl.zst``: nearly all of the English packages."""
    kinds = dict.fromkeys([*LIMITS, "glosses"], MOST)
    return build(into, "english.jsonl.zst", ENGLISH, kinds, largest=20_000_000)


def build_more(into: Path) -> Path:
    """Write ``more.jsonl.zst``: the English packages that `build_english` leaves out, about 250 MB to download."""
    return build(into, "more.jsonl.zst", MORE, dict.fromkeys(LIMITS, 4 * MOST), largest=20_000_000)


def read(path: Path) -> Iterator[tuple[str, str]]:
    """(source, text) of each document in a jsonl.zst file."""
    import zstandard

    with path.open("rb") as stream:
        for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)):
            record = json.loads(line)
            yield record.get("source") or path.name.split(".")[0], record["text"]


def samples() -> list[tuple[str, str]]:
    """The shared samples, where they lie beside the checkout: (source, text)."""
    return [pair for path in sorted(SAMPLES.glob("*.jsonl.zst")) for pair in read(path)]


if __name__ == "__main__":
    more = "more" in sys.argv
    where = Path(next((a for a in sys.argv[1:] if a != "more"), folder()))
    for written in (build(where), build_english(where), *([build_more(where)] if more else [])):
        sizes = [len(text.encode()) for _, text in read(written)]
        median = sorted(sizes)[len(sizes) // 2]
        print(f"{written}: {len(sizes)} documents, {sum(sizes) / 1e6:.1f} MB of text, median {median} B")
