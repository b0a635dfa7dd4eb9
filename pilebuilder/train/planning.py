"""What a run would take, before anything runs. Counts are exact; memory and hours are estimates and say so."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pilebuilder.train.config import VOCABULARY_MULTIPLE, Model, TrainConfig
from pilebuilder.train.energy import carbon
from pilebuilder.units import show_bytes, show_seconds

PEAK = 989e12
"""Dense bf16 FLOP/s of an H100 or H200 SXM (data sheet); the denominator of every MFU here."""

ASSUMED_MFU = 0.45
"""Share of `PEAK` that `hours` assumes: an assumption, not a measurement."""


WATTS = 700.0
"""Power of an H100 SXM under load (its limit), for `energy_kwh`."""

CHINCHILLA = (1.69, 406.4, 0.34, 410.7, 0.28)
"""E, A, alpha, B, beta of L = E + A / N^alpha + B / D^beta, nats per token (Hoffmann et al. 2022, approach 3). Fitted
on other text, another tokenizer and networks above 70M parameters: of the right size, not a prediction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Cost of a run."""

    parameters: int
    matmul_parameters: int
    """Those in matrix products: blocks and head, without the embedding."""
    tokens: int
    steps: int
    tokens_per_parameter: float
    flops_per_token: float
    """6 N_matmul + 12 L d T: the whole square of attention, PaLM's convention."""
    flops_per_token_causal: float
    """6 N_matmul + 6 L d T: half the square."""
    flops: float
    hours: float
    """At `ASSUMED_MFU` of one GPU with `PEAK`: an estimate."""
    state_bytes: int
    """Weights, gradients and moments, fp32: exact."""
    activation_bytes: int
    """Of one micro-batch: an estimate, 34 d bytes per token and layer (Korthikanti et al. 2022) and a chunk of
    logits."""
    energy_kwh: float
    """One GPU at `WATTS` for `hours`, times the PUE of the settings."""
    carbon_grams: float
    """CO2 equivalent, at the grid intensity of the settings."""
    expected_nats_per_token: float | None
    """By `CHINCHILLA`; None for a cut tokenizer, whose tokens are shorter than those it was fitted on."""
    passes: dict[str, float]
    """How often the run goes through each component."""
    advice: str
    """Of rows and documents that do not fit each other (`loader.Source.advice`); empty where they do."""

    def text(self) -> str:
        """One line per figure, for a person."""
        expected = self.expected_nats_per_token
        lines = {
            "parameters": f"{self.parameters:,} ({self.matmul_parameters:,} in matrix products)",
            "tokens": f"{self.tokens:,} in {self.steps:,} steps, {self.tokens_per_parameter:.3g} per parameter",
            "FLOPs": f"{self.flops:.3g} ({self.flops_per_token:.3g} per token, the whole square of attention counted)",
            "memory": f"{show_bytes(self.state_bytes)} of weights, gradients and moments, "
            f"about {show_bytes(self.activation_bytes)} of activations",
            "time": f"about {show_seconds(3600 * self.hours)} on one H100 "
            f"at {ASSUMED_MFU:.0%} of its {PEAK / 1e12:.0f} TFLOP/s",
            "energy": f"about {self.energy_kwh:.3g} kWh and {self.carbon_grams / 1000:.3g} kg CO2e there",
            "expected loss": "not known for a cut tokenizer"
            if expected is None
            else f"{expected:.2f} nats per token, if this text were Chinchilla's",
        }
        width = max(len(name) for name in self.passes)
        passes = [f"  {name:{width}}  {count:.3g}" for name, count in self.passes.items()]
        lines |= {"advice": self.advice} if self.advice else {}
        return "\n".join([*(f"{name:14} {line}" for name, line in lines.items()), "passes over", *passes])

    def as_json(self) -> dict[str, Any]:
        """Plain values by field name."""
        return asdict(self)


def smaller(config: TrainConfig) -> str:
    """What to change when memory ran out: the knob and its value."""
    length, model = config.data.sequence, config.model
    if config.micro_tokens > length:
        half = max(length, config.micro_tokens // length // 2 * length)
        return f"set micro_tokens to {half} (now {config.micro_tokens}); results stay the same up to rounding"
    if length > 512:
        return f"one row is too long: set data.sequence and micro_tokens to {length // 2} (now {length})"
    return (
        f"the weights and their moments are too large: start several processes with control.parallel=fsdp, or take "
        f"model.layers {max(1, model.layers // 2)} (now {model.layers})"
    )


def parameters(shape: Model, vocabulary: int) -> tuple[int, int, int]:
    """All parameters, those in matrix products, and those that Muon would update."""
    d, hidden = shape.width, shape.hidden
    padded = -(-vocabulary // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    gated = shape.family == "modern" and shape.activation == "swiglu"
    matrices = shape.layers * (4 * d * d + (3 if gated else 2) * d * hidden)
    if shape.family == "modern":
        vectors = shape.layers * (2 * d + (2 * shape.head_width if shape.qk_norm else 0)) + d
    else:
        vectors = shape.layers * (4 * d + 4 * d + d + hidden) + 2 * d
    return 2 * padded * d + matrices + vectors, padded * d + matrices, matrices


def flops_per_token(config: TrainConfig, vocabulary: int) -> tuple[float, float]:
    """Forward and backward, by both conventions of `Plan`."""
    _, matmul, _ = parameters(config.model, vocabulary)
    square = config.model.layers * config.model.width * config.data.sequence
    return 6.0 * matmul + 12.0 * square, 6.0 * matmul + 6.0 * square


def make_plan(corpus: Path, config: TrainConfig) -> Plan:
    """The plan of a run on a built corpus."""
    from pilebuilder.train.loader import Source, open_corpus

    source = Source(open_corpus(corpus, config), config)
    total, matmul, in_blocks = parameters(config.model, source.corpus.vocabulary)
    whole, causal = flops_per_token(config, source.corpus.vocabulary)
    tokens = config.steps * config.batch_tokens
    moments = 2 * total - (in_blocks if config.optimizer.name == "muon" else 0)
    # The logits of a chunk, their exponentials and the slope in fp32 (see `loss.CHUNK`).
    logits = 12 * min(4096, config.micro_tokens) * source.corpus.vocabulary
    seen = source.weights * tokens
    hours = whole * tokens / (PEAK * ASSUMED_MFU) / 3600
    kwh, grams = carbon(WATTS * hours * 3600, config.power.pue, config.power.grid_gco2_per_kwh)
    floor, a, alpha, b, beta = CHINCHILLA
    expected = None if config.data.vocabulary else floor + a / total**alpha + b / tokens**beta
    return Plan(
        parameters=total,
        matmul_parameters=matmul,
        tokens=tokens,
        steps=config.steps,
        tokens_per_parameter=tokens / total,
        flops_per_token=whole,
        flops_per_token_causal=causal,
        flops=whole * tokens,
        hours=hours,
        state_bytes=4 * (2 * total + moments),
        activation_bytes=34 * config.model.width * config.model.layers * config.micro_tokens + logits,
        energy_kwh=kwh,
        carbon_grams=grams,
        expected_nats_per_token=expected,
        passes={
            name: float(seen[i] / max(1, source.corpus.component_tokens[i]))
            for i, name in enumerate(source.corpus.components)
        },
        advice=source.advice,
    )
