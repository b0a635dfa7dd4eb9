"""Opt-out signals, opt-out lists and takedowns: what was recorded is counted, what nobody looked for is a gap."""

from __future__ import annotations

import json

from pilebuilder.fetch.inventory import write_inventory
from pilebuilder.report import plan
from pilebuilder.report.cells import Gap
from pilebuilder.report.facts import from_json
from pilebuilder.report.sections import optouts, terms
from pilebuilder.report.table import Table
from tests.report import made
from tests.report.made import Bench, artifact, count

ROBOTS = "robots-ai in robots.txt: GPTBot"


def row(number, **extra):
    kept = json.dumps(extra) if extra else None
    return {
        "name": f"f{number}", "path": "x", "sha256": "0" * 64, "bytes": 1, "url": None, "licence": None, "date": None,
        "extra": kept,
    }  # fmt: skip


def counted(tmp_path):
    """An inventory of two components, one of which met signals."""
    bench = Bench(tmp_path)
    crawl = [
        row(0, signals=[ROBOTS, "robots-ai in robots.txt: CCBot"]),
        row(1, terms="x"),
        row(2),
        row(3, opted_out=4),
    ]
    crawl.append(row(5, signals=["usage in header: train-ai=n", ROBOTS], opted_out=1))
    inputs = []
    for name, rows in (("Crawl", crawl), ("Files", [row(0), row(1)])):
        path = tmp_path / f"{name}.parquet"
        write_inventory(rows, path)
        inputs.append(artifact(path, "inventory", tmp_path, component=name))
    (found,) = bench.run(plan.task("opt-outs", "optouts:count", inputs)).values()
    return json.loads((tmp_path / found.path).read_bytes())


def facts(found, *, steps=(), takedown=None, policy="record"):
    names = ["Crawl", "Files"]
    stages = {
        "fetch": {"Crawl": count(8, {"opted_out": 3}), "Files": count(2)},
        "read": {"Crawl": count(9, {"noai": 2}), "Files": count(9)},
        "filter": {"Crawl": count(7, {"optout.domain": 2, "optout.url": 1, "length.short": 1}), "Files": count(9)},
        "dedup": {"Crawl": count(3, {"takedown": 1, "exact": 1}), "Files": count(9)},
    }
    data = made.facts(stages, names)
    data["settings"] = {
        "fetch": {"signals": policy},
        "filter": list(steps),
        "dedup": {"takedown": takedown},
    }
    for source, fetcher in zip(data["sources"], ("daily-index", "http"), strict=True):
        source["fetcher"] = fetcher
    return from_json(data, opt_outs=found)


def test_the_inventories_are_counted(tmp_path):
    found = counted(tmp_path)
    assert found["Crawl"] == {
        "files": 5,
        "with_signals": 2,
        "pages_left_out": 5,
        "kinds": {"robots-ai": 2, "usage": 1},
    }
    assert found["Files"] == {"files": 2, "with_signals": 0, "pages_left_out": 0, "kinds": {}}


def test_what_left_for_a_reservation_is_in_the_table(tmp_path):
    steps = [{"optout": {"domains": ["x.txt"], "only": ["Crawl"]}}]
    held = facts(counted(tmp_path), steps=steps, takedown={"list": "t.txt"})
    found = optouts.optout_table(held)
    crawl, files = (dict(zip((c.key for c in found.columns), r, strict=True)) for r in found.rows)
    assert {k: crawl[k] for k in list(crawl)[1:]} == {
        "files": 5, "with_signal": 2, "kinds": "robots-ai 2, usage 1", "left_out": 3, "pages_left_out": 5, "noai": 2,
        "listed": 3, "taken_down": 1,
    }  # fmt: skip
    assert str(files["files"]) == "not measured: no site asked"
    assert files["listed"] == "no step"
    assert files["taken_down"] == 0
    consent = {r[0]: r for r in terms.consent_table(held).rows}
    assert consent["Crawl"][6:8] == ("2 of 5 files, 3 left out", 1)


def test_nothing_recorded_is_a_gap_with_its_reason(tmp_path):
    found = counted(tmp_path)
    rows = terms.consent_table(facts({})).rows
    assert [str(r[6]) for r in rows] == [
        "not measured: no inventory of the fetch",
        "not measured: no site asked",
    ]
    assert {str(r[7]) for r in rows} == {"no list"}
    shown = optouts.optout_table(from_json(made.facts({}, ["Crawl", "Files"])))
    assert not isinstance(shown, Table)
    assert shown.text.startswith("Nobody asked for opt-out signals of any component")
    mixed = optouts.optout_table(facts(found))
    assert [r[0] for r in mixed.rows] == ["Crawl"]
    assert "signals of Files:" in mixed.note
    ignored = terms.consent_table(facts(found, policy="ignore")).rows
    assert all(isinstance(r[6], Gap) and "signals: ignore" in str(r[6]) for r in ignored)
