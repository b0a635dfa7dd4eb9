"""Verbs of the group ``pilebuilder train`` beside the run itself: eval, note, logbook, export, compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilebuilder.cli.train import Json, Run, Settings, Tokens

app = typer.Typer()


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

    A folder of GPT-2, Pythia, Llama or Qwen3 gives comparison rows. Results lie in CORPUS/evaluations.

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
    """Write a run as GPTNeoXForCausalLM, Qwen3ForCausalLM or LlamaForCausalLM, with tokenizer files and a model card.

    Example:

      pilebuilder train export corpus/quickstart/runs/mini --out export/mini
    """
    from pilebuilder.train import need_torch, results

    need_torch()
    raise typer.Exit(results.export(run, out, tokenizer))


@app.command()
def logbook(
    run: Run,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder of the pages [default: RUN/logbook]")] = None,
) -> None:
    """Write the logbook of a run as one page, with curves, and as Markdown; a run that is training can be looked at.

    The report of a corpus has the same page for every run in its folder.

    Example:

      pilebuilder train logbook corpus/quickstart/runs/mini
    """
    from pilebuilder.report import logbookpage

    typer.echo(logbookpage.write(run, out or run / "logbook"))


@app.command()
def compare(
    first: Annotated[str, typer.Argument(help="a recipe that was built, or the folder of a build")],
    second: Annotated[str, typer.Argument(help="another, or the same with --second")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="[default: FIRST/comparisons/SECOND]")] = None,
    preset: Annotated[str, typer.Option("--preset", help="the network of all runs")] = "mini",
    tokens: Tokens = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="runs of each corpus")] = 3,
    settings: Settings = None,
    other: Annotated[
        list[str] | None, typer.Option("--second", help="a setting of the second side alone", metavar="NAME=VALUE")
    ] = None,
    split: Annotated[str, typer.Option("--split", help="test or val")] = "test",
    limit: Annotated[str | None, typer.Option("--eval-tokens", help="limit of each component, as 200K")] = None,
) -> None:
    """Train the same small network on two corpora (or mixtures) and tell the difference in bits per byte, with noise.

    Examples:

      pilebuilder train compare corpus/filtered corpus/unfiltered --tokens 5M --seeds 3

      pilebuilder train compare corpus/a corpus/a --second 'data.weights={Books: 0.7, Code: 0.3}'
    """
    from pilebuilder.train import need_torch, results

    need_torch()
    chosen = (preset, tokens, settings or [], other or [])
    raise typer.Exit(results.compare(first, second, out, chosen, seeds, (split, limit)))
