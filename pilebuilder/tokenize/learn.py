"""``train-tokenizer``: a byte-level BPE from a stratified sample of a built corpus, and a report of what it is worth.

Training shards are globally shuffled, so whole frames of them are a fair sample; frames are read in a seeded order and
each component gives text up to its quota: its share of the mix, but never less than `FLOOR` of the sample, so that a
small component with its own script or notation is not merged away. The report counts bytes per token on the validation
split, which the tokenizer has not seen, by component and by language, beside GPT-2's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pilebuilder.errors import PilebuilderError
from pilebuilder.frames import SeekableFile
from pilebuilder.units import show_bytes

END = "<|endoftext|>"
FLOOR = 0.005
PROBES = 128
"""Frames read to estimate the components' shares."""
LONGEST = 256 << 10
"""Bytes of one document that may enter the sample: no single book decides the vocabulary."""
REPORT_BYTES = 16 << 20
"""Held-out text on which the report is counted."""
SMALLEST = 256 + 1
"""Every byte, and the end of text."""


@dataclass(slots=True)
class Sample:
    """Text by component, and how much of it."""

    texts: list[str] = field(default_factory=list)
    bytes: dict[str, int] = field(default_factory=dict)

    def add(self, component: str, text: str) -> None:
        self.texts.append(text)
        self.bytes[component] = self.bytes.get(component, 0) + len(text.encode())


def train_tokenizer(
    folder: Path, out: Path, *, vocab_size: int, sample: int = 256 << 20, seed: int = 0
) -> dict[str, Any]:
    """Train on the shards in `folder` and write `out` (a ``tokenizer.json``) and ``<out stem>.report.json`` beside it.

    `sample` is in bytes of text. Returns the report. Same corpus, size, sample and seed: same file.
    """
    if not SMALLEST <= vocab_size <= 1 << 20:
        raise PilebuilderError(f"a vocabulary has {SMALLEST} to {1 << 20} tokens, not {vocab_size}")
    shards = sorted((folder / "train").glob("*.jsonl.zst"))
    if not shards:
        raise PilebuilderError(f"{folder} has no training shards (train/*.jsonl.zst); build the corpus first")
    drawn = draw_sample(shards, sample, seed)
    content = _train(drawn.texts, vocab_size)
    out.parent.mkdir(parents=True, exist_ok=True)
    _replace(out, content.encode())
    report = {
        "vocab_size": vocab_size,
        "seed": seed,
        "sample": {"bytes": sum(drawn.bytes.values()), "components": dict(sorted(drawn.bytes.items()))},
        **measure(folder, out),
    }
    _replace(out.with_suffix(".report.json"), (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    return report


def draw_sample(shards: list[Path], sample: int, seed: int) -> Sample:
    """Text of all components by quota, from frames in a seeded order."""
    files = [SeekableFile(path) for path in shards]
    frames = [(s, f) for s, file in enumerate(files) for f in range(len(file.plain) - 1)]
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(frames))
    share = _shares(files, [frames[i] for i in order[:PROBES]])
    quota = {name: max(value, FLOOR) * sample for name, value in share.items()}
    drawn = Sample()
    for i in order:
        s, f = frames[i]
        for component, text in _documents(files[s], f):
            held = drawn.bytes.get(component, 0)
            if held < quota.get(component, FLOOR * sample):
                drawn.add(component, text)
        if all(drawn.bytes.get(name, 0) >= wanted for name, wanted in quota.items()):
            break
    for file in files:
        file.file.close()
    return drawn


def _shares(files: list[SeekableFile], frames: list[tuple[int, int]]) -> dict[str, float]:
    """Share of each component in some frames, by bytes."""
    size: dict[str, int] = {}
    for s, f in frames:
        for component, text in _documents(files[s], f):
            size[component] = size.get(component, 0) + len(text)
    total = sum(size.values())
    return {name: n / total for name, n in sorted(size.items())}


def _documents(file: SeekableFile, frame: int) -> Iterator[tuple[str, str]]:
    """Component and text of the whole lines of a frame."""
    for line in file.frame(frame).split(b"\n"):
        if line.startswith(b"{") and line.endswith(b"}"):
            row = json.loads(line)
            text = row["text"]
            yield row["meta"]["pile_set_name"], text if len(text) <= LONGEST else text[:LONGEST]


def _train(texts: list[str], vocab_size: int) -> str:
    """A byte-level BPE that cuts words as GPT-2 does; it merges by count, then by id, whatever its threads do."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return str(tokenizer.to_str())


def measure(folder: Path, tokenizer: Path) -> dict[str, Any]:
    """Bytes per token of the tokenizer and of GPT-2 on held-out text, by component and by language."""
    source = folder / "val.jsonl.zst"
    held_out = source.is_file()
    if not held_out:
        source = sorted((folder / "train").glob("*.jsonl.zst"))[-1]
    components, texts, size = [], [], 0
    with SeekableFile(source) as file:
        for frame in range(len(file.plain) - 1):
            for component, text in _documents(file, frame):
                components.append(component)
                texts.append(text.encode())
                size += len(texts[-1])
            if size >= REPORT_BYTES:
                break
    offsets = np.cumsum([0, *map(len, texts)])
    data = np.frombuffer(b"".join(texts), np.uint8)
    counts = {name: _counts(path, data, offsets) for name, path in (("this", str(tokenizer)), ("gpt2", "gpt2"))}
    sizes, languages = np.diff(offsets), _languages(data, offsets)
    return {
        "measured_on": {"file": source.name, "held_out": held_out, "documents": len(texts), "bytes": size},
        "bytes_per_token": _ratios(np.array(["all"] * len(texts)), sizes, counts).get("all", {}),
        "components": _ratios(np.array(components), sizes, counts),
        "languages": _ratios(np.array(languages), sizes, counts),
    }


def _counts(tokenizer: str, data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Tokens of each text."""
    from pilebuilder.models import encoders
    from pilebuilder.models.vocabulary import load

    load.cache_clear()  # the file may have been written anew under the same name
    _, at = encoders.reference(load(tokenizer)).encode(data, offsets)
    return np.diff(at)


def _languages(data: np.ndarray, offsets: np.ndarray) -> list[str]:
    """Language of each text by the shipped model; ``und`` for one without letters."""
    from pilebuilder import models
    from pilebuilder.kernels import lid
    from pilebuilder.models import languages

    scorer = models.load("lid.176")
    sample, bounds = lid.letters(data, offsets, 4096)
    found = scorer.best(sample, bounds)
    empty = bounds[1:] == bounds[:-1]
    return [
        languages.UNDETERMINED if none or label < 0 else languages.normal(scorer.labels[label], "lid.176")
        for label, none in zip(found.label.tolist(), empty.tolist(), strict=True)
    ]


def _ratios(group: np.ndarray, sizes: np.ndarray, counts: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """By group: documents, bytes, and bytes per token (ratio of sums) under each tokenizer."""
    rows = {}
    for name in sorted(set(group.tolist())):
        chosen = group == name
        total = int(sizes[chosen].sum())
        row: dict[str, float] = {"documents": int(chosen.sum()), "bytes": total}
        for key, tokens in counts.items():
            n = int(tokens[chosen].sum())
            row[key] = round(total / n, 4) if n else 0.0
        rows[name] = row
    return rows


def markdown(report: dict[str, Any]) -> str:
    """The report as a table for people."""
    on = report["measured_on"]
    kind = "held-out text" if on["held_out"] else "training text, as nothing was held out"
    lines = [
        f"Vocabulary of {report['vocab_size']:,} tokens, trained on {show_bytes(report['sample']['bytes'])};"
        f" bytes per token on {show_bytes(on['bytes'])} of {kind}:",
        "",
        "| text | documents | bytes | this | GPT-2 |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    groups = [("all", report["bytes_per_token"]), *report["components"].items(), *report["languages"].items()]
    lines += [
        f"| {name} | {row['documents']:,} | {row['bytes']:,} | {row['this']:.3f} | {row['gpt2']:.3f} |"
        for name, row in groups
        if row
    ]
    return "\n".join(lines) + "\n"


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
