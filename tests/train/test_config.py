"""Settings: presets, sizes in tokens, errors that name the field; schedules; the plan."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from pilebuilder import train
from pilebuilder.errors import RecipeError
from pilebuilder.train.config import PRESETS, Optimizer, TrainConfig, differences, parse_tokens
from pilebuilder.train.planning import smaller
from pilebuilder.train.schedule import learning_rate
from tests.train.small import make_corpus, small_config


@pytest.mark.parametrize(
    ("name", "low", "high"), [("124m", 110e6, 175e6), ("350m", 340e6, 420e6), ("1.3b", 1.2e9, 1.5e9)]
)
def test_presets_have_about_the_parameters_of_their_names(name: str, low: float, high: float) -> None:
    from pilebuilder.train.planning import parameters

    assert low < parameters(TrainConfig.preset(name).model, 50_257)[0] < high


def test_every_preset_is_accepted_and_survives_json(tmp_path: Path) -> None:
    for name in PRESETS:
        config = TrainConfig.preset(name, seed=5)
        (tmp_path / "c.json").write_text(config.model_dump_json())
        assert TrainConfig.load(tmp_path / "c.json") == config
        assert config.seed == 5


def test_tokens_are_read_as_people_write_them() -> None:
    assert parse_tokens("7B") == 7_000_000_000
    assert TrainConfig.preset("10m", tokens="1.5M").tokens == 1_500_000
    with pytest.raises(RecipeError, match="tokens"):
        TrainConfig.preset("10m", tokens="many")


def test_errors_name_the_field_and_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match=r"model\.widht.*did you mean 'width'"):
        TrainConfig.preset("10m", model={"widht": 3})
    with pytest.raises(RecipeError, match="did you mean '350m'"):
        TrainConfig.preset("350")
    with pytest.raises(RecipeError, match="multiple of micro_tokens"):
        TrainConfig.preset("10m", micro_tokens=3000)


def test_control_stays_out_of_the_digest_and_nothing_else_does() -> None:
    base = TrainConfig.preset("10m")
    assert TrainConfig.preset("10m", control={"log_every": 3}, power={"pue": 1.5}).digest == base.digest
    assert TrainConfig.preset("10m", seed=2).digest != base.digest
    assert TrainConfig.preset("10m", optimizer={"lr": 1e-4}).digest != base.digest


def test_the_size_dial_grows() -> None:
    small, large = TrainConfig.sized(6), TrainConfig.sized(24)
    assert (small.model.width, large.model.width) == (384, 1536)
    assert large.model.head_width == 128
    assert large.tokens > small.tokens
    assert large.optimizer.lr < small.optimizer.lr
    assert (TrainConfig.sized(12).batch_tokens, large.batch_tokens) == (1 << 19, 1 << 20)
    for depth in (1, 2, 3, 7, 40):
        assert TrainConfig.sized(depth).steps > 1
    with pytest.raises(RecipeError, match="number of layers"):
        TrainConfig.parse({"depth": 0})
    with pytest.raises(RecipeError, match="one of preset and depth"):
        TrainConfig.parse({"depth": 3, "preset": "mini"})


def test_differences_are_named() -> None:
    saved = TrainConfig.preset("10m").settings
    other = TrainConfig.preset("10m", seed=3, data={"weights": {"A": 1.0}}, control={"log_every": 7})
    assert differences(saved, other) == (
        " (data.weights: natural there, None here; seed: 1 there, 3 here; data.weights.A: None there, 1.0 here)"
    )
    assert differences(saved, TrainConfig.preset("10m")) == ""


def test_advice_when_memory_runs_out_names_knob_and_value() -> None:
    assert "set micro_tokens to 32768 (now 65536)" in smaller(TrainConfig.preset("10m"))
    long = TrainConfig.preset("10m", data={"sequence": 65_536})
    assert "set data.sequence and micro_tokens to 32768" in smaller(long)
    odd = small_config(data={"sequence": 32}, micro_tokens=96, batch_tokens=192)
    assert "set micro_tokens to 32" in smaller(odd)
    assert "control.parallel=fsdp" in smaller(small_config(micro_tokens=32))


def test_wsd_rises_stays_and_ends_at_the_floor() -> None:
    settings = Optimizer(lr=1.0, warmup=0.1, decay=0.2, floor=0.05)
    rates = [learning_rate(settings, s, 100) for s in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert all(r == 1.0 for r in rates[9:80])
    assert rates[80:] == sorted(rates[80:], reverse=True)
    assert rates[80] < 1.0
    assert rates[-1] == pytest.approx(0.05)


def test_cosine_halves_in_the_middle_and_ends_at_the_floor() -> None:
    settings = Optimizer(lr=1.0, warmup=0.0, schedule="cosine")
    assert learning_rate(settings, 49, 100) == pytest.approx(0.5)
    assert learning_rate(settings, 99, 100) == pytest.approx(0.0, abs=1e-12)
    assert learning_rate(settings, 0, 100) == pytest.approx(0.5 * (1 + math.cos(math.pi / 100)))


def test_plan_counts_what_the_network_has(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from pilebuilder.train.model import GPT

    for family in ("modern", "neox"):
        for activation in ("swiglu", "relu2"):
            shape = {"layers": 2, "width": 32, "heads": 2, "family": family, "activation": activation}
            config = small_config(model=shape)
            plan = train.plan(make_corpus(tmp_path), config)
            model = GPT(config.model, 50)
            assert plan.parameters == sum(p.numel() for p in model.parameters())
            matrices = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
            assert plan.matmul_parameters == sum(m.weight.numel() for m in matrices)
            assert plan.flops_per_token - plan.flops_per_token_causal == 6 * 2 * 32 * 32
            assert sum(plan.passes.values()) > 0
            assert plan.expected_nats_per_token is not None
            assert "on one H100" in plan.text()


def test_importing_the_package_loads_neither_torch_nor_numpy() -> None:
    code = "import sys, pilebuilder.train; print(*sorted({'torch', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
