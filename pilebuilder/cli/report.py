"""Verbs of the report: report on a recipe, on a corpus that is already there, on what changed; datasheet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilebuilder.cli.options import Run, runs

app = typer.Typer()


@app.command()
@runs
def report(
    run: Run,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="a recipe (path, or the name of a shipped one), data files, or: diff OLD NEW"),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", help="a folder of documents, made here or elsewhere: JSON lines or Parquet"),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option("--component", help="with --corpus: key of a record that names its component, dots go inside"),
    ] = None,
    lexicon: Annotated[
        Path | None,
        typer.Option("--lexicon", help="with --corpus: list of words and phrases in categories to count"),
    ] = None,
) -> None:
    """Describe a corpus: tables, figures, a datasheet, a dataset card, one HTML site.

    Examples:

      pilebuilder report my-recipe.yaml

      pilebuilder report --corpus /data/my-corpus --out my-corpus-report      (any folder of documents)

      pilebuilder report diff OLD-FOLDER NEW-FOLDER      (what changed between two corpora)

      pilebuilder report data/*.jsonl.zst -o out/      (on files)
    """
    if corpus is not None and inputs:
        raise typer.BadParameter("give a recipe or --corpus, not both")
    if lexicon is not None and corpus is None:
        raise typer.BadParameter("--lexicon goes with --corpus; a recipe says report: {lexicon: PATH}")
    if component is not None and corpus is None:
        raise typer.BadParameter("--component goes with --corpus; a recipe names its components")
    if corpus is not None:
        from pilebuilder import tools

        code = tools.report_corpus(corpus, run.out, component, run.workers, run.log_json, lexicon, run.text)
        raise typer.Exit(code)
    if not inputs:
        raise typer.BadParameter("give a recipe, or --corpus FOLDER")
    if inputs[0] == "diff" and len(inputs) == 3:
        from pilebuilder import tools

        raise typer.Exit(tools.report_diff(Path(inputs[1]), Path(inputs[2]), run.out))
    run.build(inputs, "report")


@app.command()
def datasheet(
    source: Annotated[str, typer.Argument(help="a recipe, or the output folder of a build or report")],
    write: Annotated[
        Path | None, typer.Option("--write", help="write a file with the open questions, to be filled in")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="also list what is answered")] = False,
) -> None:
    """List what a person still must write for the datasheet, and where; with --write, begin the answers file.

    Examples:

      pilebuilder datasheet corpus/quickstart

      pilebuilder datasheet my-recipe.yaml --write answers.yaml
    """
    from pilebuilder import tools

    raise typer.Exit(tools.datasheet(source, write, every))


@app.command()
def precision(
    source: Annotated[Path, typer.Argument(help="a folder of documents; or with --read, a sheet that is filled in")],
    write: Annotated[Path | None, typer.Option("--write", help="the sheet to write")] = None,
    read: Annotated[bool, typer.Option("--read", help="read a filled sheet")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0)] = 0,
) -> None:
    """Judge 100 random matches of each kind of personal data by eye: write the sheet, fill it in, read it.

    The sheet holds personal data: keep it to yourself. What it says goes into the recipe, and the report extrapolates.

    Examples:

      pilebuilder precision corpus/quickstart --write sheet.csv

      pilebuilder precision sheet.csv --read
    """
    from pilebuilder import tools

    raise typer.Exit(tools.precision_read(source) if read else tools.precision_sheet(source, write, seed))
