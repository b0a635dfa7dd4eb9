"""What the verbs do: call the core, print its answer for a person (or as JSON), return an exit code."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder import executors
from pilebuilder.build import overview
from pilebuilder.build.browse import Wanted, browse
from pilebuilder.build.progress import JsonLines, Sink, make_sink
from pilebuilder.build.publish import LOCK
from pilebuilder.build.run import Build
from pilebuilder.errors import EXIT_DONE, EXIT_FAILED, EXIT_QUARANTINE, RecipeError
from pilebuilder.implied import implied_recipe
from pilebuilder.ledger import Tally
from pilebuilder.recipe import Recipe, find_recipe, load_recipe
from pilebuilder.units import parse_take, show_bytes, show_seconds

if TYPE_CHECKING:
    from pilebuilder.build.estimate import Estimate

DEFAULT_OUT = Path("corpus")
PIPED_WIDTH = 140


def _console() -> Any:
    from rich.console import Console

    unseen = not sys.stdout.isatty() and "COLUMNS" not in os.environ  # in a file no table need be narrow
    return Console(highlight=False, soft_wrap=True, width=PIPED_WIDTH if unseen else None)


def _table(*columns: str, right: int = 1, title: str | None = None) -> Any:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2), header_style="dim", title=title, title_justify="left", title_style="bold")
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index < right else "right")
    return table


def _folder(recipe: Recipe, out: Path | None) -> Path:
    return out or DEFAULT_OUT / recipe.name


def run(
    inputs: list[str],
    out: Path | None,
    target: str,
    *,
    workers: int,
    executor: str | None,
    address: str | None,
    log_json: bool,
    text: str | None = None,
    then: Callable[[Build], int] | None = None,
) -> int:
    """Build a recipe, or one stage on files, up to `target`; returns the exit code."""
    if executor not in (None, "local", "ray"):
        raise RecipeError(f"--executor {executor!r}: give local or ray")
    is_recipe = len(inputs) == 1 and (inputs[0].endswith((".yaml", ".yml")) or not Path(inputs[0]).exists())
    path = find_recipe(inputs[0]) if is_recipe else None
    if out is not None:
        _get_ready(executor, out)
    if path is not None:
        if text is not None:
            raise RecipeError("--text goes with data files; in a recipe say, e.g., `read: {jsonl: {text: NAME}}`")
        recipe = load_recipe(path)
    else:
        recipe, target = implied_recipe(inputs, out, target, text)
    folder = _folder(recipe, out)
    _get_ready(executor, folder)
    sink = make_sink(log_json)
    started = time.monotonic()
    build = Build(
        recipe,
        folder,
        target=target,
        workers=workers or executors.cores(),
        executor=executor,
        address=address,
        sink=sink,
    )
    try:
        tallies = build.run()
    finally:
        sink.close()
    if then is not None:
        return then(build)
    excess = build.quarantine_excess()
    _report_run(build, sink, tallies, excess, folder, time.monotonic() - started)
    return EXIT_QUARANTINE if excess else EXIT_DONE


def _get_ready(executor: str | None, folder: Path) -> None:
    """Say as soon as it is known that workers will be needed; a finished build may need none."""
    if not (folder / LOCK).exists():
        executors.get_ready(executor)


def _report_run(
    build: Build, sink: Sink, tallies: dict[str, Tally], excess: list[str], folder: Path, seconds: float
) -> None:
    """The summary that a person wants to read at the end; as an event when events are wanted."""
    totals = overview.totals(tallies)
    report = folder / "reports" / "index.html"
    done = {"folder": str(folder), "seconds": round(seconds, 1), **totals, "quarantine_above_limit": excess}
    if isinstance(sink, JsonLines):
        sink.event("done", **done, report=str(report) if report.exists() and build.target == "report" else None)
        return
    console = _console()
    console.print()
    console.print(_component_table(tallies, build))
    console.print()
    reasons = _reason_table(tallies)
    if reasons.row_count:
        console.print(reasons)
        console.print()
    for message in excess:
        console.print(f"[yellow]quarantine above the limit[/]: {message}")
    if excess:
        console.print(f"  look at it: pilebuilder browse {folder} --action quarantined", highlight=False)
    console.print(f"[bold]{build.recipe.name}[/] up to {build.target} in {seconds:.1f} s: {folder}")
    if build.target == "report":
        if report.exists():
            console.print(f"  report   {report}")
        console.print(f"  verify   pilebuilder verify {folder}")
        console.print(f"  history  pilebuilder why DOCUMENT-ID {folder}")


def _component_table(tallies: dict[str, Tally], build: Build) -> Any:
    """Per component: what was read, what left at which stage, what is in the shards."""
    table = _table("component", "read", "text", "filtered out", "duplicates", "quarantined", "kept", "kept text")
    last = [s for s in ("clean", "filter", "dedup", "mix") if s in tallies]
    for component in build.components:
        name = component.name
        read = tallies.get("read", Tally()).of(name)
        every = [
            t[name] for s, t in tallies.items() if name in t and s in ("fetch", "read", "clean", "filter", "dedup")
        ]
        final = next((tallies[s][name] for s in reversed(last) if name in tallies[s]), read)
        table.add_row(
            name,
            f"{read.seen:,}",
            show_bytes(read.bytes_out),
            f"{sum(c.dropped.total() for c in every):,}",
            f"{sum(c.merged for c in every):,}",
            f"{sum(c.quarantined.total() for c in every):,}",
            f"{final.kept:,}",
            show_bytes(final.bytes_out) if final.bytes_out else "",
        )
    return table


def _reason_table(tallies: dict[str, Tally], most: int = 12) -> Any:
    """The commonest reasons for which documents left."""
    rows = [
        (stage, reason, component, n)
        for stage, tally in tallies.items()
        for component, count in tally.items()
        for reason, n in [*count.dropped.items(), *((f"quarantine: {r}", n) for r, n in count.quarantined.items())]
    ]
    table = _table("stage", "why documents left", "component", "documents", right=3)
    for stage, reason, component, n in sorted(rows, key=lambda r: (-r[3], r))[:most]:
        table.add_row(stage, reason, component, f"{n:,}")
    return table


def show_plan(name: str, out: Path | None, ask: bool) -> None:
    """What would be fetched and what it needs, then tasks to run and to reuse; nothing moves."""
    from pilebuilder.fetch import catalog

    path = find_recipe(name)
    console = _console()
    lines = [finding.line() for finding in catalog.preview(path, ask=ask)]
    console.print(f"[bold]{path}[/]")
    for line in lines:
        console.print(f"  {line}", markup=False)
    recipe = load_recipe(path)
    folder = _folder(recipe, out)
    table = _table("stage", "to run", "to reuse", "input to read")
    for stage in overview.plan(Build(recipe, folder)):
        if stage.tasks is None:
            table.add_row(stage.stage, "depends on the stage before", "", "")
        elif stage.tasks + stage.reuse == 0:
            table.add_row(stage.stage, "in one pass with the next stage", "", "")
        else:
            table.add_row(
                stage.stage, f"{stage.tasks:,}", f"{stage.reuse:,}", show_bytes(stage.bytes) if stage.bytes else ""
            )
    console.print(f"[bold]{recipe.name}[/] into {folder}")
    console.print(table)


def show_estimate(name: str, out: Path | None, sample: str, workers: int) -> None:
    """What the whole build would give, take and cost, from a sample of every component that is really built."""
    from pilebuilder.build.estimate import estimate
    from pilebuilder.fetch import catalog

    try:
        amount = parse_take(sample)
    except ValueError as error:
        raise RecipeError(f"--sample {sample}: {error}") from None
    path = find_recipe(name)
    recipe = load_recipe(path)
    findings = list(catalog.preview(path, seed=recipe.seed))
    if refused := [f.line() for f in findings if not f.ready]:
        raise RecipeError("\n  ".join(["no estimate before these are mended", *refused]))
    folder, workers = _folder(recipe, out), workers or executors.cores()
    sink = make_sink(False) if sys.stderr.isatty() else None
    try:
        found = estimate(recipe, {f.name: f.bytes for f in findings}, amount, folder, workers=workers, sink=sink)
    finally:
        if sink is not None:
            sink.close()
    _print_estimate(found, recipe, folder, workers)


def _print_estimate(found: Estimate, recipe: Recipe, folder: Path, workers: int) -> None:
    console = _console()
    table = _table("component", "to fetch", "sampled", "documents", "in shards", "text", "tokens")
    for row in found.components:
        table.add_row(
            row.component, show_bytes(row.fetched), f"{row.sampled / row.fetched:.1%}", f"{row.documents:,}",
            f"{row.placed:,}", show_bytes(row.text_bytes), f"{row.tokens:,}",
        )  # fmt: skip
    costs = _table("stage", f"time, {workers} workers" if workers > 1 else "time, 1 worker", "on disk")
    for cost in (c for c in found.stages if c.disk_bytes):
        costs.add_row(cost.stage, show_seconds(cost.seconds), show_bytes(cost.disk_bytes))
    seconds, disk = sum(c.seconds for c in found.stages), sum(c.disk_bytes for c in found.stages)
    costs.add_row("all", show_seconds(seconds), show_bytes(disk))
    place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
    free = shutil.disk_usage(place).free
    console.print(f"[bold]{recipe.name}[/] into {folder}, from a sample of it")
    console.print(table)
    console.print()
    console.print(costs)
    console.print(f"  memory: {show_bytes(recipe.memory)} for each worker; free on this disk: {show_bytes(free)}")
    if free < disk:
        console.print(f"[yellow]{show_bytes(disk - free)} too little disk[/]")
    console.print(
        "  The report comes on top. Start-up is counted as if it grew, duplicates outside the sample not at all."
    )


def show_status(folder: Path) -> None:
    state = overview.status(folder)
    console = _console()
    if not state["stages"]:
        console.print(f"{folder}: no build here" + (f"; a run is live: {state['live']}" if state["live"] else ""))
        return
    console.print(f"[bold]{folder}[/]  recipe {state['recipe']}")
    console.print(f"  {'a run is live: ' + state['live'] if state['live'] else 'no run is live'};", end=" ")
    console.print("finished" if state["finished"] else f"not finished: run `pilebuilder build {state['recipe']}`")
    table = _table("stage", "tasks", "documents in", "kept", "lost", "on disk")
    for line in state["stages"]:
        if not line.tasks:
            continue  # fused with the stage after it
        seen, kept = (sum(getattr(c, a) for c in line.tally.values()) for a in ("seen", "kept"))
        table.add_row(
            line.stage, f"{line.tasks:,}", f"{seen:,}", f"{kept:,}", f"{seen - kept:,}", show_bytes(line.bytes)
        )
    console.print(table)


def show_why(folder: Path, document: str) -> int:
    from pilebuilder.build.why import history, tell

    rows = history(folder, document)
    for line in tell(rows, document):
        print(line)
    return EXIT_DONE if rows else EXIT_FAILED


def show_documents(folder: Path, wanted: Wanted, chars: int, as_json: bool) -> int:
    """Print documents with their history; failure when none fits."""
    found = 0
    for found, row in enumerate(browse(folder, wanted), start=1):  # noqa: B007
        if as_json:
            print(json.dumps(row, ensure_ascii=False))
            continue
        text = row["text"][:chars] if chars else row["text"]
        shown = "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
        print("  ".join(part for part in (row["id"], row["component"], row["url"]) if part))
        print(*(f"  {line}" for line in row["history"]), sep="\n")
        print(*(f"    {line}" for line in shown.splitlines()), "", sep="\n")
    if not found:
        print(f"no document of {folder} fits", file=sys.stderr)
    return EXIT_DONE if found else EXIT_FAILED


def show_verify(folder: Path, as_json: bool) -> int:
    from pilebuilder.build.verify import verify

    checked: list[str] = []
    findings = verify(folder, checked.append)
    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps({"checked": len(checked), "findings": [asdict(f) for f in findings]}, indent=1))
    else:
        for finding in findings:
            print(finding)
        verdict = f"{len(findings)} findings" if findings else "all as the lock says"
        print(f"{folder}: {len(checked):,} files checked, {verdict}")
    return EXIT_FAILED if findings else EXIT_DONE


def show_recipe(name: str) -> None:
    import yaml

    recipe = load_recipe(find_recipe(name))
    components = [
        {"name": c.name, "fetch": {c.fetch[0]: c.fetch[1]}, "read": {c.read[0]: c.read[1]}, "epochs": c.epochs}
        for c in recipe.components
    ]
    stages = {s: v.model_dump(mode="json") if v is not None else None for s, v in recipe.stages.items()}
    head = recipe.head.model_dump(mode="json", exclude={"components"})
    print(yaml.safe_dump({**head, "components": components, **stages}, sort_keys=False, allow_unicode=True), end="")


def show_sources() -> None:
    from pilebuilder.fetch import catalog

    print(catalog.table(catalog.rows()))


def show_source(name: str) -> None:
    from pilebuilder.fetch import catalog

    print(catalog.show(name))


def check_sources(names: list[str], take: str, accept: bool) -> int:
    """Ask upstreams what they offer; 1 when one of them does not answer."""
    from pilebuilder.fetch import catalog

    failed = False
    for finding in catalog.check(names, take=take, accept=accept):
        print(finding.line(), flush=True)
        failed |= bool(finding.problem)
    return EXIT_FAILED if failed else EXIT_DONE


def show_models() -> None:
    from pilebuilder import models

    table = _table("model", "task", "size", "licence", right=2)
    for entry in models.CATALOGUE.values():
        table.add_row(entry.name, entry.task, show_bytes(entry.size), entry.licence)
    _console().print(table)


def show_model_card(name: str) -> None:
    from pilebuilder import models

    entry = models.model(name)
    print((entry.path.parent / entry.card).read_text(encoding="utf-8"), end="")


def check_models() -> int:
    """Recompute the digest of every shipped model."""
    from pilebuilder import models

    for entry in models.CATALOGUE.values():
        models.check(entry)
        print(f"{entry.name}: sha256 {entry.sha256}, as recorded")
    return EXIT_DONE


def show_doctor() -> int:
    """Versions, models with verified digests, and the room this machine has."""
    from pilebuilder import doctor

    table = _table("check", "result", right=2)
    healthy = True
    for check in doctor.checks():
        healthy &= check.ok
        table.add_row(check.name, check.detail if check.ok else f"[red]{check.detail}[/]")
    _console().print(table)
    return EXIT_DONE if healthy else EXIT_FAILED
