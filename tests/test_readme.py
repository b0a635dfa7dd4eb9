"""The README is held to the project: its commands are those of the command line, its recipe loads."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from pilebuilder import yamlfile
from pilebuilder.cli import app
from pilebuilder.recipe import find_recipe, resolve_recipe

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_both_commands_are_marked() -> None:
    assert "<!-- command: build -->" in README
    assert "<!-- command: test -->" in README


def test_every_verb_that_the_readme_names_exists() -> None:
    verbs = {c.name or c.callback.__name__ for c in app.registered_commands} | {g.name for g in app.registered_groups}
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
