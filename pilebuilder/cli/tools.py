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
    positive: Annotated[
        list[str] | None, typer.Option("--positive", help="files of the wanted kind (repeatable; globs)")
    ] = None,
    negative: Annotated[
        list[str] | None, typer.Option("--negative", help="files of the other kind (repeatable; globs)")
    ] = None,
    labelled: Annotated[
        list[str] | None,
        typer.Option("--labelled", help="files of both kinds, with --label-field (repeatable)"),
    ] = None,
    label_field: Annotated[
        str, typer.Option("--label-field", help="field with the label; FIELD=VALUE: that value is the wanted kind")
    ] = "",
    text_field: Annotated[
        list[str] | None, typer.Option("--text-field", help="field of the text (repeatable) [default: text]")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="folder to write NAME/ into")] = Path("models"),
    max_size: Annotated[str, typer.Option("--max-size", help="refuse a larger model, 0 for any size")] = "0",
    dim: Annotated[int | None, typer.Option("--dim", help="dimensions of a row")] = None,
    word_ngrams: Annotated[int | None, typer.Option("--word-ngrams", help="longest word n-gram")] = None,
    char_ngrams: Annotated[
        str, typer.Option("--char-ngrams", help="shortest-longest character n-gram, such as 3-6; 0-0: none")
    ] = "",
    bucket: Annotated[int | None, typer.Option("--bucket", help="rows for hashed n-grams")] = None,
    epochs: Annotated[int | None, typer.Option("--epochs", help="passes over the examples")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="learning rate")] = None,
    min_count: Annotated[
        int | None, typer.Option("--min-count", help="occurrences that give a word its own row")
    ] = None,
    holdout: Annotated[
        float | None, typer.Option("--holdout", help="share of the examples held out for measuring")
    ] = None,
    balance: Annotated[
        bool | None, typer.Option("--balance/--no-balance", help="repeat the smaller kind up to the larger")
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="order of examples, split, first values of rows")] = None,
    note: Annotated[str, typer.Option("--note", help="what the two kinds are, for the card")] = "",
    retrain: Annotated[
        Path | None, typer.Option("--retrain", help="make a shipped model again from the folder of its labelled data")
    ] = None,
) -> None:
    """Train a fastText classifier; its card and figures (AUC, calibration, by length) lie beside it.

    Near-duplicates of held-out texts do not teach. Use it in a recipe by threshold, percentile or Pareto sampling:

      quality: {model: models/quality, pareto: 9}

    Examples:

      pilebuilder train-classifier quality --positive 'good/*.jsonl.zst' --negative 'web/*.jsonl.zst'

      pilebuilder train-classifier law --labelled 'docs/*.jsonl' --label-field topic=law --dim 32 --epochs 10

      pilebuilder train-classifier toxicity --retrain labelled/ -o again/      (the shipped model, same bytes)
    """
    from pilebuilder import tools
    from pilebuilder.units import parse_size

    if retrain is not None:
        raise typer.Exit(tools.retrain_shipped(name, retrain, out))
    given = {
        "dim": dim, "word_ngrams": word_ngrams, "char_ngrams": char_ngrams or None, "bucket": bucket,
        "epochs": epochs, "rate": rate, "min_count": min_count, "holdout": holdout, "balance": balance, "seed": seed,
    }  # fmt: skip
    raise typer.Exit(
        tools.train_classifier(
            name,
            tools.Examples(positive or [], negative or [], labelled or [], label_field, tuple(text_field or ["text"])),
            out,
            {key: value for key, value in given.items() if value is not None},
            parse_size(max_size),
            note,
        )
    )
