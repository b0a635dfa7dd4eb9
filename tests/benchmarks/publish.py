"""Files per component out of mixed shards: ``python -m tests.benchmarks.publish [MB]`` (100 by default), on one core.

Real text of several kinds is written as four mixed shards first (not timed). Then the pieces are made by
`pilebuilder.publish.pieces`, and by the plain loop that everybody writes: a line at a time, parsed with orjson, into one
zstd stream per component at the same level. CPU seconds, largest resident set of a fresh process; both must find the
same number of lines. The last line is one JSON object.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SHARDS = 4


def write(folder: Path, limit: int) -> dict[str, int]:
    """Mixed shards and a lock of them; documents by component."""
    import zstandard

    from pilebuilder.build.publish import lock_digest
    from pilebuilder.digest import digest_file
    from pilebuilder.ledger import Tally
    from tests.benchmarks.texts import documents

    tally = Tally()
    (folder / "train").mkdir(parents=True)
    held: list[list[bytes]] = [[] for _ in range(SHARDS)]
    for n, (source, text) in enumerate(documents(limit)):
        kind = source.partition("-")[0]  # message catalogues of all languages are one component
        meta = {"pile_set_name": kind, "id": hashlib.blake2b(str(n).encode(), digest_size=16).hexdigest(), "url": ""}
        line = json.dumps({"text": text, "meta": meta}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
        held[n % SHARDS].append(line)
        count = tally.of(kind)
        count.seen, count.kept, count.bytes_out = count.seen + 1, count.kept + 1, count.bytes_out + len(line)
    outputs = []
    for number, lines in enumerate(held):
        path = folder / f"train/{number:02}.jsonl.zst"
        path.write_bytes(zstandard.compress(b"".join(lines), 3))
        digest, size = digest_file(path)
        outputs.append({"path": f"train/{number:02}.jsonl.zst", "sha256": digest, "bytes": size})
    lock: dict[str, Any] = {
        "format": 1,
        "corpus": {"name": "bench", "title": "", "version": "1"},
        "recipe": {"digest": "", "stages": {"shard": {"meta": ["url"]}}},
        "stages": {"shard": {"tasks": [], "tally": tally.to_json()}},
        "outputs": outputs,
    }
    lock["digest"] = lock_digest(lock)
    (folder / "corpus.lock").write_text(json.dumps(lock))
    return {name: count.kept for name, count in tally.items()}


def ours(folder: Path, parquet: bool) -> int:
    from pilebuilder.publish import pieces
    from pilebuilder.publish.corpus import open_corpus

    corpus = open_corpus(str(folder))
    made = pieces.make(corpus, pieces.plan(corpus, folder / f"ours-{parquet}", parquet=parquet))
    return sum(m.documents for m in made if m.piece.component != pieces.ALL)


def plain(folder: Path) -> int:
    import orjson
    import zstandard

    (folder / "plain").mkdir(exist_ok=True)
    writers: dict[str, Any] = {}
    count = 0
    for path in sorted((folder / "train").iterdir()):
        with path.open("rb") as raw:
            for line in io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)):
                name = orjson.loads(line)["meta"]["pile_set_name"]
                if name not in writers:
                    out = (folder / "plain" / f"{len(writers)}.jsonl.zst").open("wb")
                    writers[name] = zstandard.ZstdCompressor(level=3).stream_writer(out)
                writers[name].write(line)
                count += 1
    for writer in writers.values():
        writer.close()
    return count


WAYS = {"ours": lambda f: ours(f, False), "ours, Parquet": lambda f: ours(f, True), "plain loop": plain}


def measure(way: str, folder: Path) -> dict[str, float]:
    """One way in a fresh process."""
    command = [sys.executable, "-m", "tests.benchmarks.publish", "--child", way, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def child(way: str, folder: Path) -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    start = time.process_time()
    found = WAYS[way](folder)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"cpu_s": time.process_time() - start, "lines": found, "peak_bytes": peak}))


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], Path(sys.argv[3]))
        return
    limit = int(sys.argv[1] if len(sys.argv) > 1 else 100) * 10**6
    with tempfile.TemporaryDirectory() as name:
        held = write(Path(name), limit)
        result: dict[str, Any] = {"text_bytes": limit, "components": len(held), "documents": sum(held.values())}
        for way in WAYS:
            found = measure(way, Path(name))
            assert found["lines"] == sum(held.values()), "lines were lost"
            result[way] = found
            speed = limit / found["cpu_s"] / 1e6
            print(f"{way:<14} {found['cpu_s']:6.2f} s CPU  {speed:6.0f} MB/s  {found['peak_bytes'] / 1e6:5.0f} MB")
        print(json.dumps(result))


if __name__ == "__main__":
    main()
