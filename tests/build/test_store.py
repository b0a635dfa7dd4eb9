"""The commit protocol: all or nothing, found again by content, never fooled by a leftover."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pilebuilder.atomic import write_atomic
from pilebuilder.build.store import MANIFEST, Store, link
from pilebuilder.build.worker import execute
from pilebuilder.errors import ConservationError, NoSpaceError, TaskError
from pilebuilder.partition import read_table
from pilebuilder.task import Artifact
from tests.build import toy


def test_commit_makes_outputs_findable_by_key(tmp_path: Path) -> None:
    task = toy.make(7)
    manifest = execute(task, tmp_path)
    assert [a.kind for a in manifest.outputs] == ["number", "ledger"]
    assert (tmp_path / manifest.outputs[0].path).read_text() == "49"
    assert manifest.tally["toy"].dropped == {"odd": 1}
    found = Store(tmp_path).find(task)
    assert found == manifest
    rows = read_table(tmp_path / manifest.of("ledger")[0].path).to_pylist()
    assert [(r["stage"], r["action"], r["value"]) for r in rows] == [("read", "dropped", 7.0)]
    assert not any((tmp_path / "work" / ".tmp").iterdir())


def test_the_key_is_content_not_name_or_path() -> None:
    task = toy.make(1)
    source = Artifact(path="a", sha256="s" * 64, bytes=3, kind="raw")
    assert replace(task, name="other").key == task.key
    assert replace(task, params={"n": 2}).key != task.key
    assert replace(task, code="toy/2").key != task.key
    with_input = replace(task, inputs=(source,))
    assert with_input.key != task.key
    assert replace(task, inputs=(replace(source, path="b"),)).key == with_input.key
    assert replace(task, inputs=(replace(source, sha256="t" * 64),)).key != with_input.key


def test_a_broken_law_of_conservation_commits_nothing(tmp_path: Path) -> None:
    task = toy.make(1, "unbalanced")
    with pytest.raises(ConservationError, match="3 documents in, but 0 kept"):
        execute(task, tmp_path)
    assert Store(tmp_path).find(task) is None


def test_a_failing_task_names_itself_and_leaves_nothing(tmp_path: Path) -> None:
    task = replace(toy.make(1, "failing"), inputs=(Artifact(path="x.warc", sha256="0" * 64, bytes=1, kind="raw"),))
    with pytest.raises(TaskError, match=r"read/toy/1 failed on input x\.warc: RuntimeError: no such luck"):
        execute(task, tmp_path)
    assert Store(tmp_path).find(task) is None
    assert not [p for p in (tmp_path / "work").rglob("*") if p.is_file()]


def test_a_full_disk_has_its_own_error(tmp_path: Path) -> None:
    with pytest.raises(NoSpaceError, match="no space left while running task read/toy/1") as caught:
        execute(toy.make(1, "out_of_space"), tmp_path)
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("damage", ["missing", "short", "no manifest", "bad manifest", "foreign key"])
def test_a_damaged_commit_is_not_found_and_is_made_again(tmp_path: Path, damage: str) -> None:
    task = toy.make(5)
    manifest = execute(task, tmp_path)
    output = tmp_path / manifest.outputs[0].path
    stated = output.parent / MANIFEST
    if damage == "missing":
        output.unlink()
    elif damage == "short":
        output.write_text("2")
    elif damage == "no manifest":
        stated.unlink()
    elif damage == "bad manifest":
        stated.write_text('{"key": ')
    else:
        stated.write_text(json.dumps({**json.loads(stated.read_text()), "key": "0" * 64}))
    assert Store(tmp_path).find(task) is None
    assert execute(task, tmp_path) == manifest
    assert output.read_text() == "25"


def test_equal_tasks_write_equal_bytes(tmp_path: Path) -> None:
    one, two = (execute(toy.make(9), tmp_path / name) for name in ("a", "b"))
    assert [a.sha256 for a in one.outputs] == [a.sha256 for a in two.outputs]
    folder = one.outputs[0].path.rpartition("/")[0]
    assert (tmp_path / "a" / folder / MANIFEST).read_bytes() == (tmp_path / "b" / folder / MANIFEST).read_bytes()


def test_sibling_digests_are_resolved_at_commit(tmp_path: Path) -> None:
    store, task = Store(tmp_path), toy.make(2)
    work = store.workspace(task)
    work.output("a.txt", "a").write_text("a")
    work.output("b.txt", "b", beside="@a.txt", plain="@nobody").write_text("b")
    first, second = store.commit(task, work).outputs
    assert second.facts == {"beside": first.sha256, "plain": "@nobody"}


def test_stale_folders_are_known(tmp_path: Path) -> None:
    store = Store(tmp_path)
    live, dead = toy.make(1), toy.make(2)
    execute(live, tmp_path)
    execute(dead, tmp_path)
    assert list(store.stale({store.folder("read", live.key)})) == [store.folder("read", dead.key)]


def test_link_replaces_in_one_step(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
        link(tmp_path / name, tmp_path / "public" / "file")
        assert (tmp_path / "public" / "file").read_text() == name
    assert [p.name for p in (tmp_path / "public").iterdir()] == ["file"]


def test_write_atomic_leaves_the_old_file_when_it_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state"
    write_atomic(path, b"old")
    monkeypatch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("pulled the plug")))
    with pytest.raises(OSError, match="plug"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["state"]
