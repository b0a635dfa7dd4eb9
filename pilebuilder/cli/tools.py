"""Verbs that stand beside a build: rules, trace, train-tokenizer, train-classifier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pilebuilder.cli.options import Folder

app = typer.Typer()


@app.command()
def rules(
    parameters: Annotated[bool, typer.Option("--parameters", help="also every parameter of every step")] = False,
) -> None:
    """List every filter rule: what it measures, its default, where it comes from.

    Example:

      pilebuilder rules
    """
    from pilebuilder import tools

    tools.show_rules(parameters)


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
