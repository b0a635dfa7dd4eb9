"""``plan --sample``: what is scaled from a sample is near what the whole build then gives, and nothing is left behind."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from pilebuilder.build.estimate import estimate
from pilebuilder.build.run import Build
from pilebuilder.errors import PilebuilderError
from pilebuilder.recipe import load_recipe
from pilebuilder.units import Take
from tests.test_cli import run

RECIPE = """\
name: grown
seed: 3
components:
  - name: Many
    fetch: {{local: {{path: {many}}}}}
    read: text
    epochs: 2
  - name: Few
    fetch: {{local: {{path: {few}}}}}
    read: jsonl
filter: [{{length: {{min_chars: 300}}}}]
dedup: null
mix: {{val: 0.1, test: 0}}
shard: {{count: 2}}
tokenize: {{tokenizer: gpt2}}
"""


def prose(seed: int, words: int) -> str:
    draw = random.Random(seed)
    return " ".join("".join(draw.choices("aeionrst", k=draw.randint(2, 9))) for _ in range(words))


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    many = tmp_path / "many"
    many.mkdir()
    for i in range(120):  # every third one is too short to stay
        (many / f"{i:03}.txt").write_text(prose(i, i % 3 * 80 + 10))
    rows = [{"text": prose(1000 + i, 90)} for i in range(30)]
    few = tmp_path / "few.jsonl"
    few.write_text("".join(json.dumps(row) + "\n" for row in rows))
    path = tmp_path / "grown.yaml"
    path.write_text(RECIPE.format(many=many, few=few))
    return path


def sizes(recipe: Path) -> dict[str, int]:
    folder = recipe.parent
    return {
        "Many": sum(p.stat().st_size for p in (folder / "many").iterdir()),
        "Few": (folder / "few.jsonl").stat().st_size,
    }


def test_what_a_sample_promises_the_whole_keeps(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "grown"
    found = estimate(load_recipe(recipe), sizes(recipe), Take(20_000, "bytes"), out, workers=1)
    assert not list(out.parent.iterdir())
    many, few = found.components
    assert (few.fetched, few.sampled) == (sizes(recipe)["Few"],) * 2
    assert many.fetched == pytest.approx(sizes(recipe)["Many"], rel=1e-6)
    assert many.sampled < 0.5 * many.fetched
    build = Build(load_recipe(recipe), out, target="tokenize")
    tallies = build.run()
    assert (few.documents, few.placed) == (tallies["read"]["Few"].seen, tallies["shard"]["Few"].kept)
    assert many.documents == pytest.approx(tallies["read"]["Many"].seen, rel=0.25)
    assert many.placed == pytest.approx(tallies["shard"]["Many"].kept, rel=0.25)
    assert many.text_bytes == pytest.approx(tallies["shard"]["Many"].bytes_out, rel=0.25)
    tokens = sum(m.facts["tokens"] for m in build.manifests("tokenize"))
    assert many.tokens + few.tokens == pytest.approx(tokens, rel=0.25)
    assert [cost.stage for cost in found.stages] == list(build.stages)
    assert all(cost.seconds > 0 for cost in found.stages)
    shards = next(cost.disk_bytes for cost in found.stages if cost.stage == "shard")
    assert shards == pytest.approx(sum(a.bytes for m in build.manifests("shard") for a in m.outputs), rel=0.5)


def test_what_cannot_be_scaled_is_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(PilebuilderError, match="listing of Few states no sizes"):
        estimate(load_recipe(recipe), {"Many": 10}, Take(1, "bytes"), tmp_path / "out", workers=1)
    (recipe.parent / "many" / "000.txt").write_text("")
    with pytest.raises(PilebuilderError, match="holds nothing of Many"):
        estimate(load_recipe(recipe), sizes(recipe), Take(0, "files"), tmp_path / "out", workers=1)
    assert not list(tmp_path.glob("out*"))


def test_the_command_prints_it(recipe: Path, tmp_path: Path) -> None:
    done = run("plan", recipe, "--sample", "20 kB", "-o", tmp_path / "out", "-w", 1)
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")} >= {"Many", "Few", "shard"}
    assert "--sample x: 'x' is not an amount" in run("plan", recipe, "--sample", "x").stderr
    (recipe.parent / "few.jsonl").unlink()
    missing = run("plan", recipe, "--sample", "1 MB")
    assert missing.returncode == 2
    assert "Few: needs a folder of your own" in missing.stderr
