"""Recipes and cards: what is refused, and that the message says where, what and how to mend it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilebuilder import yamlfile
from pilebuilder.card import card_files, data_folder, load_card
from pilebuilder.errors import RecipeError
from pilebuilder.recipe import find_recipe, json_schema, load_recipe, resolve_recipe

GOOD = """\
name: tiny
seed: 7
components:
  - name: notes
    fetch: {local: {path: data}}
    read: text
filter:
  - length: {min_chars: 10}
"""


def recipe(text: str) -> object:
    return resolve_recipe(yamlfile.parse(text, Path("my.yaml")))


def test_a_small_recipe_resolves_with_defaults() -> None:
    found = resolve_recipe(yamlfile.parse(GOOD, Path("my.yaml")))
    assert found.seed == 7
    assert found.components[0].read == ("text", {})
    assert found.stages["dedup"] is not None
    assert found.partition_bytes == 64 << 20
    assert len(found.digest) == 64


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed: 7", "sed: 7", r"my\.yaml:2: unknown key 'sed' \(did you mean 'seed'\?\)"),
        ("seed: 7", "seed: -1", r"my\.yaml:2: seed: .*greater than or equal to 0.* got -1"),
        ("    read: text", "    red: text", r"my\.yaml:6: unknown key 'red' \(did you mean 'read'\?\)"),
        ("read: text", "read: txet", r"my\.yaml:6: .*no reader is named 'txet' \(did you mean 'text'\?\)"),
        ("{path: data}", "{pth: data}", r"my\.yaml:5: .*has no parameter 'pth' \(did you mean 'path'\?\)"),
        (
            "length: {min_chars",
            "lenght: {min_chars",
            r"my\.yaml:8: .*no step is named 'lenght' \(did you mean 'length'\?\)",
        ),
        ("min_chars: 10", "min_char: 10", r"my\.yaml:8: .*no parameter 'min_char' \(did you mean 'min_chars'\?\)"),
        ("min_chars: 10", "min_chars: -5", r"my\.yaml:8: .*min_chars.*greater than or equal to"),
        ("min_chars: 10", "min_chars: 10, only: [nots]", r"no component is named 'nots' \(did you mean 'notes'\?\)"),
        ("name: tiny", "name: tiny\nname: two", r"my\.yaml:2: 'name' stands twice"),
        ("name: tiny", "name: [tiny", r"my\.yaml:\d+: not valid YAML"),
        ("path: data", "path: '${HOME_OF_DATA}'", r"is used but not declared; add it to the recipe's list `env:"),
        ("seed: 7", "api_key: abcdefgh", r"my\.yaml:2: 'api_key' looks like a credential"),
        ("path: data", "path: hf_abcdefghijklmnopqrstuvwxyz", r"looks like a token; secrets never stand in a recipe"),
        ("seed: 7", "mix: null", r"my\.yaml:2: the stage mix cannot be turned off"),
        (
            "read: text",
            "read: text\n  - name: notes\n    fetch: {local: {path: x}}\n    read: text",
            "two components are named",
        ),
    ],
)
def test_what_is_refused_is_explained(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(RecipeError, match=message):
        recipe(GOOD.replace(old, new, 1))


def test_environment_variables_expand_only_where_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    text = GOOD.replace("path: data", "path: '${CORPUS_DATA}/x'").replace("seed: 7", "env: [CORPUS_DATA]")
    with pytest.raises(RecipeError, match="the environment has no CORPUS_DATA"):
        recipe(text)
    monkeypatch.setenv("CORPUS_DATA", "/data")
    found = resolve_recipe(yamlfile.parse(text, Path("my.yaml")))
    assert found.components[0].fetch == ("local", {"path": "/data/x"})


def test_null_turns_a_stage_off() -> None:
    found = resolve_recipe(yamlfile.parse(GOOD + "dedup: null\nclean: null\n", Path("my.yaml")))
    assert found.stages["dedup"] is None
    assert found.stages["clean"].root == []


def test_opt_in_needs_the_users_word(tmp_path: Path) -> None:
    card = "name: Talk\nfetch: {local: {path: x}}\nread: text\naccess: opt_in\nterms: Talk Inc.\n"
    (tmp_path / "talk.yaml").write_text(card)
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ncomponents:\n  - card: talk.yaml\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:3: 'Talk' is fetched only on your word.*Talk Inc\."):
        load_recipe(path)
    path.write_text("name: r\ncomponents:\n  - card: talk.yaml\n    accept_terms: true\n    epochs: 2\n")
    assert load_recipe(path).components[0].epochs == 2


def test_the_recipe_adds_to_a_cards_parameters_or_replaces_the_part(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("name: C\nfetch: {local: {path: x, include: ['*.txt']}}\nread: text\n")
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ncomponents:\n  - card: c.yaml\n    fetch: {local: {path: y}}\n    read: jsonl\n")
    component = load_recipe(path).components[0]
    assert component.fetch == ("local", {"path": "y", "include": ["*.txt"]})
    assert component.read == ("jsonl", {})


def test_every_shipped_recipe_and_card_loads() -> None:
    assert all(load_card(stem).name for stem in card_files())
    recipes = {p.stem: p for p in data_folder("pipelines").glob("*.yaml")}
    with pytest.raises(RecipeError, match=r"pile\.yaml:\d+: 'OpenWebText2' is fetched only on your word"):
        load_recipe(recipes.pop("pile"))
    assert find_recipe("quickstart") in recipes.values()
    assert all(load_recipe(path).components for path in recipes.values())


def test_the_pile_recipe_names_its_22_components_with_the_piles_epochs(tmp_path: Path) -> None:
    text = find_recipe("pile").read_text().replace("accept_terms: false", "accept_terms: true")
    text = text.replace("acknowledge_rights: false", "acknowledge_rights: true")
    (tmp_path / "pile.yaml").write_text(text)
    components = load_recipe(tmp_path / "pile.yaml").components
    assert len(components) == 22
    assert all(c.card.pile and c.epochs == c.card.pile.epochs for c in components)


def test_an_unknown_recipe_names_the_shipped_ones() -> None:
    with pytest.raises(RecipeError, match=r"no recipe is named 'quickstrat' \(did you mean 'quickstart'\?\)"):
        find_recipe("quickstrat")


def test_the_json_schema_accepts_what_loads_and_refuses_what_does_not() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema()
    data = yamlfile.load(find_recipe("quickstart")).data
    jsonschema.validate(data, schema)
    wrong = [
        {**data, "colour": 1},
        {**data, "filter": [{"length": {"min_char": 1}}]},
        {**data, "filter": ["lenght"]},
        {**data, "components": [{"card": "licences", "read": {"txt": {}}}]},
        {**data, "dedup": {"exactly": True}},
    ]
    for recipe in wrong:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(recipe, schema)
