"""Facts by number out of a table that lies beside: in a private temporary database, so that memory stays bounded."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any


class Lookup:
    """A table with a number as its key.

    >>> books = Lookup(("id", "title"), [(7, "Emma")])
    >>> books.row(7), books.row(8)
    ({'id': 7, 'title': 'Emma'}, {})
    """

    def __init__(self, names: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> None:
        self._names = names
        self._base = sqlite3.connect("")  # "": on disk when it grows, without a name, gone at the end
        columns = ", ".join([f"{names[0]} INTEGER PRIMARY KEY", *(f"{name} TEXT" for name in names[1:])])
        self._base.execute(f"CREATE TABLE facts ({columns})")
        places = ", ".join("?" * len(names))
        self._base.executemany(f"INSERT OR REPLACE INTO facts VALUES ({places})", rows)  # noqa: S608 (own names)

    def row(self, ident: int) -> dict[str, Any]:
        """The row of that number; empty when there is none."""
        query = f"SELECT {', '.join(self._names)} FROM facts WHERE {self._names[0]} = ?"  # noqa: S608 (own names)
        found = self._base.execute(query, (ident,)).fetchone() if -(2**63) <= ident < 2**63 else None
        return dict(zip(self._names, found, strict=True)) if found else {}
