"""Cases and dockets beside a table of opinions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pilebuilder.read.base import Raw
from pilebuilder.read.delimited import Broken, cell, records
from pilebuilder.read.lookup import Lookup
from pilebuilder.read.streams import open_stream

_CASES = ("id", "case_name", "case_name_full", "date_filed", "slug", "precedential_status", "blocked", "docket_id")
_DOCKETS = ("id", "court_id", "docket_number", "blocked")
_BEGINS = re.compile(rb'"\d+",(?:"\d{4}-\d\d-\d\d|,|")').match


class Joined:
    """Facts about a cluster, from the tables that lie beside the opinions; empty without them."""

    def __init__(self, raw: Raw) -> None:
        self._cases = _load(raw, "opinion-clusters-", _CASES)
        self._dockets = _load(raw, "dockets-", _DOCKETS)

    def case(self, cluster: int) -> dict[str, Any]:
        """Case name, date, court and whether the case may be shown."""
        found = self._cases.row(cluster)
        docket = self._dockets.row(int(found.get("docket_id") or 0))
        if not found:
            return {}
        return {
            "case_name": found["case_name"] or found["case_name_full"],
            "date_filed": found["date_filed"],
            "slug": found["slug"],
            "precedential_status": found["precedential_status"],
            "court_id": docket.get("court_id"),
            "docket_number": docket.get("docket_number"),
            "blocked": found["blocked"] == "t" or docket.get("blocked") == "t",
        }


def _load(raw: Raw, prefix: str, names: tuple[str, ...]) -> Lookup:
    path = next((p for n, p in sorted(raw.beside.items()) if n.rpartition("/")[2].startswith(prefix)), None)
    return Lookup(names, _rows(path, names) if path else ())


def _rows(path: Path, names: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """The wanted columns of a table; a damaged row is passed over here and counted when the table itself is read."""
    places: list[int] | None = None
    with open_stream(path) as stream:
        for row in records(stream, _BEGINS, escape="\\"):
            if isinstance(row, Broken):
                continue
            if places is None:
                places = [row[1].index(name) if name in row[1] else -1 for name in names]
            elif row[1][places[0]].isdigit():
                yield tuple(cell(row[1][at]) if at >= 0 else "" for at in places)
