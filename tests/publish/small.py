"""A finished build of a few kilobytes, made by hand: what publishing reads, without the minute that a build takes."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from pilebuilder.build.publish import LOCK, lock_digest
from pilebuilder.digest import digest_file
from pilebuilder.frames import FrameWriter
from pilebuilder.ledger import Journal, Tally

COMPONENTS = ("Letters", "Books (old)", "Pages")
SHARDS = ("train/00", "train/01", "train/02", "val", "test")
CARD = """\
---
pretty_name: Small
language: [en]
license: other
license_name: by-component
license_link: NOTICE
task_categories: [text-generation]
size_categories: ['n<1K']
tags: [text]
configs:
- config_name: default
  data_files: [{split: train, path: train/*.jsonl.zst}]
  default: true
dataset_info: {config_name: default, splits: []}
---

# Small

Load it with `load_dataset("PATH_OF_THIS_FOLDER")`.

## Further papers

None.
"""


def make(
    folder: Path,
    *,
    version: str = "1.0",
    without: Collection[str] = (),
    terms: dict[str, dict[str, str]] | None = None,
    secrets: int = 0,
    emails: int = 0,
    quarantined: int = 0,
    meta: tuple[str, ...] = ("url", "date", "licence"),
    documents: int = 8,
) -> Path:
    """Write the folder; `without` names documents that are left out, as after a takedown."""
    tally = Tally()
    for shard in SHARDS:
        _shard(folder / f"{shard}.jsonl.zst", shard, tally, without, meta, documents)
    _report(folder / "reports", terms or {}, secrets, emails)
    (folder / "tokens").mkdir(exist_ok=True)
    (folder / "tokens" / "train_00.bin").write_bytes(bytes(range(256)) * 4)
    _ledger(folder / "ledger", quarantined)
    read = Tally()
    for name, count in tally.items():
        read.of(name).seen = count.seen + (quarantined if name == "Pages" else 0)
        read.of(name).kept = count.seen
    if quarantined:
        read.of("Pages").quarantined["bad_json"] = quarantined
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != LOCK and ".pilebuilder" not in p.parts)
    lock: dict[str, Any] = {
        "format": 1,
        "corpus": {"name": "small", "title": "Small corpus", "version": version},
        "recipe": {
            "digest": hashlib.sha256(version.encode()).hexdigest(),
            "seed": 1,
            "components": {},
            "stages": {"shard": {"meta": list(meta)}, "report": {"repository": None}, "clean": [], "filter": []},
        },
        "versions": {},
        "stages": {
            "read": {"tasks": [], "tally": read.to_json()},
            "shard": {"tasks": [], "tally": tally.to_json()},
        },
        "outputs": [
            {"path": p.relative_to(folder).as_posix(), "sha256": digest_file(p)[0], "bytes": p.stat().st_size}
            for p in paths
        ],
    }
    lock["digest"] = lock_digest(lock)
    (folder / LOCK).write_text(json.dumps(lock, indent=1, sort_keys=True))
    return folder


def lines(shard: str, without: Collection[str] = (), meta: tuple[str, ...] = (), documents: int = 8) -> list[str]:
    """The JSON lines of a shard: three components in turn, text with everything that can mislead a search."""
    rng, found = random.Random(shard), []
    for n in range(documents):
        name = COMPONENTS[n % 3]
        ident = f"{shard}-{n}"
        text = f'{ident} "quoted","meta":{{"pile_set_name":"Pages"}} caf\u00e9 \u4e2d\n' + "ab " * rng.randint(1, 400)
        values: dict[str, Any] = {"pile_set_name": name, "id": ident}
        values |= {m.removeprefix("signal."): n / 4 if m.startswith("signal.") else "" for m in meta}
        line = json.dumps({"text": text, "meta": values}, ensure_ascii=False, separators=(",", ":"))
        if ident not in without:
            found.append(line)
    return found


def _shard(
    path: Path, shard: str, tally: Tally, without: Collection[str], meta: tuple[str, ...], documents: int
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = lines(shard, without, meta, documents)
    with FrameWriter(path, 1024, 3) as out:
        for row in rows:
            data = np.frombuffer(row.encode() + b"\n", np.uint8)
            out.write(data, np.array([0, len(data)]))
            count = tally.of(json.loads(row)["meta"]["pile_set_name"])
            count.seen, count.kept, count.bytes_out = count.seen + 1, count.kept + 1, count.bytes_out + len(data)


def _report(folder: Path, terms: dict[str, dict[str, str]], secrets: int, emails: int) -> None:
    papers, tables = folder / "papers", folder / "tables"
    papers.mkdir(parents=True, exist_ok=True)
    tables.mkdir(exist_ok=True)
    (folder / "index.html").write_text("<!doctype html><title>Report</title>")
    (papers / "README.md").write_text(CARD)
    (papers / "NOTICE").write_text("Notice.\n")
    (papers / "datasheet.md").write_text("# Datasheet\n")
    distribution = [{"@id": f"{s}.jsonl.zst", "contentUrl": f"{s}.jsonl.zst", "sha256": "x"} for s in SHARDS]
    croissant = {"name": "small", "url": "https://example.org/not-published", "distribution": distribution}
    (papers / "croissant.json").write_text(json.dumps(croissant))
    plain = {"access": "open", "terms": "yes", "licence": "CC0-1.0", "class": "public domain"}
    rows = [{"component": name, **plain, **terms.get(name, {})} for name in COMPONENTS]
    kinds = [{"type": "key or token", "matches": secrets}, {"type": "e-mail address", "matches": emails}]
    for name, content in (("consent", rows), ("licences", rows), ("personal-data", kinds)):
        (tables / f"{name}.json").write_text(json.dumps({"name": name, "rows": content}))


def _ledger(folder: Path, quarantined: int) -> None:
    folder.mkdir(exist_ok=True)
    journal = Journal("read")
    for n in range(max(1, quarantined)):
        action = "quarantined" if quarantined else "kept"
        journal.add(id=str(n), component="Pages", action=action, reason="bad_json", file=f"raw-{n}")
    pq.write_table(journal.table(), folder / "read-00000.parquet")
