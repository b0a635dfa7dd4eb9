"""What is evaluated, sampled from or exported: the newest checkpoint of a run, or a checkpoint folder of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pilebuilder.digest import digest_file
from pilebuilder.errors import PilebuilderError
from pilebuilder.models import gpt2
from pilebuilder.models.vocabulary import Tokenizer, load
from pilebuilder.train import exchange, scoring, texts
from pilebuilder.train.config import TrainConfig

MICRO_TOKENS = 4096
"""Tokens of one pass at least, where a row is not longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A network with its tokenizer."""

    name: str
    folder: Path
    network: Any
    """`model.GPT` or `gpt2.GPT2`, on the device where it runs."""
    identity: Mapping[str, Any]
    """Of the tokenizer: name, sha256, vocab_size, eod."""
    sequence: int
    """Longest context, tokens."""
    rows: int
    """Windows in one pass."""
    facts: Mapping[str, Any]
    """kind (``run`` or ``import``), architecture, parameters, step, digest of the weights."""
    config: TrainConfig | None
    """Of a run; None for a folder of others."""
    given: Tokenizer | None
    """Of an imported folder, read from it."""

    def tokenizer(self, path: str | None = None) -> Tokenizer:
        """The tokenizer itself; `path` names its file where the folder does not hold it."""
        return self.given or texts.find_tokenizer(dict(self.identity), self.folder, path)


def open_subject(folder: Path, *, name: str | None = None, tokenizer: str | None = None) -> Subject:
    """A run of ours, or a folder with ``config.json`` and safetensors. `tokenizer` replaces a missing file."""
    if not folder.is_dir():
        raise PilebuilderError(f"{folder}: no such folder; give a training run or a checkpoint folder")
    if (folder / "checkpoints").is_dir():
        return _run(folder, name or folder.resolve().name)
    if (folder / "logbook.jsonl").is_file():
        raise PilebuilderError(f"{folder} has no checkpoint yet; train further first")
    return _import(folder, name or folder.resolve().name, tokenizer)


def _run(folder: Path, name: str) -> Subject:
    network, config, facts = scoring.load_model(folder)
    torch.set_num_threads(config.control.threads or torch.get_num_threads())
    device = "cuda" if torch.cuda.is_available() and config.control.device != "cpu" else "cpu"
    return Subject(
        name=name,
        folder=folder,
        network=network.to(device).eval().requires_grad_(False),
        identity=facts["tokenizer"],
        sequence=config.data.sequence,
        rows=max(1, config.micro_rows, MICRO_TOKENS // config.data.sequence),
        facts={
            "kind": "run",
            "architecture": f"{config.model.family}, {config.model.layers} layers, width {config.model.width}",
            "parameters": sum(p.numel() for p in network.parameters()),
            "step": facts["step"],
            "tokens": facts["step"] * config.batch_tokens,
            "weights": facts["files"]["model.safetensors"],
            "data": facts["data"],
        },
        config=config,
        given=None,
    )


def _import(folder: Path, name: str, tokenizer: str | None) -> Subject:
    config = exchange.read_config(folder)
    network, length = exchange.read_network(folder)
    if tokenizer is not None:
        held = load(tokenizer)
    elif (folder / "tokenizer.json").is_file():
        held = load(str(folder / "tokenizer.json"))
    elif config["model_type"] == "gpt2" and config["vocab_size"] == gpt2.VOCABULARY_SIZE:
        held = load("gpt2")  # what every GPT-2 has
    else:
        raise PilebuilderError(f"{folder} has no tokenizer.json; give the model's tokenizer with --tokenizer")
    if held.size > config["vocab_size"]:
        raise PilebuilderError(
            f"{folder}: the tokenizer has {held.size} ids, the network {config['vocab_size']}; they do not belong"
            " together"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return Subject(
        name=name,
        folder=folder,
        network=network.to(device).eval().requires_grad_(False),
        identity=texts.identity(held),
        sequence=length,
        rows=max(1, MICRO_TOKENS // length),
        facts={
            "kind": "import",
            "architecture": config["model_type"],
            "parameters": sum(p.numel() for p in network.parameters()),
            "step": None,
            "tokens": None,
            "weights": _digest(folder),
            "data": None,
        },
        config=None,
        given=held,
    )


def _digest(folder: Path) -> str:
    """Of the weights: of the one file, or of the digests of all."""
    import hashlib

    found = [digest_file(path)[0] for path in exchange.weight_files(folder)]
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest()
