"""The group ``pilebuilder train``; ``pilebuilder train RECIPE`` is short for ``pilebuilder train run RECIPE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class _RunByDefault(TyperGroup):
    """A group whose first word may be left out when it is ``run``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="train",
    cls=_RunByDefault,
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Train a GPT on a built corpus and measure it in bits per byte.\n\n"
    "Start with: [bold]pilebuilder train quickstart[/bold], short for [bold]pilebuilder train run quickstart[/bold]",
)

Source = Annotated[str, typer.Argument(help="a recipe (name or path) that was built, or the folder of a build")]
Run = Annotated[Path, typer.Argument(help="the folder of a training run")]
Out = Annotated[Path | None, typer.Option("--out", "-o", help="folder of the run [default: CORPUS/runs/NAME]")]
Preset = Annotated[str | None, typer.Option("--preset", help="mini, 10m, 30m, 124m, 350m or 1.3b")]
Depth = Annotated[int | None, typer.Option("--depth", min=1, help="layers; width, rate and tokens follow")]
Tokens = Annotated[str | None, typer.Option("--tokens", help="tokens to train on, as 300M or 7B")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="one setting, as optimizer.lr=1e-3 (repeatable)", metavar="NAME=VALUE"),
]
Json = Annotated[bool, typer.Option("--json", help="print JSON")]


@app.command()
def run(
    source: Source,
    out: Out = None,
    preset: Preset = None,
    depth: Depth = None,
    tokens: Tokens = None,
    settings: Settings = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="one JSON line per record, no live line")] = False,
) -> None:
    """Train, or go on from the newest checkpoint: the same command resumes after Ctrl-C, a kill or a full disk.

    Examples:

      pilebuilder train quickstart

      pilebuilder train run corpus/quickstart --preset 10m --tokens 50M --set optimizer.lr=1e-3 --out runs/a
    """
    from pilebuilder.train import command

    raise typer.Exit(command.run(command.wanted(source, out, preset, depth, tokens, settings or []), log_json))


@app.command()
def plan(
    source: Source,
    preset: Preset = None,
    depth: Depth = None,
    tokens: Tokens = None,
    settings: Settings = None,
    as_json: Json = False,
) -> None:
    """Show what a run would take, without running it: parameters, FLOPs, hours, memory, energy, expected loss.

    Example:

      pilebuilder train plan quickstart --preset 124m
    """
    from pilebuilder.train import command

    raise typer.Exit(command.show_plan(command.wanted(source, None, preset, depth, tokens, settings or []), as_json))


@app.command()
def trace(
    run: Run,
    step: Annotated[int | None, typer.Option("--step", "-s", min=0, help="the step, from 0")] = None,
    batch: Annotated[
        int | None, typer.Option("--batch", min=0, help="instead: the batch, also one that was jumped over")
    ] = None,
    as_json: Json = False,
) -> None:
    """Name the documents in the batch of a step: row, component, id, shard, line of the shard, tokens.

    Example:

      pilebuilder train trace corpus/quickstart/runs/mini --step 12
    """
    from pilebuilder.train import command

    raise typer.Exit(command.show_trace(run, step, batch, as_json))
