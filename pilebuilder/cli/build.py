"""Verbs of a build: the stages, and what a build folder can tell."""

from __future__ import annotations

from typing import Annotated

import typer

from pilebuilder.cli.options import Folder, Inputs, Out, RecipeName, Run, Store, Workers, runs

app = typer.Typer()


@app.command()
@runs
def build(recipe: Inputs, run: Run) -> None:
    """Build a corpus: every stage from fetch to report.

    Running the same command again does only what is missing; after a kill it goes on where it stopped.

    Examples:

      pilebuilder build quickstart

      pilebuilder build my-recipe.yaml --out /data/my-corpus --workers 8
    """
    run.build(recipe, "report")


def _stage_command(name: str, does: str, example: str) -> None:
    def stage(inputs: Inputs, run: Run) -> None:
        run.build(inputs, name)

    stage.__doc__ = f"{does}\n\nExamples:\n\n  pilebuilder {name} my-recipe.yaml\n\n{example}"
    app.command(name)(runs(stage))


_ALONE = "  pilebuilder {0} data/*.jsonl.zst -o out/      (on files, with this stage's defaults)"
for _name, _does in (
    ("fetch", "Fetch raw files: address -> file with digest, terms and time."),
    ("read", "Read raw files into documents (runs the stages before it first)."),
    ("clean", "Edit text: mojibake, whitespace, control characters."),
    ("dedup", "Find duplicates, verify them, keep one of each."),
    ("mix", "Weigh components, hold out val and test, fix the global order."),
    ("shard", "Write train/NN.jsonl.zst, val.jsonl.zst, test.jsonl.zst."),
    ("tokenize", "Write token shards (.bin and .idx) of the output shards."),
):
    _more = "" if _name in ("fetch", "mix") else _ALONE.format(_name)
    _stage_command(_name, _does, _more)


@app.command("filter")
@runs
def filter_(
    inputs: Inputs,
    run: Run,
    audit: Annotated[
        bool, typer.Option("--audit", help="try every rule on every document; write a table and a page, drop nothing")
    ] = False,
) -> None:
    """Drop documents, each with a reason: language, length, quality.

    Examples:

      pilebuilder filter my-recipe.yaml

      pilebuilder filter my-recipe.yaml --audit      (what each rule removes, alone and last of all)

      pilebuilder filter data/*.jsonl.zst -o out/      (on files, with this stage's defaults)
    """
    if audit:
        from pilebuilder import tools

        run.build(inputs, "read", then=tools.audit)
    run.build(inputs, "filter")


@app.command()
def plan(
    recipe: RecipeName,
    out: Out = None,
    offline: Annotated[bool, typer.Option("--offline", help="do not ask upstreams what they offer")] = False,
    sample: Annotated[
        str | None,
        typer.Option("--sample", help="build so much of each component, and scale documents, tokens, time and disk"),
    ] = None,
    workers: Workers = 0,
) -> None:
    """Show what a build would fetch and need, run and reuse, without running it.

    Terms to accept, keys to set and folders to give are listed for every component. With --sample a little of each is
    fetched, built beside the output folder and removed again: what the whole would give, take and cost.

    Examples:

      pilebuilder plan quickstart

      pilebuilder plan pile --offline

      pilebuilder plan my-recipe.yaml --sample "20 MB"
    """
    from pilebuilder import command

    if sample is not None and offline:
        raise typer.BadParameter("a sample is fetched; give --sample or --offline")
    if sample is None:
        command.show_plan(recipe, out, ask=not offline)
    else:
        command.show_estimate(recipe, out, sample, workers)


@app.command()
def status(folder: Folder) -> None:
    """Show what an output folder holds: stages, documents kept and lost, whether a run is live.

    Example:

      pilebuilder status corpus/quickstart
    """
    from pilebuilder import command

    command.show_status(folder)


@app.command()
def why(
    document: Annotated[str, typer.Argument(help="a document id, or its first 8 or more digits")], folder: Folder
) -> None:
    """Tell a document's whole history: where it came from, every edit, why it left or where it is.

    Example:

      pilebuilder why 3f9a01c2 corpus/quickstart
    """
    from pilebuilder import command

    raise typer.Exit(command.show_why(folder, document))


@app.command()
def browse(
    folder: Folder,
    component: Annotated[str, typer.Option("--component", "-c", help="only of this component")] = "",
    action: Annotated[str, typer.Option("--action", help="dropped, quarantined, duplicate, edited, kept ...")] = "",
    reason: Annotated[str, typer.Option("--reason", help="beginning of a reason: gopher-quality, lang ...")] = "",
    words: Annotated[str, typer.Option("--words", help="regular expression that the text must hold")] = "",
    number: Annotated[int, typer.Option("--number", "-n", min=1, help="how many")] = 5,
    seed: Annotated[int, typer.Option("--seed", min=0, help="another number, other documents")] = 0,
    chars: Annotated[int, typer.Option("--chars", min=0, help="characters of each text, 0 for all")] = 600,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line per document, whole text")] = False,
) -> None:
    """Show documents with what happened to them: what a rule drops, what a component is like.

    Examples:

      pilebuilder browse corpus/quickstart --action dropped --reason gopher-quality

      pilebuilder browse corpus/quickstart --action quarantined -n 100

      pilebuilder browse corpus/quickstart -c "Python Library" --words "async def" -n 2
    """
    from pilebuilder import command
    from pilebuilder.build.browse import Wanted

    wanted = Wanted(component=component, action=action, reason=reason, words=words, number=number, seed=seed)
    raise typer.Exit(command.show_documents(folder, wanted, chars, as_json))


@app.command()
def verify(
    folder: Folder, as_json: Annotated[bool, typer.Option("--json", help="print findings as JSON")] = False
) -> None:
    """Recompute every digest and every sum of a finished build; name each file that differs.

    Example:

      pilebuilder verify corpus/quickstart
    """
    from pilebuilder import command

    raise typer.Exit(command.show_verify(folder, as_json))


@app.command("store")
def store_(
    collect: Annotated[bool, typer.Option("--collect", help="remove raw files that no corpus here uses")] = False,
    unused_days: Annotated[
        float, typer.Option("--unused-days", min=0, help="only those unused for so many days")
    ] = 30,
    store: Store = None,
) -> None:
    """Show the shared store of raw files, or collect what no corpus uses any more.

    Example:

      pilebuilder store --collect --unused-days 90
    """
    from pilebuilder import tools

    raise typer.Exit(tools.raw_store(store, collect, unused_days))


@app.command()
def doctor() -> None:
    """Check this installation: libraries, models, cores, memory, disk.

    Example:

      pilebuilder doctor
    """
    from pilebuilder import command

    raise typer.Exit(command.show_doctor())
