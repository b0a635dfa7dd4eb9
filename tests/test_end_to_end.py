"""The whole road on a small corpus: the sums, determinism, resume after a kill, tampering, what a person is told."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import zstandard

from pilebuilder.build.browse import Wanted, browse
from pilebuilder.build.run import Build, load_manifests
from pilebuilder.build.verify import verify
from pilebuilder.build.why import history, tell
from pilebuilder.errors import PilebuilderError
from pilebuilder.ledger import Tally
from pilebuilder.recipe import load_recipe
from tests import mini

PUBLISHED = ("train", "tokens", "ledger", "reports")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mini.make(tmp_path_factory.mktemp("raw"))


def build(recipe: Path, out: Path, **options: object) -> Build:
    run = Build(load_recipe(recipe), out, **options)  # type: ignore[arg-type]
    run.run()
    return run


@pytest.fixture(scope="module")
def reference(recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed build with two workers."""
    out = tmp_path_factory.mktemp("reference") / "out"
    build(recipe, out, workers=2)
    return out


def digests(out: Path) -> dict[str, str]:
    lock = json.loads((out / "corpus.lock").read_text())
    return {entry["path"]: entry["sha256"] for entry in lock["outputs"]}


def lines(path: Path) -> list[dict[str, object]]:
    with zstandard.open(path, "rt", encoding="utf-8") as stream:
        return [json.loads(line) for line in stream]


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "pilebuilder", *map(str, arguments)]


def test_the_layout_is_as_promised(reference: Path) -> None:
    for n in range(3):
        assert (reference / "train" / f"{n:02}.jsonl.zst").is_file()
        for ending in ("bin", "idx", "json"):
            assert (reference / "tokens" / f"train_{n:02}.{ending}").is_file()
    for name in ("val.jsonl.zst", "test.jsonl.zst", "corpus.lock", "reports/index.html"):
        assert (reference / name).is_file()
    assert list((reference / "ledger").glob("*.parquet"))


def content(path: Path) -> bytes:
    """What a reader of a published file can see, decompressed."""
    if path.suffix == ".parquet":
        return repr(pq.read_table(path).to_pylist()).encode()
    if path.suffix == ".zst":
        return zstandard.open(path).read()
    return path.read_bytes()


def test_nothing_published_tells_where_files_lay_on_this_machine(reference: Path, recipe: Path) -> None:
    published = [
        p for place in (*PUBLISHED, "corpus.lock") for p in [reference / place, *(reference / place).rglob("*")]
    ]
    telling = [p.name for p in published if p.is_file() and str(recipe.parent).encode() in content(p)]
    assert telling == []
    names = {row["name"] for p in (reference / "ledger").glob("inventory-*") for row in pq.read_table(p).to_pylist()}
    assert {p.name for p in (recipe.parent / "letters").iterdir()} <= names


def test_every_document_is_accounted_for(reference: Path) -> None:
    tallies = {s: Tally.total([m.tally for m in done]) for s, done in load_manifests(reference).items()}
    for name in ("Letters", "Books", "Pages"):
        assert tallies["read"][name].kept == tallies["filter"][name].seen
        assert tallies["filter"][name].kept == tallies["dedup"][name].seen
    letters = tallies["read"]["Letters"]
    # two broken lines, a cut file, an empty file
    assert letters.quarantined.total() == 4
    assert tallies["filter"]["Letters"].dropped["length.min_chars"] >= 1
    assert any("lang" in reason for reason in tallies["filter"]["Letters"].dropped)
    assert tallies["dedup"]["Letters"].merged >= 60
    assert tallies["read"]["Books"].kept == 6
    assert tallies["read"]["Pages"].quarantined.total() == 1


def test_shards_hold_the_survivors_and_held_out_documents_stay_out_of_train(reference: Path) -> None:
    train = [row for n in range(3) for row in lines(reference / "train" / f"{n:02}.jsonl.zst")]
    held = [row for name in ("val", "test") for row in lines(reference / f"{name}.jsonl.zst")]
    assert {row["meta"]["pile_set_name"] for row in train} == {"Letters", "Books", "Pages"}
    ids = {row["meta"]["id"] for row in train}
    assert held
    assert not ids & {row["meta"]["id"] for row in held}
    copies = [row for row in train if row["meta"]["pile_set_name"] == "Letters"]
    unique = {row["meta"]["id"] for row in copies}
    assert 1.3 * len(unique) < len(copies) < 1.7 * len(unique)
    assert not any("Ã©" in row["text"] for row in train + held)
    assert not any("PROJECT GUTENBERG" in row["text"] for row in train + held)
    assert not any("<p>" in row["text"] for row in train + held)


def test_shards_load_with_datasets(reference: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    files = sorted(str(p) for p in (reference / "train").glob("*.zst"))
    table = load_dataset("json", data_files=files, split="train", cache_dir=str(tmp_path))
    assert table.num_rows == sum(len(lines(Path(f))) for f in files)
    assert set(table.column_names) == {"text", "meta"}


def test_verify_passes_and_a_second_run_changes_nothing(recipe: Path, reference: Path) -> None:
    assert verify(reference) == []
    before = (reference / "corpus.lock").read_bytes()
    again = build(recipe, reference, workers=2)
    assert (reference / "corpus.lock").read_bytes() == before
    assert again._executor is None
    assert all(found for tasks in again.planned.values() for _, found in tasks)


@pytest.mark.parametrize(("workers", "executor"), [(1, "local"), (8, "local"), (2, "ray")])
def test_the_bytes_do_not_depend_on_who_does_the_work(
    recipe: Path, reference: Path, tmp_path: Path, workers: int, executor: str
) -> None:
    build(recipe, tmp_path / "out", workers=workers, executor=executor)
    assert digests(tmp_path / "out") == digests(reference)
    assert (tmp_path / "out" / "corpus.lock").read_bytes() == (reference / "corpus.lock").read_bytes()


@pytest.mark.parametrize("delay", [0.7, 2.0, 3.0, 4.0, 6.0])
def test_kill_and_resume_gives_the_same_bytes(recipe: Path, reference: Path, tmp_path: Path, delay: float) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen(
        command("build", recipe, "-o", out, "-w", 2),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    time.sleep(delay)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    build(recipe, out, workers=2)
    assert digests(out) == digests(reference)
    assert verify(out) == []


def test_an_interrupted_command_says_how_to_go_on(recipe: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = subprocess.Popen(
        command("build", recipe, "-o", out, "-w", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    assert run.stdout is not None
    while '"filter"' not in run.stdout.readline():
        pass
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=30)
    assert run.returncode == 130
    assert "run the same command to go on" in said
    build(recipe, out, workers=2)
    assert digests(out) == digests(reference)


def flips(out: Path) -> Iterator[Path]:
    """One file of every kind that a build leaves."""
    patterns = (
        "train/00.jsonl.zst", "val.jsonl.zst", "tokens/train_00.bin", "tokens/train_00.idx", "tokens/train_00.json",
        "reports/index.html", "ledger/read-00000.parquet", "corpus.lock", "work/read/*/*.parquet",
        "work/filter/*/sketch.parquet", "work/filter/*/manifest.json", "work/fetch/*/*",
    )  # fmt: skip
    for pattern in patterns:
        found = sorted(p for p in out.glob(pattern) if p.is_file())
        assert found, pattern
        yield found[0]


def test_one_flipped_byte_anywhere_is_named(reference: Path) -> None:
    for path in flips(reference):
        content = path.read_bytes()
        at = len(content) // 2
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        name = path.relative_to(reference).as_posix()
        findings = [f for f in verify(reference) if f.kind == "corrupt"]
        path.write_bytes(content)
        same = {f.path for f in findings}
        assert any(path.samefile(reference / p) for p in same if (reference / p).exists()), (name, findings)
    assert verify(reference) == []


def test_missing_and_unexpected_files_are_named_and_work_may_go(reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(reference, out)
    shutil.rmtree(out / "work")
    assert verify(out) == []
    (out / "val.jsonl.zst").unlink()
    (out / "train" / "99.jsonl.zst").write_bytes(b"")
    assert {(f.kind, f.path) for f in verify(out)} == {
        ("missing", "val.jsonl.zst"),
        ("unexpected", "train/99.jsonl.zst"),
    }


def test_a_repair_build_makes_only_what_is_damaged(recipe: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(reference, out)
    victim = next((out / "work" / "shard").glob("*/manifest.json")).parent
    shutil.rmtree(victim)
    run = build(recipe, out, workers=1)
    remade = [(stage, task.name) for stage, tasks in run.planned.items() for task, found in tasks if not found]
    assert [stage for stage, _ in remade] == ["shard"]
    assert digests(out) == digests(reference)


def test_an_edited_recipe_rebuilds_only_from_the_edit_on(recipe: Path, reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "copy"
    shutil.copytree(reference, out)
    edited = recipe.parent / "edited.yaml"
    edited.write_text(recipe.read_text().replace("count: 3", "count: 2"))
    run = build(edited, out, workers=2)
    remade = {stage for stage, tasks in run.planned.items() for _, found in tasks if not found}
    assert not remade & {"fetch", "read", "filter", "dedup"}
    assert not (out / "train" / "02.jsonl.zst").exists()
    assert verify(out) == []


def test_browse_shows_documents_by_what_happened_to_them(reference: Path) -> None:
    dropped = list(browse(reference, Wanted(component="Letters", action="dropped", number=3)))
    assert dropped
    assert all(any("dropped:" in line for line in row["history"]) for row in dropped)
    assert dropped == list(browse(reference, Wanted(component="Letters", action="dropped", number=3)))
    first = list(browse(reference, Wanted(component="Letters", number=4)))
    assert first != list(browse(reference, Wanted(component="Letters", number=4, seed=1)))
    assert {row["component"] for row in first} == {"Letters"}
    word = first[0]["text"].split()[0]
    assert all(word in row["text"] for row in browse(reference, Wanted(words=rf"^{word}\b", number=50)))
    assert not list(browse(reference, Wanted(reason="length", component="Pages")))
    lost = list(browse(reference, Wanted(component="Letters", action="quarantined", number=50)))
    assert len(lost) == 4
    assert {row["text"] for row in lost} == {""}
    assert all("in quarantine: " in row["history"][0] and ", offset " in row["url"] for row in lost)
    assert list(browse(reference, Wanted(component="Letters", action="quarantined", number=2))) == lost[:2]
    for wanted, said in ((Wanted(words="("), "not a regular expression"), (Wanted(action="gone"), "no event")):
        with pytest.raises(PilebuilderError, match=said):
            list(browse(reference, wanted))


def test_why_tells_each_fate(reference: Path) -> None:
    rows = [row for path in sorted((reference / "ledger").glob("filter-*.parquet")) for row in table_rows(path)]
    dropped = next(r for r in rows if r["action"] == "dropped" and r["reason"] == "length.min_chars")
    told = "\n".join(tell(history(reference, dropped["id"][:12]), dropped["id"]))
    assert "read from Letters" in told
    assert "filter, step length: dropped: length.min_chars, measured" in told
    merged = next(
        r
        for p in sorted((reference / "ledger").glob("dedup-*.parquet"))
        for r in table_rows(p)
        if r["action"] == "duplicate"
    )
    assert f"removed as a duplicate of {merged['duplicate_of']}" in "\n".join(
        tell(history(reference, merged["id"]), "")
    )
    kept = lines(reference / "train" / "00.jsonl.zst")[0]["meta"]["id"]
    assert "kept: train/00" in "\n".join(tell(history(reference, str(kept)), ""))
    assert "has not met that document" in tell(history(reference, "f" * 32), "f" * 32)[0]


def table_rows(path: Path) -> list[dict[str, object]]:
    from pilebuilder.partition import read_table

    return read_table(path).to_pylist()


def test_plan_knows_what_would_run(recipe: Path, reference: Path, tmp_path: Path) -> None:
    fresh = Build(load_recipe(recipe), tmp_path / "none").plan()
    assert "filter" not in fresh
    done = Build(load_recipe(recipe), reference).plan()
    assert all(found for tasks in done.values() for _, found in tasks)
    assert not (tmp_path / "none").exists() or not (tmp_path / "none" / "work").exists()


def test_a_run_to_an_earlier_stage_leaves_a_finished_build_alone(recipe: Path, reference: Path) -> None:
    before = (reference / "corpus.lock").read_bytes()
    build(recipe, reference, target="shard", workers=1)
    assert (reference / "corpus.lock").read_bytes() == before
    assert verify(reference) == []
    build(recipe, reference, workers=1)


def test_a_run_that_ends_at_shard_can_be_verified(recipe: Path, tmp_path: Path) -> None:
    build(recipe, tmp_path / "out", target="shard", workers=2)
    assert verify(tmp_path / "out") == []
    assert not (tmp_path / "out" / "tokens").exists()
