"""The README is held to the project: its commands are those of the command line, its recipe loads."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import typer

from pilebuilder import yamlfile
from pilebuilder.build.run import Build
from pilebuilder.card import card_files, load_card
from pilebuilder.cli import app
from pilebuilder.recipe import find_recipe, load_recipe, resolve_recipe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_both_commands_are_marked() -> None:
    assert "<!-- command: build -->" in README
    assert "<!-- command: test -->" in README


def test_every_verb_that_the_readme_names_exists() -> None:
    verbs = set(typer.main.get_command(app).commands)
    named = set(
        re.findall(r"pilebuilder ([a-z-]+)", " ".join(re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", README, re.S)[0]))
    )
    named |= {
        m
        for block in re.findall(r"```sh\n(.*?)```", README, re.S)
        for m in re.findall(r"\bpilebuilder ([a-z-]+)", block)
    }
    assert named
    assert named <= verbs, named - verbs


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(name:.*?)```", README, re.S))
def test_recipes_in_the_readme_load(block: str) -> None:
    assert resolve_recipe(yamlfile.parse(block, Path("README.md"))).components


def test_the_quickstart_is_what_the_first_command_builds() -> None:
    command = README.split("<!-- command: build -->")[1].split("```")[1]
    last = shlex.split(command.strip().splitlines()[-1])
    assert last[-2:] == ["build", "quickstart"]
    assert find_recipe("quickstart").is_file()


def test_the_rule_of_your_own_works_as_shown(tmp_path: Path) -> None:
    """The file and the recipe lines of the README, built for real; an edit of the file re-runs the filter."""
    code = re.search(r"```python\n(from dataclasses.*?)```", README, re.S)
    lines = re.search(r"```yaml\n(plugins:.*?)```", README, re.S)
    assert code
    assert lines
    (tmp_path / "my_rules.py").write_text(code[1])
    texts = ["Calm words, one after another, as they should be. " * 5, "Buy now! Now! " * 20]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts))
    head = f"name: x\ncomponents:\n  - name: A\n    fetch: {{local: {{path: {tmp_path}/a.jsonl}}}}\n    read: jsonl\n"
    recipe = tmp_path / "r.yaml"
    recipe.write_text(head + "clean: []\n" + lines[1])
    build = Build(load_recipe(recipe), tmp_path / "out", target="filter")
    assert build.run()["filter"]["A"].dropped == {"no-shouting.most": 1}
    (tmp_path / "my_rules.py").write_text(code[1].replace("share > self.most", "share < 0"))
    again = Build(load_recipe(recipe), tmp_path / "out", target="filter")
    assert not again.run()["filter"]["A"].dropped


def test_all_components_of_the_pile_stand_in_the_table() -> None:
    named = set(re.findall(r"^\| ([^|]+) \| `([a-z0-9-]+)` \|", README, re.M))
    cards = {(load_card(stem).name, stem) for stem in card_files() if load_card(stem).pile}
    assert {name for name, _ in named} == {name for name, _ in cards}
    assert named <= cards
    assert len(named) == 22
