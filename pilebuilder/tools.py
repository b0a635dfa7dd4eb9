"""What the tool verbs do beside the stages: audit, rules, trace, train-tokenizer, train-classifier, report diff."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Examples:
    """Where a classifier's examples lie: two sets of files, or one whose records name their label."""

    positive: list[str]
    negative: list[str]
    labelled: list[str]
    label_field: str
    text_fields: tuple[str, ...]


def train_classifier(
    name: str, examples: Examples, out: Path, options: Mapping[str, Any], max_size: int, note: str
) -> int:
    """Train a fastText classifier from labelled files; its card and metrics lie beside it."""
    from pilebuilder.models import classifier, training

    if examples.labelled and examples.label_field and not (examples.positive or examples.negative):
        given = classifier.read_column(examples.labelled, examples.label_field, examples.text_fields)
    elif examples.positive and examples.negative and not (examples.labelled or examples.label_field):
        given = classifier.read_two(examples.positive, examples.negative, examples.text_fields)
    else:
        raise RecipeError("give --positive and --negative, or --labelled with --label-field")
    metrics = classifier.train(name, given, out, training.options(options), max_bytes=max_size, note=note)
    for key, value in metrics.items():
        if isinstance(value, int | float | str) and value != "":
            print(f"{key:<20} {value}")
    print(f"{'calibration error':<20} {metrics['calibration']['expected_calibration_error']}")
    for row in metrics["by_length"]:
        if row["n"]:
            print(f"AUC, {row['from']} to {row['to'] or 'any'} bytes: {row['auc']} ({row['n']} texts)")
    print(f"{out / name}: model.bin, card.md, metrics.json")
    return EXIT_DONE


def retrain_shipped(name: str, labelled: Path, out: Path) -> int:
    """Make a shipped model again; failure when its bytes are not the shipped ones."""
    from pilebuilder import models
    from pilebuilder.models.toxicity import build

    if name != "toxicity":
        raise RecipeError(f"{name!r} is not made by this command; pilebuilder trains the shipped model toxicity")
    found = build.retrain(labelled, out / name)
    same = found["sha256"] == models.model(name).sha256
    print(f"{out / name}/toxicity.bin: {found['bytes']:,} bytes, SHA-256 {found['sha256']}")
    print("the shipped model" if same else f"NOT the shipped model {models.model(name).sha256}")
    return EXIT_DONE if same else EXIT_FAILED


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


def report_corpus(
    folder: Path,
    out: Path | None,
    component: str | None,
    workers: int,
    log_json: bool,
    lexicon: Path | None = None,
    text: str | None = None,
) -> int:
    """Describe a corpus that is already there; prints where the report is."""
    from pilebuilder import executors
    from pilebuilder.build.progress import make_sink
    from pilebuilder.describe import describe

    sink = make_sink(log_json)
    try:
        page = describe(folder, out, component, workers or executors.cores(), sink, lexicon, text)
    finally:
        sink.close()
    print(f"report: {page}")
    return EXIT_DONE


def datasheet(source: str, write: Path | None, every: bool) -> int:
    """List what the datasheet still wants from a person; with `write`, begin the answers file."""
    from pilebuilder.recipe import find_recipe, load_recipe
    from pilebuilder.report.papers import fillin

    folder: Path | None = Path(source)
    answers = None
    if not Path(source).is_dir():
        recipe = load_recipe(find_recipe(source))
        named = recipe.stages["report"].answers if recipe.stages["report"] is not None else None
        answers = recipe.path.parent / named if named else None
        folder = Path("corpus") / recipe.name
        if not (folder / fillin.DATASHEET).exists():
            folder = None
    held = fillin.lines(folder, answers)
    print(fillin.tell(held, answers or write, every=every), end="")
    if write is not None:
        fillin.write(held, write)
        print(f"{write}: written; fill in the texts and name it in the recipe: report: {{answers: {write}}}")
    return EXIT_DONE


def precision_sheet(folder: Path, out: Path | None, seed: int) -> int:
    """Write random matches of personal data with what stands around them, for a person to judge."""
    from pilebuilder.report import corpus
    from pilebuilder.report.papers import precision

    if out is None:
        raise RecipeError("say where the sheet goes: --write sheet.csv")
    if out.exists():
        raise RecipeError(f"{out} exists; give another --write")
    files = corpus.find_files(folder, out.absolute())
    content = precision.sheet((text for file in files for text in corpus.texts_of(file.path)), seed)
    out.write_text(content, encoding="utf-8")
    print(f"{out}: {content.count(chr(10)) - 1} matches; it holds personal data, keep it to yourself")
    return EXIT_DONE


def precision_read(path: Path) -> int:
    """Say what a judged sheet means for the recipe."""
    from pilebuilder.report.papers import precision
    from pilebuilder.report.stats import wilson

    found = precision.judged(path)
    for name, (true, n) in found.items():
        low, high = wilson(true, n)
        print(f"# {name}: {true} of {n} are what they look like; 95 % interval {low:.2f} to {high:.2f}")
    print("report:\n  precision: {" + ", ".join(f"{k}: {t / n:.3g}" for k, (t, n) in found.items()) + "}")
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
