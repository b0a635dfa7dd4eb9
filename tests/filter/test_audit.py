"""The audit: every rule on every document, marginal and leave-one-out, the same for any cut into partitions."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pilebuilder import registry
from pilebuilder.card import data_folder
from pilebuilder.filter.audit import audit
from pilebuilder.filter.auditpage import histogram, write
from tests.models.docs import docs

TEXTS = [
    "The members of the committee have agreed that it is to be. " * 3, "short", "", "a " * 60,
    "The members of the committee # # have agreed that it is to be done with care. " * 5, "<script>alert(1)</script>\x07",
]  # fmt: skip


def steps(*specs: Any) -> Any:
    made = [(("filter"), s if isinstance(s, str) else s[0], registry.make("step", *((s, {}) if isinstance(s, str) else s)))
            for s in specs]  # fmt: skip
    return lambda component: made


def figures(found: Any, component: str = "Test") -> dict[str, tuple[int, int, int]]:
    return {rule: (of.documents, of.alone, of.first) for rule, of in found.tested[component].items() if of.documents}


def test_marginal_alone_and_first() -> None:
    chosen = steps(("length", {"min_chars": 6, "min_words": 2}), ("gopher-quality", {"min_words": 10}))
    found = audit([("Test", docs(TEXTS).table)], chosen)
    assert found.documents == {"Test": 6}
    assert found.dropped == {"Test": 5}
    got = figures(found)
    assert got["length.min_chars"] == (2, 0, 2)
    assert got["length.min_words"][0] == 2
    assert got["gopher-quality.min_words"][0] == 3
    assert got["gopher-quality.max_hash_ratio"] == (1, 1, 1)
    assert got["gopher-quality.min_mean_word_length"][0] == 2
    assert sum(first for _, _, first in got.values()) == 5
    assert found.together["length.min_chars", "length.min_words"] == 2


def test_alone_is_what_comes_back_without_the_rule() -> None:
    names = ["gopher-quality", "gopher-repetition", "fineweb", "c4"]
    rng = random.Random(5)
    words = ["the", "of", "and", "that", "have", "with", "board", "members", "#", "...", "12", "{", "met", "agreed."]
    texts = [
        "\n".join(" ".join(rng.choices(words, k=rng.randint(1, 30))) for _ in range(rng.randint(1, 6)))
        for _ in range(60)
    ]
    found = audit([("Test", docs(texts).table)], steps(*names[:3]))
    everything = {name: registry.make("step", name, {}) for name in names[:3]}
    d = docs(texts)
    for step in everything.values():
        d = step(d)
    assert len(texts) - len(d) == found.dropped["Test"]
    rule = "gopher-quality.min_alpha_words"
    d = docs(texts)
    for name in names[:3]:
        d = registry.make("step", name, {"min_alpha_words": None} if name == "gopher-quality" else {})(d)
    assert len(texts) - len(d) == found.dropped["Test"] - found.tested["Test"][rule].alone


def test_edits_reach_the_rules_behind_them_and_other_steps_give_their_reasons() -> None:
    texts = ["\x00" * 9 + "ab", "Plain enough.", "Bonjour tout le monde, je suis ici depuis hier et je reste encore."]
    found = audit([("Test", docs(texts).table)], steps("control-characters", ("length", {"min_chars": 3}), "lang"))
    got = figures(found)
    assert got["length.min_chars"][0] == 1
    assert got["lang.other"][0] >= 1
    assert found.tested["Test"]["lang.other"].samples[0][4].startswith("Bonjour")


def test_c4_goes_on_with_the_lines_that_it_leaves() -> None:
    text = "One sentence. Two of them. Three now. Four. And five here.\nmenu\nmenu"
    found = audit([("Test", docs([text, "menu only"]).table)], steps("c4", "fineweb"))
    got = figures(found)
    assert got["c4.min_sentences"] == (1, 0, 1)
    assert got["fineweb.min_terminal_lines"] == (1, 0, 0)  # only the text that c4 would have dropped


def test_the_cut_into_partitions_does_not_matter(tmp_path: Path) -> None:
    table = docs(TEXTS * 4, id=[f"{k:032x}" for k in range(24)]).table
    chosen = steps("length", "gopher-quality", "fineweb")
    whole = audit([("Test", table)], chosen)
    cut = audit([("Test", table.slice(k, 7)) for k in (14, 0, 7, 21)], chosen, chunk_bytes=300)
    assert [json.dumps(r) for r in whole.rows()] == [json.dumps(r) for r in cut.rows()]
    one, two = write(whole, tmp_path / "a"), write(cut, tmp_path / "b")
    for a, b in zip(one, two, strict=True):
        assert a.read_text() == b.read_text()


def test_files(tmp_path: Path) -> None:
    found = audit(
        [("Test <b>", docs(TEXTS, "Test <b>").table), ("Empty", docs([]).table)], steps("length", "gopher-quality")
    )
    paths = write(found, tmp_path)
    assert [p.name for p in paths] == ["audit.csv", "audit.json", "audit.md", "audit.html"]
    page = paths[3].read_text()
    assert "Test &lt;b&gt;" in page
    assert "<b>" not in page.replace("<b>Fails", "").replace("<b>Only", "").replace("<b>First", "")
    assert "<script>alert" not in page
    assert "\\x07" in page
    assert "http" not in page
    rows = json.loads(paths[1].read_text())
    assert rows["components"]["Test <b>"]["documents"] == 6
    assert paths[0].read_text().splitlines()[0].startswith("component,rule,threshold,documents,share")
    assert "| gopher-quality.min_words | 50 |" in paths[2].read_text()


def test_a_step_that_stands_twice_and_signals_in_between() -> None:
    chosen = steps(
        ("text-signals", {"names": ["chars", "words"]}), ("signal-range", {"of": "chars", "min_value": 6}),
        ("signal-range", {"of": "words", "min_value": 2}), ("length", {"min_chars": 6}), ("length", {"min_chars": 30}),
    )  # fmt: skip
    got = figures(audit([("Test", docs(TEXTS).table)], chosen))
    assert got["signal-range.min_value.chars"][0] == got["length.min_chars"][0] == 2
    assert got["length.min_chars (2)"][0] == 3


def test_histogram_of_equal_and_of_no_measures() -> None:
    from pilebuilder.filter.audit import Tested

    assert histogram(Tested()) == ""
    assert "All measures are 3" in histogram(Tested(measures=[(1, 3.0), (2, 3.0)]))
    assert "<line" in histogram(Tested(measures=[(1, 3.0), (2, 3.0)], threshold=5))


def test_rule_table_names_every_rule_and_every_parameter() -> None:
    from pilebuilder.filter.rules import RuleStep, rule_names
    from pilebuilder.filter.ruletable import parameter_table, rule_table

    table, parameters = rule_table(), parameter_table()
    for name in registry.names("step"):
        step = registry.part("step", name).factory
        assert f"## {name}\n" in parameters
        if issubclass(step, RuleStep):
            assert step.name == name
            assert step.source
            for rule in rule_names(step):
                assert f"| `{name}.{rule}` |" in table
    assert "| `gopher-quality.min_words` | < 50 | words, symbols aside |" in table
    for line in parameters.splitlines():
        assert not line.endswith("|  |"), f"no description: {line}"


def test_the_page_of_rules_is_what_the_command_prints() -> None:
    """A process of its own: tests register parts too. Make the page again with the command that it names."""
    command = [sys.executable, "-m", "pilebuilder", "rules", "--parameters"]
    done = subprocess.run(command, capture_output=True, check=True)
    page = (data_folder("pipelines") / "RULES.md").read_bytes()
    assert done.stdout == page
    assert b"pilebuilder rules --parameters > pipelines/RULES.md" in page


def test_a_rule_of_ones_own_in_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user writes to add a rule: this file, named by an entry point in the group pilebuilder.plugins."""
    source = '''
from dataclasses import dataclass
from typing import Annotated, ClassVar
from pydantic import Field
from pilebuilder.filter.rules import RuleStep, Verdicts
from pilebuilder.registry import step

@step("shouting", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Shouting(RuleStep):
    """Drops documents in capitals."""
    name: ClassVar[str] = "shouting"
    source: ClassVar[str] = "house rule"
    max_upper: Annotated[float, Field(ge=0, le=1, description="share of letters in capitals")] = 0.3

    def rules(self, docs):
        stats, found = docs.stats(), Verdicts(self)
        found.high("max_upper", stats.upper / stats.letters.clip(1))
        return list(found)
'''
    assert len(source.strip().splitlines()) <= 20
    (tmp_path / "shouting_rule.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    registry.names("step")  # what is first imported later would be forgotten with the copy
    monkeypatch.setattr(registry, "_PARTS", dict(registry._PARTS))
    __import__("shouting_rule")
    d = docs(["HELLO THERE", "Hello there"])
    assert registry.make("step", "shouting", {})(d).text.to_pylist() == ["Hello there"]
    assert d.count.dropped == {"shouting.max_upper": 1}
    assert figures(audit([("Test", d.table)], steps("shouting")))["shouting.max_upper"] == (1, 1, 1)
