"""The command line: verbs only. Each verb reads its arguments, calls one function, prints what it returns."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilebuilder.errors import EXIT_FAILED, EXIT_INTERRUPTED, PilebuilderError

if TYPE_CHECKING:
    from pilebuilder.build.run import Build

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Build a training corpus from a recipe, prove what is in it, and describe it.\n\n"
    "Start with: [bold]pilebuilder build quickstart[/bold]",
)
recipe_app = typer.Typer(no_args_is_help=True, help="Recipes: check one, or print the JSON Schema for your editor.")
sources_app = typer.Typer(no_args_is_help=True, help="Cards of the components that ship with pilebuilder.")
models_app = typer.Typer(no_args_is_help=True, help="Small models that ship with pilebuilder, and their cards.")
app.add_typer(recipe_app, name="recipe")
app.add_typer(sources_app, name="sources")
app.add_typer(models_app, name="models")

Inputs = Annotated[list[str], typer.Argument(help="a recipe (path, or the name of a shipped one), or data files")]
RecipeName = Annotated[str, typer.Argument(help="a recipe: path, or the name of a shipped one")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="output folder [default: ./corpus/NAME]")]
Folder = Annotated[Path, typer.Argument(help="the output folder of a build")]
Workers = Annotated[int, typer.Option("--workers", "-w", min=0, help="worker processes [default: one per core]")]
Kind = Annotated[str | None, typer.Option("--executor", help="local or ray [default: the recipe's, else local]")]
Address = Annotated[str | None, typer.Option("--address", help="address of a running Ray cluster, or auto")]
Store = Annotated[
    Path | None,
    typer.Option("--store", envvar="PILEBUILDER_STORE", help="shared store of raw files, kept for every corpus here"),
]
LogJson = Annotated[bool, typer.Option("--log-json", help="one JSON line per event instead of live progress")]


def _run(
    inputs: list[str],
    out: Path | None,
    target: str,
    workers: int,
    kind: str | None,
    address: str | None,
    log: bool,
    store: Path | None,
    then: Callable[[Build], int] | None = None,
) -> None:
    from pilebuilder import command

    if store is not None:
        os.environ["PILEBUILDER_STORE"] = str(store.absolute())  # what workers, too, go by

    try:
        code = command.run(inputs, out, target, workers, kind, address, log, then)
    except KeyboardInterrupt:
        typer.echo("\nstopped; finished tasks are kept: run the same command to go on", err=True)
        code = EXIT_INTERRUPTED
    raise typer.Exit(code)


@app.command()
def build(
    recipe: Inputs,
    out: Out = None,
    workers: Workers = 0,
    executor: Kind = None,
    address: Address = None,
    log_json: LogJson = False,
    store: Store = None,
) -> None:
    """Build a corpus: every stage from fetch to report.

    Running the same command again does only what is missing; after a kill it goes on where it stopped.

    Examples:

      pilebuilder build quickstart

      pilebuilder build my-recipe.yaml --out /data/my-corpus --workers 8
    """
    _run(recipe, out, "report", workers, executor, address, log_json, store)


def _stage_command(name: str, does: str, example: str) -> None:
    def run_stage(
        inputs: Inputs,
        out: Out = None,
        workers: Workers = 0,
        executor: Kind = None,
        address: Address = None,
        log_json: LogJson = False,
        store: Store = None,
    ) -> None:
        if name == "report" and inputs[0] == "diff" and len(inputs) == 3:
            from pilebuilder import tools

            raise typer.Exit(tools.report_diff(Path(inputs[1]), Path(inputs[2]), out))
        _run(inputs, out, name, workers, executor, address, log_json, store)

    run_stage.__doc__ = f"{does}\n\nExamples:\n\n  pilebuilder {name} my-recipe.yaml\n\n{example}"
    app.command(name)(run_stage)


_ALONE = "  pilebuilder {0} data/*.jsonl.zst -o out/      (on files, with this stage's defaults)"
for _name, _does in (
    ("fetch", "Fetch raw files: address -> file with digest, terms and time."),
    ("read", "Read raw files into documents (runs the stages before it first)."),
    ("clean", "Edit text: mojibake, whitespace, control characters."),
    ("dedup", "Find duplicates, verify them, keep one of each."),
    ("mix", "Weigh components, hold out val and test, fix the global order."),
    ("shard", "Write train/NN.jsonl.zst, val.jsonl.zst, test.jsonl.zst."),
    ("tokenize", "Write token shards (.bin and .idx) of the output shards."),
    ("report", "Describe the corpus: tables, figures, one HTML page."),
):
    _more = "" if _name in ("fetch", "mix") else _ALONE.format(_name)
    if _name == "report":
        _more += "\n\n  pilebuilder report diff OLD-FOLDER NEW-FOLDER      (what changed between two corpora)"
    _stage_command(_name, _does, _more)


@app.command("filter")
def filter_(
    inputs: Inputs,
    out: Out = None,
    workers: Workers = 0,
    executor: Kind = None,
    address: Address = None,
    log_json: LogJson = False,
    store: Store = None,
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

        _run(inputs, out, "read", workers, executor, address, log_json, store, then=tools.audit)
    _run(inputs, out, "filter", workers, executor, address, log_json, store)


@app.command()
def rules(
    parameters: Annotated[bool, typer.Option("--parameters", help="every parameter of every step")] = False,
) -> None:
    """List every filter rule: what it measures, its default, where it comes from.

    Example:

      pilebuilder rules
    """
    from pilebuilder import tools

    tools.show_rules(parameters)


@app.command()
def plan(
    recipe: RecipeName,
    out: Out = None,
    offline: Annotated[bool, typer.Option("--offline", help="do not ask upstreams what they offer")] = False,
) -> None:
    """Show what a build would fetch and need, run and reuse, without running it.

    Terms to accept, keys to set and folders to give are listed for every component.

    Examples:

      pilebuilder plan quickstart

      pilebuilder plan pile --offline
    """
    from pilebuilder import command

    command.show_plan(recipe, out, ask=not offline)


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


@app.command()
def trace(
    path: Annotated[Path, typer.Argument(help="a token file (with --offset), or the folder of a build (with --id)")],
    offset: Annotated[int | None, typer.Option("--offset", min=0, help="a token of the file, from 0")] = None,
    document: Annotated[str | None, typer.Option("--id", help="a document id")] = None,
) -> None:
    """Trace a token to its document, or a document to its tokens.

    Examples:

      pilebuilder trace corpus/quickstart/tokens/train_00 --offset 123456

      pilebuilder trace corpus/quickstart --id 3f9a01c2...
    """
    from pilebuilder import tools

    raise typer.Exit(tools.trace(path, offset, document))


@app.command("train-tokenizer")
def train_tokenizer(
    folder: Folder,
    out: Annotated[Path, typer.Option("--out", "-o", help="the tokenizer.json to write")],
    vocab_size: Annotated[int, typer.Option("--vocab-size", help="tokens of the vocabulary")] = 32768,
    sample: Annotated[
        str, typer.Option("--sample", help="text to learn from, by quota over the components")
    ] = "256 MiB",
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Train a byte-level BPE tokenizer on a corpus, with bytes per token by component and language.

    Example:

      pilebuilder train-tokenizer corpus/quickstart --vocab-size 16384 -o tokenizer.json
    """
    from pilebuilder import tools
    from pilebuilder.units import parse_size

    raise typer.Exit(tools.train_tokenizer(folder, out, vocab_size, parse_size(sample), seed))


@app.command("train-classifier")
def train_classifier(
    name: Annotated[str, typer.Argument(help="name of the classifier")],
    positive: Annotated[list[str], typer.Option("--positive", help="files of the wanted kind (repeatable; globs)")],
    negative: Annotated[list[str], typer.Option("--negative", help="files of the other kind (repeatable; globs)")],
    out: Annotated[Path, typer.Option("--out", "-o", help="folder to write NAME/ into")] = Path("models"),
    max_size: Annotated[str, typer.Option("--max-size", help="refuse a larger model, 0 for any size")] = "0",
) -> None:
    """Train a fastText classifier from two sets of files; its card and figures lie beside it.

    Example:

      pilebuilder train-classifier quality --positive 'good/*.jsonl.zst' --negative 'web/*.jsonl.zst'
    """
    from pilebuilder import tools
    from pilebuilder.units import parse_size

    raise typer.Exit(tools.train_classifier(name, positive, negative, out, parse_size(max_size)))


@recipe_app.command("schema")
def recipe_schema() -> None:
    """Print the JSON Schema of recipes, for completion and checks in an editor.

    Example:

      pilebuilder recipe schema > recipe.schema.json
    """
    import json

    from pilebuilder.recipe import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


@recipe_app.command("check")
def recipe_check(recipe: RecipeName) -> None:
    """Check a recipe without running anything; print it with every default filled in.

    Example:

      pilebuilder recipe check my-recipe.yaml
    """
    from pilebuilder import command

    command.show_recipe(recipe)


@sources_app.command("list")
def sources_list() -> None:
    """List the cards in sources/: access class, licence, size in the Pile.

    Example:

      pilebuilder sources list
    """
    from pilebuilder import command

    command.show_sources()


@sources_app.command("show")
def sources_show(name: Annotated[str, typer.Argument(help="a card's file name or the component's own name")]) -> None:
    """Show a whole card, readable by a lawyer.

    Example:

      pilebuilder sources show gutenberg
    """
    from pilebuilder import command

    command.show_source(name)


@sources_app.command("check")
def sources_check(
    names: Annotated[list[str] | None, typer.Argument(help="cards to check [default: all]")] = None,
    take: Annotated[str, typer.Option("--take", help="how much would be fetched of each")] = "50 MB",
    accept_terms: Annotated[bool, typer.Option("--accept-terms", help="ask opt-in upstreams too")] = False,
) -> None:
    """Ask each card's upstream what it offers: items, bytes, and what is missing. Fetches nothing.

    Example:

      pilebuilder sources check gutenberg arxiv --take 100MB
    """
    from pilebuilder import command

    raise typer.Exit(command.check_sources(names or [], take, accept_terms))


@models_app.command("list")
def models_list() -> None:
    """List the models that ship with pilebuilder: task, size, licence.

    Example:

      pilebuilder models list
    """
    from pilebuilder import command

    command.show_models()


@models_app.command("card")
def models_card(name: Annotated[str, typer.Argument(help="a model's name")]) -> None:
    """Show a model's card: data, licences, figures, and what it cannot do.

    Example:

      pilebuilder models card lid176
    """
    from pilebuilder import command

    command.show_model_card(name)


@models_app.command("check")
def models_check() -> None:
    """Recompute the digest of every shipped model.

    Example:

      pilebuilder models check
    """
    from pilebuilder import command

    raise typer.Exit(command.check_models())


def _version(wanted: bool) -> None:
    if wanted:
        from pilebuilder import __version__

        typer.echo(f"pilebuilder {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version and exit")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: run the command; an expected failure is one message and its exit code, no traceback."""
    try:
        app()
    except PilebuilderError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
