"""Arguments and options that several verbs share, and the run of a build they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pilebuilder.errors import EXIT_INTERRUPTED

if TYPE_CHECKING:
    from pilebuilder.build.run import Build

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


def run_build(
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
