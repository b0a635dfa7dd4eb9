"""What the tool verbs do beside the stages: audit, rules, trace, train-tokenizer, train-classifier, report diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.errors import EXIT_DONE, EXIT_FAILED, RecipeError

if TYPE_CHECKING:
    from pilebuilder.build.run import Build


def trace(path: Path, offset: int | None, document: str | None) -> int:
    """From a token to its document, or from a document to its tokens."""
    from pilebuilder.tokenize.trace import trace_id, trace_offset

    if (offset is None) == (document is None):
        raise RecipeError("give --offset N with a token file, or --id ID with the folder of a build")
    if offset is not None:
        found = [trace_offset(path, offset)]
    else:
        found = trace_id(path.parent.parent if path.parent.name == "tokens" else path, str(document))
    for place, line in found:
        _show_place(place.as_json(), line)
    return EXIT_DONE


def _show_place(place: dict[str, Any], line: dict[str, Any]) -> None:
    meta = line.get("meta", {})
    print(f"document   {place['id']}")
    print(f"component  {place['component']}")
    print(f"tokens     {place['tokens']}, {place['start']:,} to {place['stop']:,}", end="")
    print("" if place["offset"] is None else f"; the one asked for is its token {place['offset']:,}")
    print(f"shard      {place['shard']}, line {place['document'] + 1:,}")
    for name, value in meta.items():
        if value not in ("", None) and name not in ("id", "pile_set_name"):
            print(f"{name:<10} {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    text = "".join(c if c.isprintable() else " " for c in str(line.get("text", ""))[:300])
    print(f"text       {' '.join(text.split())}")


def train_tokenizer(folder: Path, out: Path, vocab_size: int, sample: int, seed: int) -> int:
    """Train a BPE on a corpus and say how well it does."""
    from pilebuilder.tokenize.learn import train_tokenizer as learn

    report = learn(folder, out, vocab_size=vocab_size, sample=sample, seed=seed)
    print(json.dumps(report, indent=1, ensure_ascii=False))
    print(f"{out}: use it with `tokenize: {{tokenizer: {out}}}`")
    return EXIT_DONE


def train_classifier(name: str, positive: list[str], negative: list[str], out: Path, max_size: int) -> int:
    """Train a fastText classifier from two sets of files; its card and metrics lie beside it."""
    from pilebuilder.models import classifier

    given = classifier.read_two(positive, negative)
    metrics = classifier.train(name, given, out, max_bytes=max_size)
    for key, value in metrics.items():
        if isinstance(value, int | float | str) and value != "":
            print(f"{key:<12} {value}")
    print(f"{out / name}: model.bin, card.md, metrics.json")
    return EXIT_DONE


def report_diff(before: Path, after: Path, out: Path | None) -> int:
    """Compare two corpora; the comparison as a page, Markdown, CSV and JSON."""
    from pilebuilder.report import diff

    for folder in (before, after):
        if not folder.is_dir():
            print(f"{folder}: no such folder")
            return EXIT_FAILED
    section = diff.compare(before, after)
    page = diff.write(section, out or after / "diff")
    for table in section.tables():
        print(table.to_markdown())
    print(f"page: {page}")
    return EXIT_DONE


def audit(build: Build) -> int:
    """Every rule of the recipe on every document that was read: a table, a page, nothing dropped."""
    from pilebuilder import registry
    from pilebuilder.filter import audit as audits
    from pilebuilder.filter import auditpage

    def steps(component: str) -> list[tuple[str, str, Any]]:
        return [
            (stage, step["name"], registry.make("step", step["name"], step["params"]))
            for stage in ("clean", "filter")
            for step in build.config(stage).for_component(component)
        ]

    files = [(a.facts["component"], build.root / a.path) for a in build.artifacts("read", "partition")]
    found = audits.audit(audits.partitions_of(files), steps)
    written = auditpage.write(found, build.root / "audit", f"Filter audit of {build.recipe.name}")
    print(auditpage.markdown(found))
    for path in written:
        print(path)
    return EXIT_DONE


def show_rules(parameters: bool) -> None:
    """The table of filter rules, generated from the code."""
    from pilebuilder.filter import ruletable

    print(ruletable.document(parameters), end="")


def raw_store(folder: Path | None, collect: bool, unused_days: float) -> int:
    """Size of the shared store of raw files; with `collect`, remove what no corpus links to."""
    import time

    from pilebuilder.fetch.rawstore import RawStore
    from pilebuilder.units import show_bytes

    store = RawStore(folder)
    if collect:
        freed = store.collect(time.time(), unused_days)
        print(
            f"removed {freed['objects']:,} raw files and {freed['parts']:,} unfinished: {show_bytes(freed['bytes'])}"
        )
    files, size = store.size()
    print(f"{store.root}: {files:,} raw files, {show_bytes(size)}")
    return EXIT_DONE
