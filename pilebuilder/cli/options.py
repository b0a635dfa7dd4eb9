"""Arguments and options that several verbs share, and the run of a build they lead to."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, get_type_hints

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


Text = Annotated[str | None, typer.Option("--text", help="key or column of the text in data files (not in a recipe)")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Options of every verb that runs a build."""

    out: Out = None
    workers: Workers = 0
    executor: Kind = None
    address: Address = None
    log_json: LogJson = False
    store: Store = None
    text: Text = None

    def build(self, inputs: list[str], target: str, then: Callable[[Build], int] | None = None) -> NoReturn:
        """Build up to a stage and leave with the exit code."""
        from pilebuilder import command

        if self.store is not None:
            os.environ["PILEBUILDER_STORE"] = str(self.store.absolute())  # what workers, too, go by
        try:
            code = command.run(
                inputs,
                self.out,
                target,
                workers=self.workers,
                executor=self.executor,
                address=self.address,
                log_json=self.log_json,
                text=self.text,
                then=then,
            )
        except KeyboardInterrupt:
            typer.echo("\nstopped; finished tasks are kept: run the same command to go on", err=True)
            code = EXIT_INTERRUPTED
        raise typer.Exit(code)


def runs(verb: Callable[..., None]) -> Callable[..., None]:
    """A command with the options of a verb and those of `Run`, which the verb takes as its argument `run`."""
    hints = get_type_hints(verb, include_extras=True)
    own = [p.replace(annotation=hints[p.name]) for p in signature(verb).parameters.values() if p.name != "run"]
    hints = get_type_hints(Run, include_extras=True)
    shared = [
        Parameter(f.name, Parameter.KEYWORD_ONLY, default=f.default, annotation=hints[f.name]) for f in fields(Run)
    ]

    def command(**given: Any) -> None:
        run = Run(**{p.name: given.pop(p.name) for p in shared})
        verb(**given, run=run)

    named = [p.replace(kind=Parameter.KEYWORD_ONLY) for p in own]
    command.__name__, command.__doc__ = verb.__name__, verb.__doc__
    command.__signature__ = Signature([*named, *shared])  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in (*named, *shared)}
    return command
