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


Network = Annotated[Path, typer.Argument(help="a training run, or a folder with config.json and safetensors")]
TokenizerFile = Annotated[
    str | None, typer.Option("--tokenizer", help="the model's tokenizer, where its folder does not hold it")
]


@app.command("eval")
def evaluate(
    folder: Network,
    corpus: Annotated[Path | None, typer.Option("--corpus", help="a build [default: the run's own]")] = None,
    split: Annotated[str, typer.Option("--split", help="test or val")] = "test",
    stride: Annotated[int | None, typer.Option("--stride", min=1, help="of the sliding window [half of it]")] = None,
    sliding: Annotated[bool, typer.Option(help="measure with overlapping windows, too")] = True,
    tokens: Annotated[str | None, typer.Option("--tokens", help="limit of each component, as 200K")] = None,
    passages: Annotated[int, typer.Option("--passages", min=0, help="cloze passages of each component")] = 500,
    lambada: Annotated[Path | None, typer.Option("--lambada", help="LAMBADA's own file, JSON lines")] = None,
    name: Annotated[str | None, typer.Option("--name", help="name in the report [the folder's]")] = None,
    tokenizer: TokenizerFile = None,
    as_json: Json = False,
) -> None:
    """Measure bits per UTF-8 byte by component, and a cloze, on held-out text; the report shows the results.

    A folder of GPT-2, Pythia or Qwen3 gives comparison rows. Results lie in CORPUS/evaluations.

    Examples:

      pilebuilder train eval corpus/quickstart/runs/mini

      pilebuilder train eval models/pythia-160m --corpus corpus/quickstart --tokens 200K
    """
    from pilebuilder.train import need_torch, results

    need_torch()
    from pilebuilder.train.evaluation import Request

    asked = Request(
        split=split,
        stride=stride,
        tokens=results.token_limit(tokens),
        sliding=sliding,
        passages=passages,
        lambada=lambada,
        tokenizer=tokenizer,
    )
    raise typer.Exit(results.evaluate(folder, corpus, name, asked, as_json))


@app.command()
def note(run: Run, text: Annotated[str, typer.Argument(help="what you want to remember")]) -> None:
    """Write a note into the logbook of a run, also while it is running.

    Example:

      pilebuilder train note corpus/quickstart/runs/mini "lowered the rate after the spike"
    """
    from pilebuilder.train import results

    raise typer.Exit(results.note(run, text))


@app.command()
def export(
    run: Run,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder to write [default: RUN/export]")] = None,
    tokenizer: TokenizerFile = None,
) -> None:
    """Write a run as GPTNeoXForCausalLM or Qwen3ForCausalLM, with tokenizer files and a model card.

    Example:

      pilebuilder train export corpus/quickstart/runs/mini --out export/mini
    """
    from pilebuilder.train import need_torch, results

    need_torch()
    raise typer.Exit(results.export(run, out, tokenizer))
