"""What raw files of one component must know of each other: surveyed file by file, settled once, before they are read.

For formats in which a later file changes what an earlier one said (PubMed's updates and deletions), or in which the
same record lies in several (mail folders, fiscal years). A reader that has `survey` and `settle` gets, in
`Raw.settled`, the rows that `settle` yielded for the file. Reading then runs in parallel as ever, and a new file
re-reads only those whose rows it changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pilebuilder import registry
from pilebuilder.partition import read_table, write_table
from pilebuilder.read.base import Raw
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    from pathlib import Path


class Surveyed(Protocol):
    """A reader that settles things between files. Both tables have columns of the reader's own choice.

    One whose parameters decide whether there is anything to settle has a method ``settles() -> bool``; one that goes
    by the names of files alone has no `survey`. A column ``beside`` of what is settled names files to read along.
    """

    def survey(self, raw: Raw) -> pa.Table:
        """What others must know of a file; as much of it as can be read. Raises nothing for bad input."""

    def settle(self, surveys: Surveys) -> Iterator[tuple[str, pa.Table]]:
        """What each file must know: (name, rows), each name once, in any order. No rows: nothing to know."""


class Surveys:
    """Surveys of a component's files, loaded when they are asked for; `names` is in the order of the inventory.

    >>> Surveys.single("a.xml", pa.table({"n": [1]})).of("a.xml").num_rows
    1
    """

    def __init__(self, names: list[list[str]], paths: list[Path]) -> None:
        self.names = [name for group in names for name in group]
        self._group = {name: k for k, group in enumerate(names) for name in group}
        self._paths = paths
        self._held: tuple[int, pa.Table, dict[str, tuple[int, int]]] | None = None

    @classmethod
    def single(cls, name: str, table: pa.Table) -> Surveys:
        """The survey of the only file."""
        found = cls([[name]], [])
        found._held = (0, table, {name: (0, table.num_rows)})
        return found

    def of(self, name: str) -> pa.Table:
        """The survey of one file."""
        group = self._group[name]
        if self._held is None or self._held[0] != group:
            table = read_table(self._paths[group])
            self._held = (group, table.drop_columns(["file"]), _runs(table.column("file")))
        _, table, places = self._held
        start, length = places.get(name, (0, 0))
        return table.slice(start, length)

    def groups(self) -> Iterator[pa.Table]:
        """All surveys, as many together as were made together, with the name of the file as the column ``file``."""
        return map(read_table, self._paths)


def _runs(files: pa.ChunkedArray) -> dict[str, tuple[int, int]]:
    """Where the rows of each file begin, and how many there are; they lie together."""
    encoded = pc.run_end_encode(files.combine_chunks())
    ends = encoded.run_ends.to_pylist()
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    places = zip(ends, lengths, strict=True)
    return {name: (end - n, n) for name, (end, n) in zip(encoded.values.to_pylist(), places, strict=True)}


def with_file(table: pa.Table, name: str) -> pa.Table:
    """The rows with the name of the file that they are about."""
    return table.append_column("file", pa.repeat(pa.scalar(name, pa.string()), table.num_rows))


def of_file(table: pa.Table, name: str) -> pa.Table:
    """The rows about one file."""
    return table.filter(pc.equal(table.column("file"), name)).drop_columns(["file"])


def survey_files(task: Task, work: Workspace) -> None:
    """Task: survey a group of raw files."""
    reader: Surveyed = registry.make("reader", task.params["reader"], task.params["params"])
    tables = []
    for artifact, facts in zip(task.inputs, task.params["files"], strict=True):
        raw = Raw(path=work.open(artifact), component=task.component, **facts)
        tables.append(with_file(reader.survey(raw), raw.name))
    write_table(pa.concat_tables(tables), work.output("survey.parquet", "survey"))


def settle_files(task: Task, work: Workspace) -> None:
    """Task: settle things between all files of a component; one table for each group that has rows."""
    reader: Surveyed = registry.make("reader", task.params["reader"], task.params["params"])
    names: list[list[str]] = task.params["names"]
    group_of = {name: k for k, group in enumerate(names) for name in group}
    waiting: list[dict[str, pa.Table]] = [{} for _ in names]
    for name, table in reader.settle(Surveys(names, [work.open(a) for a in task.inputs])):
        group = group_of[name]
        waiting[group][name] = with_file(table, name)
        if len(waiting[group]) == len(names[group]):
            _write(work, group, [waiting[group].pop(name) for name in names[group]])
    assert not any(waiting), "settle left a file out"


def _write(work: Workspace, group: int, tables: list[pa.Table]) -> None:
    table = pa.concat_tables(tables)
    if not table.num_rows:
        return
    beside: dict[str, Any] = {}
    if "beside" in table.column_names:
        for row in table.select(["file", "beside"]).group_by("file").aggregate([("beside", "distinct")]).to_pylist():
            if found := sorted(name for name in row["beside_distinct"] if name):
                beside[row["file"]] = found
    write_table(table, work.output(f"{group:05}.parquet", "settled", group=group, beside=beside))
