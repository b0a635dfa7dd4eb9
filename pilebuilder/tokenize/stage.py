"""The tokenize stage: one task per output shard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pilebuilder.registry import stage
from pilebuilder.task import Artifact, Phases, Task, View
from pilebuilder.yamlfile import Strict

Engine = Literal["auto", "pilebuilder", "gigatoken", "tiktoken", "tokenizers", "sentencepiece"]
Format = Literal["megatron", "nanogpt", "llmc", "olmo", "datatrove"]
CODE = "tokenize/1"


class Config(Strict):
    """Tokenizer, engine and formats of the token files."""

    tokenizer: str = Field(
        "gpt2", description="gpt2, or the path of a tokenizer.json, a .tiktoken rank file or a SentencePiece .model"
    )
    eod: str | int | None = Field(
        None, description="token (or id) that ends a document, where the tokenizer file does not make it plain"
    )
    pattern: str | None = Field(
        None, description="how a .tiktoken rank file cuts words: gpt2, cl100k, o200k, or a regular expression"
    )
    vocab_size: int | None = Field(None, ge=1, description="refuse a tokenizer whose vocabulary has another size")
    engine: Engine = Field(
        "auto",
        description="auto takes the fastest engine present that agrees with the reference on the first documents",
    )
    check: int = Field(
        32,
        ge=0,
        description="documents of each component per shard on which a fast engine is compared with the reference",
    )
    formats: list[Format] = Field(
        ["megatron"],
        description="files to write; Megatron's .bin and .idx are always among them, others cost no space",
    )
    pack: list[Annotated[int, Field(ge=16, le=1 << 22)]] = Field(
        default_factory=list,
        description="lengths of training sequences: for each a .pack<length> file says how documents fill sequences"
        " best, with the truncation and padding in the manifest",
    )


@stage("tokenize", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenize:
    """Token files of every shard, with exact counts per document and component."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        """One task for each shard."""
        from pilebuilder.models.vocabulary import load

        config = view.config("tokenize")
        from pilebuilder.tokenize.exports import check

        tokenizer = load(config.tokenizer, eod=config.eod, pattern=config.pattern, size=config.vocab_size)
        check(config.formats, tokenizer)
        params = {
            "tokenizer": config.tokenizer,
            "eod": config.eod,
            "pattern": config.pattern,
            "vocab_size": config.vocab_size,
            "digest": tokenizer.digest,
            "engine": config.engine,
            "check": config.check,
            "pack": sorted(set(config.pack)),
            "formats": list(dict.fromkeys(["megatron", *config.formats])),
        }
        yield [shard_task(shard, params) for shard in view.artifacts("shard", "shard")]


def shard_task(shard: Artifact, params: dict[str, object]) -> Task:
    name = shard.facts["shard"]
    return Task(
        stage="tokenize",
        name=name,
        function="pilebuilder.tokenize.encode:tokenize_shard",
        code=CODE,
        params={**params, "shard": name},
        inputs=(shard,),
    )
