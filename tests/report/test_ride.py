"""Measures that ride in the fused pass of clean and filter are those that the report would make of the same texts."""

from __future__ import annotations

import random

import pyarrow as pa
import pytest

from pilebuilder import registry
from pilebuilder.document import text_buffers
from pilebuilder.kernels.textstats import COLUMNS, text_stats
from pilebuilder.partition import read_table, write_table
from pilebuilder.report.counters import Counters
from pilebuilder.report.measures.personal import counted, find
from pilebuilder.report.measures.texts import PERSONAL, Texts
from pilebuilder.task import Artifact, Task
from tests import mini
from tests.report.made import Bench, artifact, scan, table

STEPS = {
    "rules": ["gopher-quality", "gopher-repetition"],
    "edited later": ["gopher-repetition", "pii"],
    "none": ["length"],
}


def documents(n: int = 200) -> list[str]:
    rng = random.Random(5)
    made = []
    for i in range(n):
        text = "\n".join(" ".join(mini.sentence(rng) for _ in range(rng.randint(1, 6))) for _ in range(8))
        text += f" Write to jane{i}@corp-mail.org from 93.184.216.{i}." if i % 3 == 0 else ""
        made.append(text if i % 7 else text + " \u00e9\u4e2d" * 30 + " again and again" * 40)
    return made


def passed(bench: Bench, source: Artifact, steps: list[str], *, measures: bool = True) -> dict[str, Artifact]:
    """Outputs of the fused pass by name, with the digest of the partition as the build resolves it."""
    chosen = [{"name": name, "params": {}} for name in steps]
    params = {"segments": [{"stage": "filter", "steps": chosen}], "sketch": None}
    params["measures"] = registry.part("report", "measures").code if measures else None
    task = Task(
        stage="filter", name="x", function="pilebuilder.steps:transform", code="1", params=params, inputs=(source,),
        component="c",
    )  # fmt: skip
    return bench.run(task)


@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_a_profile_is_the_same_with_and_without_them(tmp_path, monkeypatch, steps):
    monkeypatch.setattr("pilebuilder.steps.CHUNK_BYTES", 1 << 15)
    bench = Bench(tmp_path)
    texts = documents()
    made = passed(bench, bench.partition(table("c", texts), "c"), steps)
    partition, measures = made["docs.parquet"], made["measures.parquet"]
    assert measures.facts["partition"] == "@docs.parquet"
    removed = tmp_path / "removal.parquet"
    write_table(pa.table({"row": pa.array([0, 3, 17])}), removed)
    group = [partition, artifact(removed, "removal", tmp_path, component="c")]
    alone, riding = bench.run(scan(group)), bench.run(scan([*group, measures]))
    assert {n: a.sha256 for n, a in alone.items()} == {n: a.sha256 for n, a in riding.items()}
    rows = read_table(tmp_path / partition.path).num_rows - 3
    assert rows > 100
    assert Counters.read([tmp_path / riding["000-profile.parquet"].path]).get("documents") == rows
    assert ("dup_5_gram_chars" in read_table(tmp_path / measures.path).column_names) == (steps != ["length"])


def test_what_rode_is_true_of_the_texts_that_were_written(tmp_path):
    bench = Bench(tmp_path)
    made = passed(bench, bench.partition(table("c", documents()), "c"), STEPS["edited later"])
    written, measures = (read_table(tmp_path / made[n].path) for n in ("docs.parquet", "measures.parquet"))
    assert sum("<EMAIL>" in t for t in written.column("text").to_pylist()) > 20
    stats = text_stats(*text_buffers(written.column("text").combine_chunks()))
    kept = [n for n in COLUMNS if n in measures.column_names]
    assert len(kept) > 20
    for name in kept:
        assert measures.column(name).to_pylist() == getattr(stats, name).tolist(), name
    for name, values in counted(Texts(written)).items():
        assert measures.column(PERSONAL + name).to_pylist() == values.tolist()


def test_no_report_no_measures(tmp_path):
    bench = Bench(tmp_path)
    source = bench.partition(table("c", documents(20)), "c")
    assert "measures.parquet" not in passed(bench, source, ["length"], measures=False)


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("AKIA" + "A" * 16, ["secret"]),
        ("x" * 5 + "ghp_ghp_" + "b" * 36 + " ", ["secret"]),
        ("xoxoxb-12345678901", ["secret"]),
        ("-----BEGIN RSA PRIVATE KEY-----", ["secret"]),
        ("-----BEGIN PUBLIC KEY-----", []),
        ("hf_" + "C" * 33, []),
        ("eyJ" + "a" * 12 + ".eyJ" + "b" * 12 + "." + "c" * 12, ["secret"]),
        ("github_pat_" + "x" * 70 + " glpat-" + "z" * 20 + " sk_live_" + "Q" * 16, ["secret"] * 3),
        ("a@b.org, c@d.org", ["email", "email"]),
        ("@", []),
        ("a@", []),
        ("", []),
    ],
)
def test_prefixes_at_the_edges_of_a_text(text, kinds):
    for before, after in (("", ""), ("AKI", "A"), ("ghp", "_")):
        content = table("c", [before, text, after])
        assert [m[0] for m in find(Texts(content)) if m[1] == 1] == kinds


FINDS = {
    "phone": ["(415) 555-2671", "4155552671", "415 555.2671"],
    "ipv4": ["8.8.8.8", "93.184.216.34", "250.1.22.3"],
    "card": ["4111 1111 1111 1111", "5500005555555559"],
    "email": ["a@b.org", "1@b.org"],
    "secret": [
        "AKIA" + "A" * 16, "ghp_" + "b" * 36, "github_pat_" + "x" * 60, "glpat-" + "z" * 20, "xoxb-1234567890",
        "sk_live_" + "Q" * 16, "AIza" + "B" * 35, "hf_" + "C" * 34, "sk-ant-" + "d" * 20, "-----BEGIN PRIVATE KEY-----",
        "eyJ" + "a" * 12 + ".eyJ" + "b" * 12 + "." + "c" * 12,
    ],
}  # fmt: skip


@pytest.mark.parametrize(("kind", "what"), [(kind, what) for kind, all_of in FINDS.items() for what in all_of])
def test_everything_is_found_wherever_it_stands(kind, what):
    """At each distance from the beginning of the buffer, of its text, and of the stretch that is looked at at once."""
    lengths = [*range(20), *range(4080, 4110)]
    texts = [part for n in lengths for part in (" " * n + what + " " * (n % 3), "7 1", what)]
    counts = counted(Texts(table("c", texts)))[kind]
    assert counts.tolist() == [1, 0, 1] * len(lengths)
    for n in range(4):
        assert counted(Texts(table("c", [" " * n + what])))[kind].tolist() == [1]
