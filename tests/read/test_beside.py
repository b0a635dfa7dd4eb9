"""Files that a reader wants along are inputs of its task: they are joined, and a change of one changes the key."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pilebuilder.partition import read_table
from pilebuilder.read.run import read_files
from pilebuilder.read.stage import Plan
from pilebuilder.task import Task, Workspace
from tests.read.test_courtlistener import HTML, row, table

HEADER = "id,date_created,case_name,case_name_full,date_filed,slug,precedential_status,blocked,docket_id"
CLUSTERS = HEADER + '\n"9","2014","{}","","2001-02-03","s","P","f","5"\n'


def listed(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    return {"name": path.name, "path": str(path), "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def tasks(folder: Path, reader: str, params: dict[str, Any] | None = None) -> list[Task]:
    component: Any = SimpleNamespace(name="FreeLaw", read=(reader, params or {}))
    return list(Plan(component, [listed(path) for path in sorted(folder.iterdir())], 1 << 24).reading())


def test_tables_reach_the_reader_through_the_task(tmp_path: Path) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    out.mkdir()
    (raw / "opinions-2026-06-30.csv").write_bytes(table(row(id="7", cluster_id="9", html=HTML)))
    clusters = raw / "opinion-clusters-2026-06-30.csv"
    clusters.write_text(CLUSTERS.format("Roe v. Doe"))
    [task] = tasks(raw, "courtlistener")
    assert task.params["beside"] == {"opinions-2026-06-30.csv": ["opinion-clusters-2026-06-30.csv"]}
    work = Workspace(root=out, folder=out, stage="read")
    read_files(task, work)
    work.tally.check("test")
    [name] = work.outputs
    assert '"case_name":"Roe v. Doe"' in read_table(out / name).column("meta")[0].as_py()
    assert work.tally["FreeLaw"].dropped == {"other_table": 1}
    clusters.write_text(CLUSTERS.format("Doe v. Roe"))
    assert tasks(raw, "courtlistener")[0].key != task.key
    assert [a.kind for a in task.inputs] == ["raw", "raw", "beside"]


def test_a_reader_without_wishes_gets_only_its_files(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(b"<PubmedArticleSet></PubmedArticleSet>")
    [task] = tasks(tmp_path, "pubmed")
    assert "beside" not in task.params
    assert [a.kind for a in task.inputs] == ["raw"]


def test_outside_programs_enter_the_key(tmp_path: Path) -> None:
    (tmp_path / "1911.02782.gz").write_bytes(b"x")
    [auto], [builtin] = tasks(tmp_path, "arxiv"), tasks(tmp_path, "arxiv", {"converter": "builtin"})
    assert " pandoc=" in auto.code
    assert "pandoc" not in builtin.code
