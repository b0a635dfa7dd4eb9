"""Readers side by side with rivals: ``python -m tests.benchmarks.read [READER ...]``.

Each contestant runs in a process of its own: once to warm up (imports, compiled kernels), then measured. CPU seconds
count the process and its parser children, on one core; MB are bytes of raw input after decompression of the file itself
(what is parsed), so that formats can be compared; peak memory is the process's and that of its largest child. Ours runs
before and after each rival, and the ratio is to the mean of the two. Input comes from the shared samples, repeated until
it is large enough to time; nothing is downloaded. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.samples import SAMPLES

ROOT = Path(__file__).resolve().parents[2]
LEAST = 8_000_000
"""Bytes of input that a general reader is timed on at least, by reading its samples again."""

# Reader -> sample files (globs). What is timed for every reader.
SOURCES: dict[str, tuple[str, ...]] = {
    "arxiv": ("arxiv/*.gz",),
    "books": ("books/*",),
    "courtlistener": ("freelaw/*.csv.bz2",),
    "csv": ("openwebtext2/science.csv",),
    "enron": ("enron-emails/*.tar.gz", "enron-emails/*.tgz"),
    "epub": ("books/*.epub",),
    "europarl": ("europarl/europarl.tgz",),
    "gutenberg": ("gutenberg/raw-texts/*",),
    "hackernews": ("hackernews/*.jsonl",),
    "html": ("pile-cc/article-extraction-benchmark.tar",),
    "jats": ("pubmed-central/*.nxml", "pubmed-central/*.xml"),
    "nih-exporter": ("nih-exporter/*.zip",),
    "opensubtitles": ("opensubtitles/*.srt", "opensubtitles/*.vtt"),
    "pdf": ("philpapers/*.pdf",),
    "reddit-submissions": ("openwebtext2/RS_sample.zst",),
    "source-code": ("github/*.tar.gz",),
    "text": ("gutenberg/raw-texts/10*", "gutenberg/raw-texts/3*"),
    "ubuntu-irc": ("ubuntu-irc/2*/*/*/*.txt",),
    "uspto": ("uspto/*.zip", "uspto/US*.xml"),
    "youtube": ("youtube-subtitles/*",),
}
# Contests: name -> (input, contestants). The first contestant is ours.
CONTESTS = {
    "jsonl": ("lines", ("ours:jsonl", "datatrove-jsonl", "zstd-only")),
    "warc, real pages": ("pages", ("ours:warc", "datatrove-warc", "gzip-only")),
    "warc, small pages": ("small", ("ours:warc", "datatrove-warc")),
    "mediawiki": ("wiki", ("ours:mediawiki", "elementtree-wiki", "elementtree-only", "lxml-only")),
    "stackexchange": ("posts", ("ours:stackexchange", "elementtree-only", "lxml-only")),
    "pubmed": ("pubmed", ("ours:pubmed", "elementtree-only", "lxml-only")),
}


# Input ---------------------------------------------------------------------------------------------------------------


def lines(folder: Path) -> Path:
    import zstandard

    raw = b"".join(
        zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes())
        for path in sorted((SAMPLES / "bulk").glob("*.jsonl.zst"))
    )
    path = folder / "lines.jsonl.zst"
    path.write_bytes(zstandard.ZstdCompressor(level=3).compress(raw * 3))
    return path


def crawl(folder: Path, name: str, small: bool) -> Path:
    """Pages of the samples' crawl archives as one archive of gzip members."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    from tests.read.fixtures import response

    bodies = []
    for path in sorted((SAMPLES / "pile-cc").glob("*.warc.gz")):
        for record in ArchiveIterator(str(path), record_types=WarcRecordType.response, auto_decode="none"):
            data = record.reader.read()
            if record.http_content_type == "text/html" and b"</" in data and (20 < len(data) < 20_000) == small:
                bodies.append((data, record.http_charset))
    path = folder / f"{name}.warc.gz"
    with path.open("wb") as out:
        for k, (data, charset) in enumerate(bodies):
            head = f"Content-Type: text/html; charset={charset}" if charset else "Content-Type: text/html"
            out.write(gzip.compress(response(k, data, head), 6))
    return path


def repeated(folder: Path, name: str, data: bytes, record: bytes, times: int) -> Path:
    """An XML file with its records (everything from the first to the last end tag of `record`) several times."""
    found = re.search(b"<" + record + rb"[\s>]", data)
    assert found, record
    start = found.start()
    closing = b"/>" if record == b"row" else b"</" + record + b">"
    end = data.rindex(closing) + len(closing)
    path = folder / name
    path.write_bytes(data[:start] + (data[start:end] + b"\n") * times + data[end:])
    return path


INPUTS: dict[str, Callable[[Path], Path]] = {
    "lines": lines,
    "pages": lambda folder: crawl(folder, "pages", small=False),
    "small": lambda folder: crawl(folder, "small", small=True),
    "wiki": lambda folder: repeated(
        folder, "wiki.xml", bz2.decompress(next((SAMPLES / "wikipedia").glob("enwiki*.bz2")).read_bytes()), b"page", 4
    ),
    "posts": lambda folder: repeated(
        folder, "Posts.xml", (SAMPLES / "stackexchange/coffee.stackexchange.com/Posts.xml").read_bytes(), b"row", 1
    ),
    "pubmed": lambda folder: repeated(
        folder, "pubmed.xml", gzip.decompress((SAMPLES / "pubmed-abstracts/pubmed24n_sample.xml.gz").read_bytes()),
        b"PubmedArticle", 12,
    ),
}  # fmt: skip


def unpacked_size(path: Path) -> int:
    """Bytes after the file's own compression."""
    from pilebuilder.read.streams import Limits, StreamError, blocks

    try:
        return sum(map(len, blocks(path, limits=Limits(window_log=31))))
    except StreamError:
        return path.stat().st_size


# Contestants ---------------------------------------------------------------------------------------------------------


def ours(reader: str, paths: list[Path]) -> int:
    from pilebuilder import registry
    from pilebuilder.read.base import Batch, Raw, Record

    part, documents = registry.make("reader", reader), 0
    for path in paths:
        size = path.stat().st_size
        name = str(path.relative_to(SAMPLES)).partition("/")[2] if path.is_relative_to(SAMPLES) else path.name
        for item in part(Raw(path=path, name=name, sha256="0" * 64, bytes=size, component="bench")):
            documents += item.table.num_rows if isinstance(item, Batch) else isinstance(item, Record)
    return documents


def datatrove_jsonl(paths: list[Path]) -> int:
    from datatrove.pipeline.readers import JsonlReader

    return sum(1 for path in paths for _ in JsonlReader(str(path.parent), glob_pattern=path.name)())


def datatrove_warc(paths: list[Path]) -> int:
    from datatrove.pipeline.extractors import Trafilatura
    from datatrove.pipeline.readers import WarcReader

    return sum(1 for path in paths for _ in Trafilatura()(WarcReader(str(path.parent), glob_pattern=path.name)()))


def elementtree_wiki(paths: list[Path]) -> int:
    """The plain version: iterparse, and mwparserfromhell's strip_code."""
    import xml.etree.ElementTree as ElementTree

    import mwparserfromhell

    documents = 0
    for path in paths:
        for _, element in ElementTree.iterparse(path):
            if not element.tag.endswith("}page"):
                continue
            space = element.tag.partition("}")[0] + "}"
            text = element.findtext(f"{space}revision/{space}text") or ""
            if element.findtext(f"{space}ns") == "0" and element.find(f"{space}redirect") is None:
                documents += bool(mwparserfromhell.parse(text).strip_code())
            element.clear()
            if documents >= 106:  # one pass over the sample's articles: this one is slow
                return documents
    return documents


def elementtree_only(paths: list[Path]) -> int:
    import xml.etree.ElementTree as ElementTree

    return sum(_cleared(element) for path in paths for _, element in ElementTree.iterparse(path))


def lxml_only(paths: list[Path]) -> int:
    from lxml import etree

    return sum(_cleared(element) for path in paths for _, element in etree.iterparse(path, huge_tree=True))


def _cleared(element: Any) -> bool:
    name = str(element.tag).rpartition("}")[2]
    if name in ("page", "row", "PubmedArticle"):
        element.clear()
        return True
    return False


def zstd_only(paths: list[Path]) -> int:
    import zstandard

    for path in paths:
        with path.open("rb") as file:
            reader = zstandard.ZstdDecompressor().stream_reader(file)
            while reader.read(1 << 20):
                pass
    return 0


def gzip_only(paths: list[Path]) -> int:
    for path in paths:
        with gzip.open(path) as file:
            while file.read(1 << 20):
                pass
    return 0


RIVALS: dict[str, Callable[[list[Path]], int]] = {
    f.__name__.replace("_", "-"): f
    for f in (datatrove_jsonl, datatrove_warc, elementtree_wiki, elementtree_only, lxml_only, zstd_only, gzip_only)
}


# One contestant in its process ---------------------------------------------------------------------------------------


def children_cpu() -> tuple[float, int]:
    """CPU seconds of all child processes, ended or alive, and the largest peak memory of a live one in MiB."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds, peak = ended.ru_utime + ended.ru_stime, 0
    waiting = [os.getpid()]
    while waiting:
        parent = waiting.pop()
        for task in Path(f"/proc/{parent}/task").iterdir():
            try:
                found = [int(pid) for pid in (task / "children").read_text().split()]
            except OSError:
                continue
            for pid in found:
                try:
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    status = Path(f"/proc/{pid}/status").read_text()
                except OSError:
                    continue
                seconds += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
                peak = max(peak, int(status.split("VmHWM:")[1].split()[0]) // 1024)
                waiting.append(pid)
    return seconds, peak


def one(contestant: str, paths: list[Path], repeat: int) -> dict[str, float]:
    """Warm up, measure."""
    name, _, reader = contestant.partition(":")
    run = (lambda p: ours(reader, p)) if name == "ours" else RIVALS[name]
    if contestant != "elementtree-wiki":
        run(paths)
    children = children_cpu()[0]
    start, wall = time.process_time(), time.perf_counter()
    for _ in range(repeat):
        documents = run(paths)
    seconds = time.process_time() - start
    spent, peak = children_cpu()
    return {
        "documents": documents,
        "cpu_seconds": (seconds + spent - children) / repeat,
        "wall_seconds": (time.perf_counter() - wall) / repeat,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024 + peak,
    }


def measure(contestant: str, paths: list[Path], repeat: int = 1) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.read", "--one", contestant, "--repeat", str(repeat)]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise SystemExit(f"{contestant} failed:\n{done.stderr[-2000:]}")
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


# The whole -----------------------------------------------------------------------------------------------------------


def contest(name: str, folder: Path) -> dict[str, Any]:
    """Ours against each rival, alternating."""
    kind, contestants = CONTESTS[name]
    path = INPUTS[kind](folder)
    size = unpacked_size(path) / 1e6
    found: dict[str, Any] = {}
    mine = [measure(contestants[0], [path], 2)]
    for rival in contestants[1:]:
        other = measure(rival, [path])
        mine.append(measure(contestants[0], [path], 2))
        seconds = (mine[-2]["cpu_seconds"] + mine[-1]["cpu_seconds"]) / 2
        share = min(1.0, other["documents"] / max(mine[0]["documents"], 1)) if rival == "elementtree-wiki" else 1.0
        found[rival] = {
            "mb_per_s": round(size * share / other["cpu_seconds"], 2), "peak_mib": other["peak_mib"],
            "ours_is_faster_by": round(other["cpu_seconds"] / share / seconds, 2),
            "documents": other["documents"],
        }  # fmt: skip
    seconds = sum(m["cpu_seconds"] for m in mine) / len(mine)
    found["ours"] = {
        "mb": round(size, 1), "mb_per_s": round(size / seconds, 1), "peak_mib": max(m["peak_mib"] for m in mine),
        "documents_per_s": round(mine[0]["documents"] / seconds, 1), "documents": mine[0]["documents"],
    }  # fmt: skip
    return found


def show(name: str, figures: dict[str, float], note: str = "") -> None:
    rate = figures.get("documents_per_s", "")
    print(f"{name:<34}{figures['mb_per_s']:>10}{rate:>12}{figures['peak_mib']:>8}  {note}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--one")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options.one, [Path(p) for p in options.names], options.repeat)))
        return
    if not SAMPLES.is_dir():
        sys.exit(f"no samples: {SAMPLES} is missing")
    figures: dict[str, Any] = {"benchmark": "read", "contests": {}, "readers": {}}
    print(f"{'CPU time on one core':<34}{'MB/s':>10}{'docs/s':>12}{'MiB':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for name in CONTESTS:
            if options.names and name.split(",")[0] not in options.names:
                continue
            found = figures["contests"][name] = contest(name, Path(folder))
            show(name, found["ours"])
            for rival, values in found.items():
                if rival != "ours":
                    show("  " + rival, values, f"ours is {values['ours_is_faster_by']}x as fast")
    for reader, globs in SOURCES.items():
        if options.names and reader not in options.names:
            continue
        paths = sorted({p for g in globs for p in SAMPLES.glob(g) if p.is_file()})
        if not paths:
            continue
        size = sum(map(unpacked_size, paths))
        found = measure(f"ours:{reader}", paths, max(1, LEAST // max(size, 1)))
        row = figures["readers"][reader] = {
            "mb_per_s": round(size / 1e6 / max(found["cpu_seconds"], 1e-9), 1),
            "documents_per_s": round(found["documents"] / max(found["cpu_seconds"], 1e-9), 1),
            "peak_mib": found["peak_mib"], "documents": found["documents"],
        }  # fmt: skip
        show(reader, row)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
