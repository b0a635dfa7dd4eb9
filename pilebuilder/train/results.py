"""What the verbs after training do: evaluate, note, export, generate. Each prints and returns an exit code."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.errors import EXIT_DONE, PilebuilderError

if TYPE_CHECKING:
    from pilebuilder.train.evaluation import Request
    from pilebuilder.train.generate import Sampling


def evaluate(folder: Path, corpus: Path | None, name: str | None, asked: Request, as_json: bool) -> int:
    """Measure a run or a checkpoint folder on held-out text; the result lies where the report looks for it."""
    from pilebuilder.train import evaluation
    from pilebuilder.train.subject import open_subject

    subject = open_subject(folder, name=name, tokenizer=asked.tokenizer)
    held = corpus or _corpus_of(folder)
    result = evaluation.evaluate(held, subject, asked, lambda text: print(text, file=sys.stderr))
    path = evaluation.save(held, result)
    print(json.dumps(result, ensure_ascii=False) if as_json else evaluation_text(result))
    print(path, file=sys.stderr if as_json else sys.stdout)
    return EXIT_DONE


def token_limit(text: str | None) -> int | None:
    """A number of tokens from ``200K``; None stays None."""
    from pilebuilder.train.config import parse_tokens

    try:
        return None if text is None else int(parse_tokens(text))
    except ValueError as error:
        raise PilebuilderError(str(error)) from error


def _corpus_of(folder: Path) -> Path:
    from pilebuilder.train import corpus_of

    if not (folder / "logbook.jsonl").is_file():
        raise PilebuilderError(f"{folder} is no training run; name the corpus to measure on with --corpus")
    return corpus_of(folder)


def evaluation_text(result: dict[str, Any]) -> str:
    """The table of a result, in the layout of the Pile paper's table 2, as Markdown."""
    names = [p["name"] for p in result["protocols"]]
    head = ["component", *(f"{n} bpb" for n in names), "std. error", "tokens/byte", "documents", "bytes"]
    lines = [f"{result['name']}, {result['split']} split, tokenizer {result['tokenizer']['name']}", ""]
    lines += ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for i, row in enumerate(result["protocols"][0]["scores"]):
        values = [f"{p['scores'][i]['bits_per_byte']:.4f}" for p in result["protocols"]]
        error = "" if row["standard_error"] is None else f"{row['standard_error']:.4f}"
        cells = [row["component"], *values, error, f"{row['tokens'] / row['bytes']:.4f}"]
        cells += [f"{row['documents']:,}", f"{row['bytes']:,}"]
        lines.append("| " + " | ".join(cells) + " |")
    for name, rows in result["cloze"].items():
        if rows:
            last = rows[-1]
            interval = f"{last['accuracy_low']:.1%} to {last['accuracy_high']:.1%}"
            lines += [
                "",
                f"cloze, {name}: {last['passages']:,} passages, {last['accuracy']:.1%} guessed ({interval}),",
            ]
            lines[-1] += f" perplexity of the word {last['perplexity']:,.1f}"
        else:
            lines += ["", f"cloze, {name}: not measured: no passage of this shape in the split"]
    from pilebuilder.train.evaluation import REFERENCE

    published = ", ".join(f"{name} {value:.4f}" for name, value in REFERENCE.items())
    return "\n".join([*lines, "", f"Published, on the Pile's own test split: {published}."])


def note(folder: Path, text: str) -> int:
    """Write a person's note into the logbook of a run."""
    from pilebuilder.train import logbook

    row = logbook.note(folder, text)
    print(f"noted at step {row['step']}")
    return EXIT_DONE


def export(folder: Path, out: Path | None, tokenizer: str | None) -> int:
    """A run as a folder that transformers reads."""
    from pilebuilder.train import evaluation, texts
    from pilebuilder.train.export import export as write
    from pilebuilder.train.subject import open_subject

    subject = open_subject(folder)
    held = texts.corpus_of(folder) / evaluation.FOLDER
    found = [json.loads(p.read_bytes()) for p in sorted(held.glob("*.json"))] if held.is_dir() else []
    mine = [r for r in found if r["subject"]["weights"] == subject.facts["weights"]]
    target = write(subject, out or folder / "export", tokenizer=tokenizer, evaluations=mine)
    for path in sorted(target.iterdir()):
        print(f"{path}  {path.stat().st_size:,} bytes")
    return EXIT_DONE


def generate(folder: Path, prompt: str, how: Sampling, number: int, tokenizer: str | None) -> int:
    """Print samples of a run or of a checkpoint folder."""
    from pilebuilder.train import generate as sampling
    from pilebuilder.train.subject import open_subject

    if number < 1:
        raise PilebuilderError("at least one sample is printed")
    subject = open_subject(folder, tokenizer=tokenizer)
    held = subject.tokenizer(tokenizer)
    for k in range(number):
        found = sampling.sample(subject, held, prompt, replace(how, seed=how.seed + k))
        print(f"--- sample {k + 1}, seed {how.seed + k}")
        print(_shown(prompt + found))
    return EXIT_DONE


def _shown(text: str) -> str:
    """Text for a terminal: control characters but line feed and tab are made visible."""
    return "".join(c if c in "\n\t" or c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def compare(
    first: str,
    second: str,
    out: Path | None,
    settings: tuple[str | None, str | None, list[str], list[str]],
    seeds: int,
    held: tuple[str, str | None],
) -> int:
    """Train the same network on two corpora and tell the difference. `settings`: preset, tokens, those of both sides,
    those of the second; `held`: split, limit of each component."""
    from pilebuilder.train import command
    from pilebuilder.train import compare as comparing

    preset, tokens, both, other = settings
    asked = [
        command.wanted(source, None, preset, None, tokens, chosen)
        for source, chosen in ((first, both), (second, [*both, *other]))
    ]
    names = comparing.names_of(asked[0].corpus, asked[1].corpus)
    sides = [comparing.Side(name=name, corpus=a.corpus, config=a.config) for name, a in zip(names, asked, strict=True)]
    from pilebuilder.train.evaluation import file_name

    folder = out or asked[0].corpus / "comparisons" / file_name(names[1])
    path = comparing.compare(
        sides[0],
        sides[1],
        folder,
        seeds=seeds,
        split=held[0],
        tokens=token_limit(held[1]),
        say=lambda text: print(text, file=sys.stderr, flush=True),
    )
    print((folder / "comparison.md").read_text(encoding="utf-8"))
    print(path)
    return EXIT_DONE
