"""The logbook page: attempts with their lineage, curves, entries; and what the report takes from training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from lxml import html

from pilebuilder.errors import RecipeError, TaskError
from pilebuilder.report import lines, logbooks, trained
from pilebuilder.report.sections import logbook
from pilebuilder.report.site import page_of
from pilebuilder.report.svg import num
from pilebuilder.task import Artifact, Task, Workspace
from tests.report.made import HOSTILE


def config() -> dict[str, Any]:
    return {
        "model": {"family": "modern", "layers": 2, "width": 64, "heads": 1, "activation": "swiglu"},
        "data": {"sequence": 32},
        "optimizer": {"name": "muon", "lr": 0.003, "schedule": "wsd"},
        "power": {"pue": 1.5, "grid_gco2_per_kwh": 200.0},
        "tokens": 30_000,
        "batch_tokens": 1000,
        "micro_tokens": 1000,
        "seed": 1,
    }


def begin(time: float, what: str, step: int) -> dict[str, Any]:
    facts = {"parameters": 12345, "device": "a machine", "torch": "2.13", "config": config()}
    energy = {"energy": {"cpu": "estimate: CPU seconds times 8 W"}}
    return {"time": time, "kind": "event", "event": what, "step": step, **facts, **energy}


def step(time: float, number: int, loss: float | None, **more: Any) -> dict[str, Any]:
    parts = {"components": {"A": loss, HOSTILE: loss}} if loss is not None else {}
    numbers = {"gradient_norm": 1.0 + number, "lr": 0.003, "tokens_per_second": 1000.0, "skipped": loss is None}
    return {
        "time": time,
        "kind": "step",
        "step": number,
        "loss": loss,
        "tokens": 1000 * (number + 1),
        **numbers,
        **parts,
        **more,
    }


def event(time: float, what: str, **more: Any) -> dict[str, Any]:
    return {"time": time, "kind": "event", "event": what, **more}


def rows() -> list[dict[str, Any]]:
    """A run that was killed after step 14, went on from the checkpoint before 10, was interrupted, and finished."""
    score = {"component": "overall", "bits_per_byte": 2.5, "standard_error": 0.1}
    return [
        begin(0, "start", 0),
        *(step(10 + i, i, 5 - i / 10) for i in range(14)),
        step(24, 14, 3.6, cpu_joules=7200.0),
        event(15, "checkpoint", step=5, seconds=0.1),
        event(20, "checkpoint", step=10, seconds=0.3),
        begin(100, "resume", 10),
        *(step(110 + i, i, 4 - i / 10) for i in range(10, 19)),
        step(129, 19, None, cpu_joules=3600.0),
        event(129, "evaluate", step=20, split="val", scores=[score]),
        event(129.5, "note", step=20, text=f"a person says: {HOSTILE}"),
        event(130, "interrupted", step=20, checkpoint=20),
        begin(200, "resume", 20),
        *(step(210 + i, i, 2.0) for i in range(20, 30)),
        event(240, "rollback", step=20, from_step=29, batches=[18, 29], why="3 skipped"),
        event(240.5, "moved", to="elsewhere", bytes=1200),
        event(241, "finish", step=30),
    ]


def content(records: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(r) + "\n" for r in records).encode()


def test_attempts_have_their_lineage() -> None:
    book = logbooks.parse("run", content(rows()) + b'{"time": 3, "kind": "st')
    first, second, third = book.attempts
    assert [r["step"] for r in book.steps] == list(range(30))
    assert book.steps[12]["loss"] == pytest.approx(4 - 1.2)  # the later record of a step counts
    assert (first.first, first.last, first.repeated, first.origin, first.joules) == (0, 14, 0, None, {"cpu": 7200.0})
    assert (second.first, second.last, second.repeated, second.origin) == (10, 19, 5, 1)
    assert (third.origin, third.repeated, third.energy) == (2, 0, None)
    assert "killed" in first.ended
    assert "signal" in second.ended
    assert third.ended == "finished"
    assert logbooks.carbon(first) == (pytest.approx(0.003), pytest.approx(0.6))
    assert book.planned == 30


def test_the_page_reads_like_a_notebook() -> None:
    book = logbooks.parse("my run", content(rows()))
    page = html.fromstring(page_of(logbook.section(book, logbook.slug_of(book.name))))
    text = page.text_content()
    assert "30 of 30 steps, finished" in text
    assert "Restarted 2 times" in text
    assert "attempt 1, step 10" in text
    assert "2 checkpoints, before steps 5 to 10, 0.2 s each." in text
    assert "Evaluated on val: 2.5000 bits per byte (standard error 0.1000)." in text
    assert "Went back from step 29 to before step 20, over batches 18 to 29: 3 skipped." in text
    assert "Moved: to elsewhere, bytes 1,200." in text
    assert "1970-01-01 00:02:09" in text
    assert "1 steps were skipped" in text
    assert "PUE 1.5, 200 gCO2e per kWh; 1 attempts without a reading" in text
    assert "estimate: CPU seconds times 8 W" in text
    assert "<script>" not in page_of(logbook.section(book, "x"))
    assert "[U+202E]" in text
    figures = {f.get("id") for f in page.xpath("//figure")}
    assert {"figure-loss-my-run", "figure-component-loss-my-run", "figure-lr-my-run"} <= figures
    assert "figure-mfu-my-run" not in figures


def test_a_logbook_without_steps_or_without_a_start_has_a_page() -> None:
    for records in ([], [begin(0, "start", 0)], [event(1, "note", text="x")], [step(1, 0, 2.0)]):
        book = logbooks.parse("r", content(records))
        assert "No step was logged yet" in page_of(logbook.section(book, "r"))
    one = logbooks.parse("r", content([begin(0, "start", 0), step(1, 0, None)]))
    assert "without a finite value" in page_of(logbook.section(one, "r"))


def test_no_spike_is_lost_in_thinning() -> None:
    points = [(float(i), 1.0) for i in range(10_000)]
    points[7777] = (7777.0, 9.0)
    points[1234] = (1234.0, -3.0)
    kept = lines.thinned(points)
    assert {(7777.0, 9.0), (1234.0, -3.0)} <= set(kept)
    assert len(kept) <= 2 * lines.BUCKETS
    assert kept == sorted(kept)
    assert lines.smoothed([(0, 1.0), (1, 3.0), (2, 5.0)], 2) == [(0, 1.0), (1, 2.0), (2, 4.0)]


def test_lines_lie_where_their_values_are() -> None:
    drawing = lines.lines(600, [lines.Series("a", [(0, 0.0), (10, 10.0)])], label="x", zero=True, height=100)
    path = next(p for p in html.fromstring(drawing).iter("path"))
    (x0, y0), (x1, y1) = (tuple(map(float, p.split(","))) for p in path.get("d").removeprefix("M").split("L"))
    assert (y0, y1) == (104.0, float(num(4 + 100 - 100 * 10 / 10.5)))
    assert x1 > x0
    for points in ([], [(3, 2.0)], [(0, 5.0), (1, 5.0)]):
        for log in (False, True):
            assert lines.lines(340, [lines.Series("a", points)], label="x", log=log).startswith("<svg")


class View:
    """What the planner may see of an output folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def open(self, artifact: Artifact) -> Path:
        return self.root / artifact.path


def evaluation(name: str = "m", **more: Any) -> dict[str, Any]:
    subject = {"kind": "run", "architecture": "modern", "parameters": 10, "step": 5, "tokens": 50, "weights": "00"}
    held = {"format": 1, "name": name, "subject": subject, "split": "test", "protocols": [], "cloze": {}}
    return {**held, **more}


def test_the_report_takes_what_training_left(tmp_path: Path) -> None:
    assert trained.found(View(tmp_path)) == []  # type: ignore[arg-type]
    for place, value in (
        ("evaluations/b.test.json", json.dumps(evaluation())),
        ("runs/one/logbook.jsonl", content(rows()).decode()),
    ):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(value)
    first, second = trained.found(View(tmp_path))  # type: ignore[arg-type]
    assert [(a.kind, a.path, a.facts["name"]) for a in (first, second)] == [
        ("evaluation", "evaluations/b.test.json", "b.test"),
        ("logbook", "runs/one/logbook.jsonl", "one"),
    ]

    def task() -> Task:
        inputs = tuple(trained.found(View(tmp_path)))  # type: ignore[arg-type]
        return Task(stage="report", name="x", function="a:b", code="1", inputs=inputs)

    key, asked = task().key, task()
    work = Workspace(root=tmp_path, folder=tmp_path, stage="report")
    with (tmp_path / "runs/one/logbook.jsonl").open("a") as file:  # the run goes on
        file.write(json.dumps(event(300, "note", text="later")) + "\n")
    assert [len(b.events) for b in trained.books(asked, work)] == [11]
    assert task().key != key
    (tmp_path / "evaluations/b.test.json").write_text(json.dumps(evaluation("other")))
    with pytest.raises(TaskError, match="was changed while"):
        trained.results(asked, work, "evaluation")
    for text, words in (
        ("{", "not a whole evaluation"),
        ('{"format": 1}', "it lacks name"),
        (json.dumps(evaluation(format=9)), "format is 9"),
    ):
        (tmp_path / "evaluations/b.test.json").write_text(text)
        with pytest.raises(RecipeError, match=words):
            trained.found(View(tmp_path))  # type: ignore[arg-type]
