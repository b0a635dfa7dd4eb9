"""Parts: one door for built-ins and plug-ins, and refusals that say what is allowed."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from pilebuilder import registry
from pilebuilder.errors import RecipeError


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in registry.KINDS:  # what is first imported later would be forgotten with the copy
        registry.names(kind)
    monkeypatch.setattr(registry, "_PARTS", dict(registry._PARTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shout:
    """Make it loud.

    More.
    """

    level: Annotated[float, Field(ge=0, le=1)] = 0.5
    words: tuple[str, ...] = ()


def test_a_part_is_made_from_parameters_and_resolves_its_defaults() -> None:
    registry.step("shout", version=3)(Shout)
    assert registry.make("step", "shout", {"level": 1}) == Shout(level=1.0)
    assert registry.resolved("step", "shout", {"words": ["a"]}) == {"level": 0.5, "words": ["a"]}
    assert registry.part("step", "shout").code == "shout/3"
    assert registry.part("step", "shout").summary == "Make it loud."
    assert registry.schema("step", "shout")["properties"]["level"]["maximum"] == 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"levle": 1}, r"step 'shout' has no parameter 'levle' \(did you mean 'level'\?\); it takes level, words"),
        ({"level": 2}, r"step 'shout', parameter 'level': .*less than or equal to 1, got 2"),
        ({"level": "x"}, r"parameter 'level': .*valid number"),
    ],
)
def test_bad_parameters_are_explained(params: dict[str, object], message: str) -> None:
    registry.step("shout")(Shout)
    with pytest.raises(RecipeError, match=message):
        registry.make("step", "shout", params)


def test_two_parts_cannot_claim_one_name() -> None:
    registry.step("shout")(Shout)
    registry.step("shout")(Shout)  # importing a module twice is no conflict

    class Other:
        pass

    with pytest.raises(RecipeError, match="two parts claim the step name 'shout'"):
        registry.step("shout")(Other)


def test_a_broken_plug_in_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("mine", "no_such_module_anywhere", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [entry])
    registry._load_plugins.cache_clear()
    try:
        with pytest.raises(RecipeError, match=r"the plug-in mine \(no_such_module_anywhere\) does not load"):
            registry._load_plugins()
    finally:
        monkeypatch.undo()
        registry._load_plugins.cache_clear()


@pytest.mark.parametrize("package", ["fetch", "read", "clean", "filter"])
def test_a_package_names_all_parts_that_its_modules_register(package: str) -> None:
    place = f"pilebuilder.{package}"
    told = {f"{place}.{module}": set(names) for module, names in importlib.import_module(place).PARTS.items()}
    source = Path(registry.__file__).parent / package
    decorated = re.compile(r"^@(?:registry\.)?(?:fetcher|reader|step)\(", re.M)
    found = {path.stem for path in source.glob("*.py") if decorated.search(path.read_text())}
    assert {f"{place}.{module}" for module in found} == set(told)
    for module, names in told.items():
        importlib.import_module(module)
        held = {p.name for p in registry._PARTS.values() if p.factory.__module__ == module and p.kind != "stage"}
        assert held == names


def test_a_part_is_imported_without_the_others() -> None:
    code = (
        "import sys; from pilebuilder import registry; registry.part('reader', 'jsonl');"
        "print('pilebuilder.read.jsonl' in sys.modules, 'pilebuilder.read.mediawiki' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.split() == ["True", "False"]
