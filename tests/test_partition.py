"""Partitions are bounded, and cut by the documents alone."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest

from pilebuilder.document import schema
from pilebuilder.partition import PartitionWriter, read_table, write_table
from pilebuilder.task import Workspace, batches


def table(*sizes: int) -> pa.Table:
    values = ["x" * n for n in sizes]
    columns = {"text": pa.array(values, pa.large_string()), "id": [str(i) for i in range(len(values))]}
    n = len(values)
    return pa.table([columns.get(f.name, pa.nulls(n, f.type)) for f in schema()], names=schema().names).cast(schema())


def written(folder: Path, limit: int, *tables: pa.Table) -> list[list[int]]:
    work = Workspace(root=folder, folder=folder, stage="read")
    with PartitionWriter(work, "c", limit) as writer:
        for t in tables:
            writer.write(t)
    return [[len(v) for v in read_table(folder / name)["text"].to_pylist()] for name in work.outputs]


def test_a_partition_ends_before_the_limit_is_passed(tmp_path: Path) -> None:
    assert written(tmp_path, 10, table(4, 4, 4, 12, 3, 7, 1)) == [[4, 4], [4], [12], [3, 7], [1]]


@pytest.mark.parametrize("cuts", [(1, 2, 3, 4, 5, 6), (1,), (2, 5), (3,), (6,)])
def test_the_cut_depends_on_the_documents_not_on_how_they_arrive(tmp_path: Path, cuts: tuple[int, ...]) -> None:
    whole = table(4, 4, 4, 12, 3, 7, 1)
    ends = [0, *cuts, 7]
    arriving = [whole.slice(a, b - a) for a, b in pairwise(ends)]
    assert written(tmp_path, 10, *arriving) == [[4, 4], [4], [12], [3, 7], [1]]


def test_no_documents_no_file(tmp_path: Path) -> None:
    assert written(tmp_path, 10, table()) == []


def test_equal_tables_are_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(table(5, 6), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_batches_hold_their_limit() -> None:
    assert list(batches([3, 3, 3, 9, 1], 6, int)) == [[3, 3], [3], [9], [1]]
    assert list(batches([], 6, int)) == []
