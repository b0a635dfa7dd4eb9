"""The extension point for semantic dedup: the plug-in that the package's documentation shows, in a whole build."""

from __future__ import annotations

import json
import random
import textwrap
from pathlib import Path

import pilebuilder.dedup
from pilebuilder.build.run import Build, load_manifests
from pilebuilder.partition import read_table
from pilebuilder.recipe import load_recipe
from tests.dedup.driver import Doc, dedup, ids
from tests.dedup.test_stage import prose

RECIPE = """\
name: semantic
plugins: [meaning.py]
components:
  - name: A
    fetch: {{local: {{path: {0}/a.jsonl}}}}
    read: jsonl
  - name: B
    fetch: {{local: {{path: {0}/b.jsonl}}}}
    read: jsonl
clean: []
filter: [meaning]
dedup: {{equal: [meaning], components: {{B: {{methods: [exact]}}}}}}
"""


def test_the_documented_plugin_finds_what_words_alone_do_not(tmp_path: Path) -> None:
    blocks = (pilebuilder.dedup.__doc__ or "").split("::\n")
    plugin = blocks[1].rsplit("\n\nand in the recipe", 1)[0]
    (tmp_path / "meaning.py").write_text(textwrap.dedent(plugin))
    words = prose(1, 200).split()
    random.Random(0).shuffle(words)
    texts = [prose(1, 200), " ".join(words), prose(2, 200)]
    for name, rows in (("a", texts), ("b", [" ".join(reversed(words))])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in rows))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.format(tmp_path))
    out = tmp_path / "out"
    Build(load_recipe(recipe), out, target="dedup").run()
    found = [
        row
        for m in load_manifests(out)["dedup"]
        for a in m.of("removal")
        for row in read_table(out / a.path).to_pylist()
    ]
    assert [row["reason"] for row in found] == ["signal.meaning"]  # B's methods do not include signals
    assert found[0]["row"] in (0, 1)


def test_a_missing_label_never_matches(tmp_path: Path) -> None:
    docs = [Doc(prose(i), signals=s) for i, s in enumerate(({"m": 1.0}, {"m": 1.0}, {}, {}, {"m": 2.0}))]
    found = dedup(tmp_path / "a", docs, equal=["m"], survivor=["longest"])
    assert len(set(found.removed) & set(ids(docs)[:2])) == len(found.removed) == 1
    assert not dedup(tmp_path / "b", docs, equal=["absent"]).removed
