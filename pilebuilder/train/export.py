"""Export a run to Hugging Face's layout: weights, configuration, tokenizer files, model card."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from safetensors.torch import save_file

from pilebuilder.errors import NoSpaceError, PilebuilderError
from pilebuilder.models import gpt2
from pilebuilder.models.vocabulary import Tokenizer
from pilebuilder.train import exchange
from pilebuilder.train.subject import Subject

WEIGHTS = "model.safetensors"


def export(subject: Subject, out: Path, *, tokenizer: str | None = None, evaluations: list[dict[str, Any]]) -> Path:
    """Write `out`, which must not exist or be empty; it appears whole or not at all."""
    if subject.config is None:
        raise PilebuilderError(f"{subject.folder} is no training run: it is in the published layout already")
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise PilebuilderError(f"{out} is there already; give another folder with --out")
    held = subject.tokenizer(tokenizer)
    vocabulary = subject.network.embed.num_embeddings
    config = exchange.hub_config(subject.config, vocabulary, held.eod)
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        (partial / "config.json").write_text(_json(config))
        tensors = exchange.to_hub(dict(subject.network.state_dict()), subject.config.model)
        plain = {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()}
        save_file(plain, partial / WEIGHTS, metadata={"format": "pt"})
        generation = {"bos_token_id": held.eod, "eos_token_id": held.eod, "do_sample": True}
        (partial / "generation_config.json").write_text(_json(generation))
        _tokenizer_files(held, partial, subject.config.data.sequence)
        (partial / "README.md").write_text(card(subject, held, config, evaluations), encoding="utf-8")
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise NoSpaceError(f"{out}: {error.strerror}; nothing was exported") from error
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return out


def _json(content: Any) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _tokenizer_files(tokenizer: Tokenizer, folder: Path, length: int) -> None:
    """``tokenizer.json`` and its configuration; a kind of tokenizer without such a file is refused."""
    if tokenizer.kind == "json":
        (folder / "tokenizer.json").write_bytes(tokenizer.content)
        data = json.loads(tokenizer.content)
    elif tokenizer.digest == gpt2.digest():
        data = gpt2.tokenizer_json()
        (folder / "tokenizer.json").write_text(_json(data), encoding="utf-8")
    else:
        raise PilebuilderError(
            f"tokenizer {tokenizer.name} ({tokenizer.kind}) has no tokenizer.json, which transformers reads; train the"
            " corpus with GPT-2's tokenizer or with a tokenizer.json"
        )
    end = _spelling(data, tokenizer.eod)
    (folder / "tokenizer_config.json").write_text(
        _json(
            {
                "tokenizer_class": "PreTrainedTokenizerFast",
                "model_max_length": length,
                "bos_token": end,
                "eos_token": end,
                "unk_token": None,
                "clean_up_tokenization_spaces": False,
            }
        ),
        encoding="utf-8",
    )
    (folder / "special_tokens_map.json").write_text(_json({"bos_token": end, "eos_token": end}), encoding="utf-8")


def _spelling(data: dict[str, Any], number: int) -> str:
    """The token with an id."""
    for added in data.get("added_tokens") or ():
        if added["id"] == number:
            return str(added["content"])
    vocabulary = data["model"]["vocab"]
    if isinstance(vocabulary, list):
        return str(vocabulary[number][0])
    return str(next(token for token, i in vocabulary.items() if i == number))


def card(subject: Subject, tokenizer: Tokenizer, config: dict[str, Any], evaluations: list[dict[str, Any]]) -> str:
    """``README.md`` of the exported folder: how it was trained, on what, how well it does, what it is not for."""
    assert subject.config is not None
    train, facts = subject.config, subject.facts
    head = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["pilebuilder", config["model_type"]],
    }
    scores = _scores(evaluations)
    if scores:
        head["model-index"] = [{"name": subject.name, "results": [_result(scores)]}]
    settings = {
        "architecture": config["architectures"][0],
        "parameters": f"{facts['parameters']:,}",
        "layers, width, heads": f"{train.model.layers}, {train.model.width}, {train.model.heads}",
        "context": f"{train.data.sequence:,} tokens",
        "vocabulary": f"{config['vocab_size']:,} rows for {tokenizer.size:,} ids of {tokenizer.name}",
        "trained on": f"{facts['tokens']:,} tokens in {facts['step']:,} steps of {train.batch_tokens:,}",
        "optimizer": f"{train.optimizer.name}, rate {train.optimizer.lr:g}, {train.optimizer.schedule}",
        "seed": str(train.seed),
        "configuration (sha256)": train.digest,
        "tokens of the corpus (sha256)": facts["data"],
        "weights of the checkpoint (sha256)": facts["weights"],
    }
    lines = ["---", yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip(), "---", "", f"# {subject.name}"]
    lines += ["", "A language model trained by pilebuilder on a corpus that it built.", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in settings.items()]
    lines += ["", "## Data", "", _data(train.data.weights), "", "## Evaluation", ""]
    lines += _score_table(scores) if scores else ["Not measured: no evaluation of this checkpoint was made."]
    lines += ["", "## Limits", "", *(f"- {line}" for line in _limits(train.data.sequence))]
    lines += ["", "## Use", "", "```python", "from transformers import AutoModelForCausalLM, AutoTokenizer", ""]
    lines += ['model = AutoModelForCausalLM.from_pretrained("FOLDER")']
    lines += ['tokenizer = AutoTokenizer.from_pretrained("FOLDER")', "```", ""]
    return "\n".join(lines)


def _data(weights: Any) -> str:
    start = "The corpus is identified by the digest above; its datasheet and report lie beside it. "
    if weights == "natural":
        return start + "Components were drawn in proportion to their tokens in it."
    rows = ", ".join(f"{name} {value:g}" for name, value in weights.items())
    return start + f"Components were drawn with these weights: {rows}."


def _limits(sequence: int) -> list[str]:
    return [
        "A base model: it continues text. It was not tuned to follow instructions or to refuse anything.",
        "It can repeat errors, prejudice and personal data of its training text; the corpus report says what was"
        " measured there.",
        f"It was trained with contexts of {sequence:,} tokens and is not to be trusted beyond them.",
        "Facts it states are not checked.",
    ]


def _scores(evaluations: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The segments of the test split, else of the validation split."""
    for split in ("test", "val"):
        for held in evaluations:
            if held["split"] == split:
                return {"split": split, **held["protocols"][0]}
    return None


def _score_table(scores: dict[str, Any]) -> list[str]:
    lines = [
        f"Bits per UTF-8 byte on the {scores['split']} split; each document alone, windows of"
        f" {scores['sequence']:,} tokens that do not overlap, each token scored once; standard errors over documents.",
        "",
        "| component | bits per byte | standard error | documents | bytes |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in scores["scores"]:
        error = "" if row["standard_error"] is None else f"{row['standard_error']:.4f}"
        name = row["component"].replace("|", "\\|")
        lines.append(f"| {name} | {row['bits_per_byte']:.4f} | {error} | {row['documents']:,} | {row['bytes']:,} |")
    return lines


def _result(scores: dict[str, Any]) -> dict[str, Any]:
    """The overall value as the Hub's model index wants it."""
    value = round(scores["scores"][-1]["bits_per_byte"], 4)
    return {
        "task": {"type": "text-generation"},
        "dataset": {"name": f"held-out {scores['split']} split of the corpus", "type": "pilebuilder"},
        "metrics": [{"type": "bits_per_byte", "value": value, "name": "bits per UTF-8 byte"}],
    }
