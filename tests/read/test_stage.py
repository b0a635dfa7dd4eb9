"""The stage: groups that hold still, ids that equal their definition, counts that add up, faults kept apart."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilebuilder import registry
from pilebuilder.document import document_id
from pilebuilder.read.base import Item, Quarantined, Raw, Record, Skipped
from pilebuilder.read.ids import Ids
from pilebuilder.read.run import to_json
from pilebuilder.read.stage import groups
from tests.read.drive import run_task


def listing(count: int, seed: int = 1, size: int = 900_000) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [{"name": f"folder/{k}.txt", "bytes": draw.randrange(100, size)} for k in range(count)]


def test_groups_hold_every_file_once_and_stay_bounded() -> None:
    files = [*listing(500), {"name": "huge", "bytes": 99 << 20}, *listing(20, 2)]
    found = list(groups(files, 8 << 20))
    assert [f for group in found for f in group] == files
    for group in found:
        assert len(group) == 1 or sum(f["bytes"] for f in group) <= 8 << 20
    assert [f["name"] for g in found for f in g if len(g) == 1 and f["bytes"] > 8 << 20] == ["huge"]
    assert len(found) < 120


def test_tiny_files_do_not_make_endless_groups() -> None:
    files = [{"name": f"{k}", "bytes": 1} for k in range(50_000)]
    assert max(map(len, groups(files, 64 << 20))) <= (64 << 20) // 4096


@pytest.mark.parametrize("at", [0, 57, 250, 499])
def test_one_file_more_or_less_changes_few_groups(at: int) -> None:
    files = listing(500)
    before = {str(g) for g in groups(files, 8 << 20)}
    for other in ([*files[:at], {"name": "new", "bytes": 500_000}, *files[at:]], files[:at] + files[at + 1 :]):
        after = [str(g) for g in groups(other, 8 << 20)]
        assert sum(g not in before for g in after) <= 12


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=300), max_size=40, unique=True),
    st.text("abé ", max_size=150),
)
def test_ids_equal_their_definition(keys: list[str], component: str) -> None:
    ids, repeated = Ids(component).of(pa.array(keys, pa.string()))
    assert ids.to_pylist() == [document_id(component, key) for key in keys]
    assert repeated == []


def test_repeated_keys_across_calls_and_growth() -> None:
    ids = Ids("C")
    first, _ = ids.of(pa.array([f"k{n}" for n in range(20_000)]))
    again, repeated = ids.of(pa.array(["k5", "new", "k5"]))
    assert repeated == [0, 2]
    assert again.to_pylist() == [document_id("C", k) for k in ("k5#2", "new", "k5#3")]
    assert len(set(first.to_pylist())) == 20_000


@registry.reader("test-moody", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Moody:
    """Yields one of each, then raises when the file says so."""

    def __call__(self, raw: Raw) -> Iterator[Item]:
        text = raw.path.read_text()
        yield Record(key=raw.name, text=text, offset=3, meta={"n": 2**70, "bad": {1, 2}})
        yield Record(key="s", text="lone \ud800 surrogate")
        yield Record(key="e", text=" \n")
        yield Skipped(reason="rule", count=4, key="k")
        yield Quarantined(reason="broken", offset=9, detail="why")
        if "raise" in text:
            raise ValueError("parser says \x1b[31mno")
        if "gone" in text:
            raise FileNotFoundError(2, "gone")


def test_everything_is_counted_and_one_file_fails_alone(tmp_path: Path) -> None:
    for name in ("one", "raise two", "three"):
        (tmp_path / name).write_text(name)
    (tmp_path / "empty").write_text("")
    files = [(n, tmp_path / n) for n in ("one", "raise two", "empty", "three")]
    ran = run_task(tmp_path / "out", "test-moody", files)
    assert ran.tables[0].column("text").to_pylist() == ["one", "raise two", "three"]
    assert ran.count.quarantined == {"broken": 3, "bad_text": 3, "reader_error": 1, "empty_file": 1}
    assert ran.count.dropped == {"rule": 12, "empty_text": 3}
    assert ran.count.seen == 3 + 8 + 15
    (error,) = [r for r in ran.ledger if r["reason"] == "reader_error"]
    assert error["file"] == "raise two"
    assert error["detail"] == r"ValueError: parser says \x1b[31mno"
    assert [r["value"] for r in ran.ledger if r["reason"] == "rule"] == [4.0] * 3
    assert ran.tables[0].column("meta").to_pylist()[0] == '{"n": 1180591620717411303424, "bad": [1, 2]}'


def test_a_fault_of_the_machine_is_not_quarantined(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("gone")
    with pytest.raises(FileNotFoundError):
        run_task(tmp_path / "out", "test-moody", [("a", tmp_path / "a")])


def test_partitions_are_cut_by_the_text_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(f'{{"text": "{"x" * 1000}{k}"}}\n' for k in range(3000)))
    ran = run_task(tmp_path / "1", "jsonl", [("a.jsonl", path)], partition_bytes=1 << 20)
    assert len(ran.tables) == 3
    again = run_task(tmp_path / "2", "jsonl", [("a.jsonl", path)], partition_bytes=1 << 20)
    digests = [
        [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in one.work.outputs]
        for folder, one in ((tmp_path / "1", ran), (tmp_path / "2", again))
    ]
    assert digests[0] == digests[1]
    assert sum(t.num_rows for t in ran.tables) == 3000


def test_meta_as_json() -> None:
    assert to_json({}) == b"{}"
    assert to_json({"a": float("inf")}) == b'{"a":null}'
    with pytest.raises(UnicodeEncodeError):
        to_json({"a": "\ud800"})
