"""The mix over real tasks: what is placed where, and what it depends on."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pilebuilder.errors import RecipeError
from pilebuilder.mix import Config, Holdout
from tests.mix.building import MiniBuild, ledger
from tests.shard.reading import documents

TEXTS = {
    "Web": [f"web page {i} " * (1 + i % 9) for i in range(900)],
    "Books": [f"chapter {i}\n" * (5 + i % 30) for i in range(120)],
}
EPOCHS = {"Web": 1.5, "Books": 2.0}
MIX: dict[str, Any] = {"val": "2%", "test": {"share": 0.01, "least": 4}}


def build(path: Path, *, mix: dict[str, Any] = MIX, count: int = 3, **fields: Any) -> MiniBuild:
    configs = {"mix": mix, "shard": {"count": count, "meta": ["copy", "meta"], "frame": 4096}}
    return MiniBuild(path, fields.pop("texts", TEXTS), EPOCHS, configs=configs, **fields)


def placed(done: MiniBuild) -> dict[str, list[dict[str, Any]]]:
    return {name: documents(path) for name, path in done.public().items() if name.endswith(".zst")}


def test_every_survivor_is_placed_as_often_as_its_epochs_say(tmp_path: Path) -> None:
    done = build(tmp_path)
    done.remove("Web", [0, 7, 300, 899])
    shards = placed(done.run("mix", "shard"))
    texts = Counter(d["text"] for name, rows in shards.items() if name.startswith("train") for d in rows)
    held = Counter(d["text"] for name in ("val", "test") for d in shards[f"{name}.jsonl.zst"])
    gone = {TEXTS["Web"][i] for i in (0, 7, 300, 899)}
    everything = {t for texts in TEXTS.values() for t in texts}
    assert set(texts) | set(held) == everything - gone
    assert not set(texts) & set(held), "held-out documents never occur in train"
    assert set(held.values()) == {1}
    assert {texts[t] for t in TEXTS["Books"] if t not in held} == {2}
    web = Counter(texts[t] for t in TEXTS["Web"] if t not in held and t not in gone)
    assert set(web) == {1, 2}
    assert 0.43 < web[2] / web.total() < 0.57


def test_holdout_has_the_size_asked_for(tmp_path: Path) -> None:
    shards = placed(build(tmp_path).run("mix", "shard"))
    test = Counter(d["meta"]["pile_set_name"] for d in shards["test.jsonl.zst"])
    assert test["Books"] >= 4, "the least number holds where the share would give fewer"
    big = {"val": "20 KB", "test": 0.0}
    shards = placed(build(tmp_path / "b", mix=big).run("mix", "shard"))
    size = sum(len(d["text"]) for d in shards["val.jsonl.zst"])
    assert 14_000 < size < 26_000
    assert "test.jsonl.zst" not in shards


def test_the_order_does_not_depend_on_partitions_memory_or_slices(tmp_path: Path) -> None:
    first = build(tmp_path / "a").run("mix", "shard").digests()
    other = build(tmp_path / "b", limit=900).run("mix", "shard").digests()
    tight = build(tmp_path / "c", memory=16 << 10).run("mix", "shard")
    assert first == other == tight.digests()
    assert tight.tasks["mix"][-2].params["slices"]["train"] > 30, "the small budget really cut slices"


def test_another_seed_gives_another_order_and_holdout(tmp_path: Path) -> None:
    one = placed(build(tmp_path / "a").run("mix", "shard"))
    two = placed(build(tmp_path / "b", seed=8).run("mix", "shard"))
    assert {d["text"] for d in one["val.jsonl.zst"]} != {d["text"] for d in two["val.jsonl.zst"]}
    assert [d["text"] for d in one["train/00.jsonl.zst"]] != [d["text"] for d in two["train/00.jsonl.zst"]]


def test_components_are_spread_over_every_shard(tmp_path: Path) -> None:
    rows = placed(build(tmp_path).run("mix", "shard"))["train/00.jsonl.zst"]
    halves = [
        Counter(d["meta"]["pile_set_name"] for d in half) for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :])
    ]
    assert all(0.6 * halves[1][n] < halves[0][n] < 1.7 * halves[1][n] for n in TEXTS)


def test_a_takedown_rewrites_only_the_shards_that_hold_the_document(tmp_path: Path) -> None:
    before = build(tmp_path / "a", count=8).run("mix", "shard")
    shards = placed(before)
    victim = TEXTS["Web"][511]
    holding = {
        f"{name.removesuffix('.jsonl.zst')}" for name, rows in shards.items() if any(d["text"] == victim for d in rows)
    }
    after = build(tmp_path / "b", count=8)
    after.remove("Web", [511])
    after.run("mix", "shard")
    keys = [{t.name: t.key for t in b.tasks["shard"]} for b in (before, after)]
    changed = {name for name in keys[0] if keys[0][name] != keys[1][name]}
    assert changed == holding
    assert 0 < len(changed) < 8


def test_ledger_and_counts_tell_everything(tmp_path: Path) -> None:
    mix = {**MIX, "by": "epochs", "weights": {"Web": 0.25}}
    done = build(tmp_path, mix=mix)
    done.remove("Books", [1])
    done.run("mix", "shard")
    rows = ledger(done, "mix")
    held = Counter((r["component"], r["reason"]) for r in rows if r["action"] == "held_out")
    absent = [r for r in rows if r["action"] == "dropped"]
    assert {r["reason"] for r in absent} == {"epochs"}
    assert {r["threshold"] for r in absent} == {0.25}
    assert {r["component"] for r in absent} == {"Web"}
    shards = placed(done)
    for name in ("val", "test"):
        found = Counter(d["meta"]["pile_set_name"] for d in shards[f"{name}.jsonl.zst"])
        assert {c: held[c, name] for c in TEXTS} == {c: found[c] for c in TEXTS}
    drawn = [m for m in done.manifests("mix") if m.name.startswith("draw/")]
    assert sum(m.tally[m.component].seen for m in drawn) == 900 + 119
    assert sum(m.tally[m.component].dropped["epochs"] for m in drawn) == len(absent)


def test_the_mixture_stands_beside_the_one_asked_for(tmp_path: Path) -> None:
    mix = {"by": "share", "weights": {"Web": "40%", "Books": "60%"}, "val": 0.0, "test": "2%"}
    done = build(tmp_path, mix=mix).run("mix", "shard")
    (artifact,) = done.artifacts("mix", "mixture")
    told = json.loads((tmp_path / artifact.path).read_text())["components"]
    assert told["Web"]["share"] == pytest.approx(0.4)
    assert told["Books"]["share"] == pytest.approx(0.6)
    train = [d for name, rows in placed(done).items() if name.startswith("train") for d in rows]
    size = Counter()  # type: ignore[var-annotated]
    for d in train:
        size[d["meta"]["pile_set_name"]] += len(d["text"].encode())
    assert told["Web"]["realised_share"] == pytest.approx(size["Web"] / size.total())
    assert told["Web"]["realised_share"] == pytest.approx(0.4, abs=0.03)
    assert told["Web"]["splits"]["train"]["copies"] == sum(d["meta"]["pile_set_name"] == "Web" for d in train)


def test_labels_coded_as_dictionaries_survive(tmp_path: Path) -> None:
    signals = {"Web": {"lang": ["en", "de", None] * 300}}
    done = build(tmp_path, signals=signals).run("mix", "shard")
    (summary,) = [a for a in done.artifacts("shard", "summary") if a.facts["split"] == "val"]
    languages = json.loads((tmp_path / summary.path).read_text())["Web"]["languages"]
    assert set(languages) <= {"en", "de", "und"}
    assert sum(n for n, _ in languages.values()) > 5


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ({"val": "60%"}, "less than or equal to 0.5"),
        ({"val": {"share": 0.1, "size": "1 MB"}}, "a share or a size"),
        ({"by": "share"}, "needs `weights`"),
        ({"by": "temperature", "weights": {"Web": 1}}, "remove `weights`"),
        ({"weights": {"Web": -1}}, "greater than or equal to 0"),
        ({"epoch": 1}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(mix: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Config(**mix)


def test_holdouts_as_people_write_them() -> None:
    def read(value: Any) -> Holdout:
        return Config(val=value).val

    assert read("0.5%").share == pytest.approx(0.005)
    assert read(0.01).share == 0.01
    assert read(0).share == 0
    assert read("2 GiB").size == 2 << 30


def test_holdouts_that_cannot_be_met(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="more than half"):
        build(tmp_path / "a", mix={"val": "10 MB"}).run("mix")
    with pytest.raises(RecipeError, match="hold out 80% of the corpus"):
        build(tmp_path / "b", mix={"val": "40%", "test": "40%"}).run("mix")


def test_shard_size_sets_the_count_and_refuses_a_document_above_it(tmp_path: Path) -> None:
    done = build(tmp_path)
    done.configs["shard"] = done.configs["shard"].model_copy(update={"count": 30, "size": 40_000})
    shards = placed(done.run("mix", "shard"))
    train = [sum(len(d["text"]) for d in rows) for name, rows in shards.items() if name.startswith("train")]
    assert len(train) == -(-sum(train) // 40_000)
    done = build(tmp_path / "b", texts={**TEXTS, "Books": ["x" * 50_000]})
    done.configs["shard"] = done.configs["shard"].model_copy(update={"size": 40_000})
    with pytest.raises(RecipeError, match=r"largest document \(50000 bytes"):
        done.run("mix")


def test_dictionary_columns_become_plain() -> None:
    from pilebuilder.mix.draw import _plain

    table = pa.table({"lang": pa.array(["en", None]).dictionary_encode(), "n": [1, 2]})
    assert _plain(table).schema.field("lang").type == pa.string()
    assert _plain(table).column("lang").to_pylist() == ["en", None]


def test_documents_of_large_clusters_are_repeated(tmp_path: Path) -> None:
    mix = {"val": 0.0, "test": 0.0, "duplicates": {2: 2, 4: 3.0, 6: 0}}
    done = build(tmp_path, mix=mix, texts={"Books": TEXTS["Books"], "Web": TEXTS["Web"]}, limit=2000)
    # Books come first: documents 0 to 119. Web document 100 is number 220; it was found five times, and so on.
    done.remove("Web", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    done.fate({121: 220, 122: 220, 123: 220, 124: 220, 125: 0, 126: 119, 127: 300})
    done.fate({128: 300, 129: 300, 130: 300, 131: 300})
    texts = Counter(d["text"] for rows in placed(done.run("mix", "shard")).values() for d in rows)
    assert texts[TEXTS["Web"][100]] in (4, 5), "1.5 epochs times 3"
    assert texts[TEXTS["Books"][0]] == texts[TEXTS["Books"][119]] == 4
    assert texts[TEXTS["Books"][1]] == 2
    assert texts[TEXTS["Web"][180]] == 0, "from six copies on: none"
    assert len(done.partitions()) > 30


def test_a_budget_in_tokens_is_met(tmp_path: Path) -> None:
    from pilebuilder.models import encoders
    from pilebuilder.models.vocabulary import load

    wanted = 40_000
    mix = {"by": "share", "weights": {"Web": 1, "Books": 1}, "tokens": wanted, "val": 0.0, "test": 0.0}
    done = build(tmp_path, mix=mix).run("mix", "shard", "tokenize")
    total = Counter()  # type: ignore[var-annotated]
    for manifest in done.manifests("tokenize"):
        (path,) = [done.root / a.path for a in manifest.of("tokens") if a.path.endswith(".json")]
        for part in json.loads(path.read_text())["components"]:
            total[part["name"]] += part["tokens"]
    assert total.total() == pytest.approx(wanted, rel=0.03)
    assert total["Web"] == pytest.approx(wanted / 2, rel=0.04)
    (artifact,) = done.artifacts("mix", "mixture")
    told = json.loads((tmp_path / artifact.path).read_text())["components"]
    assert encoders.reference(load("gpt2")).name == "tiktoken"
    assert 0.2 < told["Web"]["tokens_per_byte"] < 0.6
    with pytest.raises(RecipeError, match=r"mix cannot be met.* tokens for training"):
        build(tmp_path / "b", mix={**mix, "tokens": 10_000_000}).run("mix")


def test_many_runs_are_merged_and_the_shards_stay_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signals = {"Web": {"lang": ["en", "de", None] * 300}}
    expected = build(tmp_path / "a", limit=2000, signals=signals).run("mix", "shard").digests()
    monkeypatch.setattr("pilebuilder.mix.stage.FAN", 5)
    monkeypatch.setattr("pilebuilder.mix.stage.MERGE", 3)
    done = build(tmp_path / "b", limit=2000, signals=signals).run("mix", "shard")
    assert {t.name.split("/")[1] for t in done.tasks["mix"] if t.name.startswith("merge")} == {"0", "1"}
    assert len(done.tasks["shard"][0].inputs) <= 5
    assert done.digests() == expected
