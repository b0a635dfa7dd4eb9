"""The command line: verbs only. Each verb reads its arguments, calls one function, prints what it returns."""

from __future__ import annotations

import gc
import sys
from typing import Annotated

import typer

from pilebuilder.cli import build, catalogue, generate, publish, report, takedown, tools, train, trained
from pilebuilder.errors import EXIT_FAILED, PilebuilderError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Build a training corpus from a recipe, prove what is in it, and describe it.\n\n"
    "Start with: [bold]pilebuilder build quickstart[/bold]",
)
for _group in (build, report, tools, publish, catalogue, generate, takedown):
    app.add_typer(_group.app)
train.app.add_typer(trained.app)
app.add_typer(train.app)


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
    """Run the command; an expected failure is one message and its exit code, no traceback."""
    try:
        app()
    except PilebuilderError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.exit(EXIT_FAILED)
    finally:
        gc.freeze()  # the process ends: what is left goes with it, unsearched
