"""What a training run is: typed settings, presets, and one dial for the size. Every batch size is in tokens.

A run is a pure function of (digest of the tokens, `TrainConfig.digest`, version of the code). `Control` and `Power`
stay out of the digest: they say when to log, save and evaluate and on what device, never what is computed.
"""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from pilebuilder.digest import canonical
from pilebuilder.errors import RecipeError, nearest
from pilebuilder.registry import section

VOCABULARY_MULTIPLE = 128
"""Rows of embedding and head are padded to it, so that matrix kernels take their fast paths."""

_SCALE = {"": 1, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}


def parse_tokens(value: Any) -> Any:
    """A number of tokens from ``7B``, ``300 M``, ``524_288``.

    >>> parse_tokens("2.5B"), parse_tokens("524_288")
    (2500000000, 524288)
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"\s*([0-9][0-9_,]*(?:\.[0-9]+)?)\s*([KMBT]?)\s*", value, re.IGNORECASE)
    if not match:
        raise ValueError(f"{value!r} is not a number of tokens; write for example 524_288, 300M or 7B")
    return int(float(match[1].replace("_", "").replace(",", "")) * _SCALE[match[2].upper()])


_WRITTEN = WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})
Tokens = Annotated[int, BeforeValidator(parse_tokens), _WRITTEN]


class Part(BaseModel):
    """Base of the parts: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Model(Part):
    """Shape of the network."""

    family: Literal["modern", "neox"] = "modern"
    """``modern``: RMSNorm, rotary positions, no biases, serial residuals (Qwen3, Llama). ``neox``: GPT-NeoX (Pythia):
    LayerNorm, biases, GELU, a quarter of each head rotated, parallel residuals."""
    layers: Annotated[int, Field(ge=1, le=512)] = 6
    width: Annotated[int, Field(ge=8, le=65536)] = 384
    heads: Annotated[int, Field(ge=1, le=1024)] = 3
    activation: Literal["swiglu", "relu2"] = "swiglu"
    """Of ``modern``; ``neox`` has GELU."""
    qk_norm: bool = True
    """Of ``modern``: norms of each query and key head, which bounds the scores (Qwen3). Without it: Llama's block."""
    rotary_base: Annotated[float, Field(gt=1)] = 10_000.0

    @property
    def head_width(self) -> int:
        """Channels of a head."""
        return self.width // self.heads

    @property
    def hidden(self) -> int:
        """Channels inside the MLP: 4 d, and 8/3 d (next multiple of 64) where a gate adds a third matrix."""
        gated = self.family == "modern" and self.activation == "swiglu"
        return -(-8 * self.width // 192) * 64 if gated else 4 * self.width

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.width % self.heads or self.head_width % 8:
            raise ValueError(f"width {self.width} over {self.heads} heads is not a multiple of 8 channels each")
        return self


class Data(Part):
    """What is read, and how it is cut."""

    sequence: Annotated[int, Field(ge=8, le=1 << 20)] = 2048
    """Tokens predicted per row."""
    weights: Literal["natural"] | dict[str, Annotated[float, Field(ge=0)]] = "natural"
    """Share of rows by component. ``natural``: as many as the corpus has tokens of it (the mix decided already)."""
    vocabulary: Annotated[int, Field(ge=257, le=1 << 16)] | None = None
    """Cut a larger tokenizer to its first merges, so many ids in all: for small networks, whose head would be most
    of the work. None: the tokenizer as it is."""
    packing: Literal["concat", "best-fit"] = "concat"
    """``concat``: documents one after another, cut every `sequence` tokens. ``best-fit``: only documents longer than a
    row are cut; a small share of places is padding."""
    attention: Literal["row", "document"] = "row"
    """``document`` hides from each token what belongs to other documents in its row."""
    verify: bool = True
    """Compare every token file with the digest in its manifest before the first step."""


class Optimizer(Part):
    """How weights change. One learning rate: Muon's updates are scaled to the size of AdamW's."""

    name: Literal["muon", "adamw"] = "muon"
    """``muon``: Muon for the matrices of the blocks, AdamW for the rest. ``adamw``: AdamW for all."""
    lr: Annotated[float, Field(gt=0, le=1)] = 6e-4
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.1
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1)] = 0.95
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.95
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Largest norm of all gradients together."""
    z_loss: Annotated[float, Field(ge=0)] = 0.0
    """Factor of the squared log-partition added to the loss (PaLM: 1e-4); keeps logits from drifting."""
    schedule: Literal["wsd", "cosine"] = "wsd"
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Share of steps in which the rate rises from zero."""
    decay: Annotated[float, Field(ge=0, le=1)] = 0.2
    """``wsd``: share of steps, at the end, in which the rate falls."""
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Rate at the last step, as a share of `lr`."""


class Guard(Part):
    """Which steps are skipped: those not finite, and those far above the last `window` accepted ones. What is jumped
    over: the steps around `skips` skipped ones of the last `span`, or over which the mean loss rose by `rise`."""

    sigma: Annotated[float, Field(gt=0)] = 6.0
    window: Annotated[int, Field(ge=4, le=4096)] = 128
    skips: Annotated[int, Field(ge=1)] = 3
    span: Annotated[int, Field(ge=2, le=4096)] = 50
    rise: Annotated[float, Field(gt=0)] = 0.3
    """Nats per token."""
    rollbacks: Annotated[int, Field(ge=0)] = 5
    """The run stops instead of going back once more."""


class Control(Part):
    """When to log, save, evaluate, and on what; the one part a resumed run may change."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    compile: Literal["auto", "off", "blocks"] = "auto"
    """``auto`` compiles each block on a GPU."""
    deterministic: bool = False
    """On a GPU: only kernels that give the same bits each time, so that a resumed run repeats its losses exactly.
    Slower: cuDNN's attention is not among them. On a CPU every run is exact."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Of several processes: each holds all weights, or a part of every weight (for what one GPU cannot hold)."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Of PyTorch on a CPU; None: one per core. Networks of a few million parameters are fastest with one."""
    log_every: Annotated[int, Field(ge=1)] = 10
    checkpoint_every: Annotated[int, Field(ge=1)] = 500
    keep: Annotated[int, Field(ge=1)] = 2
    """Checkpoints kept, newest first."""
    evaluate_every: Annotated[int, Field(ge=0)] = 0
    """Steps between evaluations on ``val``, the first before the first step; 0 evaluates at the end alone."""
    evaluate_tokens: Tokens = Field(default=200_000, ge=1)
    """Limit of each component in evaluations during the run; whole documents are taken."""


class Power(Part):
    """How energy becomes carbon in the report; like `Control`, it decides nothing that is computed."""

    pue: Annotated[float, Field(ge=1, le=5)] = 1.2
    """Energy of the building over that of its machines; see `energy.PUE`."""
    grid_gco2_per_kwh: Annotated[float, Field(ge=0)] = 480.0
    """Grams of CO2 equivalent per kWh; see `energy.GRID_GCO2_PER_KWH`."""


_BESIDE = {"control", "power"}
"""Parts that stay out of the digest."""

_START: dict[str, Any] = {"preset": {"type": "string"}, "depth": {"type": "integer", "minimum": 1}}


@section("train")
class TrainConfig(Part):
    """Everything that decides a run, beside the tokens.

    Plain values may begin with ``preset: NAME`` or ``depth: LAYERS`` (the size dial); what else they say wins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"properties": _START})

    model: Model = Model()
    data: Data = Data()
    optimizer: Optimizer = Optimizer()
    guard: Guard = Guard()
    control: Control = Control()
    power: Power = Power()
    tokens: Tokens = Field(default=200_000_000, ge=1)
    """Tokens to train on; the last step is the one that reaches them."""
    batch_tokens: Tokens = Field(default=65_536, ge=1)
    """Per step, over all accumulation."""
    micro_tokens: Tokens = Field(default=16_384, ge=1)
    """Per pass through the network; memory grows with it, results differ only by the order of sums."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of activations; weights and optimizer are fp32. ``auto``: bf16 on a GPU, fp32 on a CPU."""
    seed: int = 1

    @property
    def rows(self) -> int:
        """Rows per step."""
        return self.batch_tokens // self.data.sequence

    @property
    def micro_rows(self) -> int:
        """Rows per pass."""
        return self.micro_tokens // self.data.sequence

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return -(-self.tokens // self.batch_tokens)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of `settings`."""
        return hashlib.sha256(canonical(self.settings).encode()).hexdigest()

    @property
    def settings(self) -> dict[str, Any]:
        """Plain values of all that decides what is computed."""
        return self.model_dump(mode="json", exclude=_BESIDE)

    @model_validator(mode="before")
    @classmethod
    def _begin(cls, content: Any) -> Any:
        """Replace ``preset`` or ``depth`` by the settings it stands for."""
        if not isinstance(content, dict) or not _START.keys() & content.keys():
            return content
        changes = {key: value for key, value in content.items() if key not in _START}
        preset, depth = content.get("preset"), content.get("depth")
        if (preset is None) == (depth is None):
            raise ValueError("give one of preset and depth")
        if depth is not None:
            return merged(_sized(depth), changes)
        if preset not in PRESETS:
            hint = nearest(str(preset), PRESETS)
            raise ValueError(f"no training preset {preset!r}{hint}; there are {', '.join(PRESETS)}")
        return merged(PRESETS[preset], changes)

    @model_validator(mode="after")
    def _batches_divide(self) -> Self:
        length = self.data.sequence
        if self.batch_tokens % self.micro_tokens or self.micro_tokens % length:
            raise ValueError(
                f"batch_tokens {self.batch_tokens} must be a multiple of micro_tokens {self.micro_tokens}, "
                f"and that of data.sequence {length}"
            )
        return self

    @classmethod
    def preset(cls, name: str, **changes: Any) -> TrainConfig:
        """A preset with changes: ``TrainConfig.preset("30m", tokens="1B", data={"sequence": 1024})``."""
        return cls.parse({"preset": name, **changes})

    @classmethod
    def sized(cls, layers: int, **changes: Any) -> TrainConfig:
        """The one dial (see `_sized`) with changes, as in `preset`."""
        return cls.parse({"depth": layers, **changes})

    @classmethod
    def parse(cls, content: Any) -> TrainConfig:
        """A config from plain values; raises `RecipeError` naming each field that cannot be accepted."""
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            rows = []
            for row in error.errors():
                place = ".".join(str(p) for p in row["loc"]) or "train"
                rows.append(f"{place}: {row['msg'].removeprefix('Value error, ')}{_hint(cls, row)}")
            raise RecipeError("; ".join(rows)) from error

    @classmethod
    def load(cls, path: Path) -> TrainConfig:
        """A config as a run saved it (JSON)."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise RecipeError(f"{path} is not the configuration of a training run: {error}") from error


def _hint(cls: type[BaseModel], row: Any) -> str:
    """The nearest known name for an unknown one."""
    if row["type"] != "extra_forbidden":
        return ""
    owner: Any = cls
    for part in row["loc"][:-1]:
        owner = owner.model_fields[part].annotation
    return nearest(str(row["loc"][-1]), owner.model_fields)


def differences(saved: dict[str, Any], config: TrainConfig) -> str:
    """What a saved configuration has otherwise, for a message: `` (optimizer.lr: 0.001 there, 0.003 here)``."""
    mine, there = _flat(config.settings), _flat(saved)
    names = [name for name in {**there, **mine} if there.get(name) != mine.get(name)]
    return f" ({'; '.join(f'{n}: {there.get(n)} there, {mine.get(n)} here' for n in names)})" if names else ""


def _flat(content: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Nested values by dotted name."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        found |= _flat(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return found


def merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes`; parts that are given in part keep the rest."""
    result = dict(base)
    for key, value in changes.items():
        held = result.get(key)
        plain = value.model_dump() if isinstance(value, BaseModel) else value
        result[key] = {**held, **plain} if isinstance(held, dict) and isinstance(plain, dict) else plain
    return result


def _sized(layers: Any) -> dict[str, Any]:
    """Width 64 per layer (next multiple of 128), heads of 128 channels, 20 tokens per parameter of the blocks."""
    # The batch grows with the power 0.383 of the tokens (nanochat's law), from the preset 124m's.
    if not isinstance(layers, int) or not 1 <= layers <= 512:
        raise ValueError(f"depth is a number of layers from 1 to 512, not {layers!r}")
    width = max(128, -(-64 * layers // 128) * 128)
    parameters = 12 * layers * width**2
    # The rates of GPT-3's table 2.1 lie near this power law of the parameters.
    rate = min(2e-3, 6e-4 * (parameters / 85e6) ** -0.25)
    shape = {"layers": layers, "width": width, "heads": width // 128}
    tokens = 20 * parameters
    batch = 2 ** max(13, round(math.log2(524_288 * (tokens / 2.5e9) ** 0.383)))
    micro = min(batch, 65_536 if width <= 1024 else 16_384)
    rates = {"lr": float(f"{rate:.2g}")}
    return {"model": shape, "tokens": tokens, "batch_tokens": batch, "micro_tokens": micro, "optimizer": rates}


def _preset(layers: int, width: int, heads: int, lr: float, tokens: str, batch: int, micro: int) -> dict[str, Any]:
    return {
        "model": {"layers": layers, "width": width, "heads": heads},
        "optimizer": {"lr": lr},
        "tokens": tokens,
        "batch_tokens": batch,
        "micro_tokens": micro,
    }


PRESETS: dict[str, dict[str, Any]] = {
    "mini": {
        "model": {"layers": 2, "width": 128, "heads": 2},
        "data": {"sequence": 128, "vocabulary": 2048},
        "optimizer": {"lr": 5e-3},
        "control": {"threads": 1, "checkpoint_every": 100, "evaluate_every": 100, "evaluate_tokens": 10_000},
        "tokens": 300 * 1024,
        "batch_tokens": 1024,
        "micro_tokens": 1024,
    },
    "10m": _preset(6, 384, 3, 2e-3, "200M", 65_536, 65_536),
    "30m": _preset(8, 512, 4, 1e-3, "600M", 131_072, 65_536),
    "124m": _preset(12, 768, 6, 6e-4, "2.5B", 524_288, 65_536),
    "350m": _preset(24, 1024, 8, 3e-4, "7B", 524_288, 65_536),
    "1.3b": _preset(24, 2048, 16, 2e-4, "26B", 1_048_576, 16_384),
}
"""By name: ``mini`` for a few hundred steps on a CPU; the others for one GPU with 80 GB, rates after GPT-3's table 2.1
(124m and up), tokens about 20 per parameter."""
