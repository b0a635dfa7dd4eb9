"""Every way to mix, shard and tokenize, as a recipe writes it: read, resolved, and told apart from what is no way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pilebuilder.errors import RecipeError
from pilebuilder.recipe import load_recipe

HEAD = {
    "name": "keys",
    "seed": 1,
    "components": [
        {"name": name, "fetch": {"local": {"path": ".", "licence": "CC0-1.0"}}, "read": "text", "epochs": epochs}
        for name, epochs in (("A", 2.5), ("B", 1))
    ],
}
WAYS: list[dict[str, Any]] = [
    {"mix": {"weights": {"A": 0.5}}},
    {"mix": {"by": "share", "weights": {"A": "70%", "B": "30%"}}},
    {"mix": {"by": "temperature", "temperature": 2}},
    {"mix": {"budget": "10 GB", "policy": "cap", "max_epochs": 8}},
    {"mix": {"tokens": 1_000_000}},
    {"mix": {"duplicates": {2: 2, 5: 3, 100: 1}}},
    {"mix": {"val": "0.5%", "test": {"size": "20 MB"}, "near_heldout": 0.8}},
    {"mix": {"val": {"share": 0.001, "least": 20}, "test": 0.0, "near_heldout": None}},
    {"shard": {"count": 3, "level": 19, "frame": "1 MiB", "parquet": True, "meta": ["url", "signal.lang"]}},
    {"shard": {"size": "1 GB"}},
    {"tokenize": {"formats": ["nanogpt", "llmc", "olmo", "datatrove"], "engine": "tiktoken", "pack": [2048]}},
]


def written(folder: Path, section: dict[str, Any]) -> Path:
    path = folder / "keys.yaml"
    path.write_text(yaml.safe_dump(HEAD | section))
    return path


@pytest.mark.parametrize("section", WAYS, ids=str)
def test_a_recipe_can_ask_for_it(tmp_path: Path, section: dict[str, Any]) -> None:
    recipe = load_recipe(written(tmp_path, section))
    assert [c.epochs for c in recipe.components] == [2.5, 1]
    ((stage, wanted),) = section.items()
    held = recipe.stages[stage]
    assert held is not None
    for key in wanted:
        assert key in held.model_fields_set


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"mix": {"by": "shares"}}, "by"),
        ({"mix": {"budget": "1 GB", "tokens": 5}}, "not both"),
        ({"mix": {"wieghts": {"A": 1}}}, "weights"),
        ({"shard": {"meta": ["licence", "licence"]}}, "twice"),
        ({"tokenize": {"formats": ["nanogpd"]}}, "nanogpt"),
    ],
    ids=str,
)
def test_what_is_no_way_is_refused_by_name(tmp_path: Path, section: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        load_recipe(written(tmp_path, section))
