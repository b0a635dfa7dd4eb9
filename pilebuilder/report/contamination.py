"""What the build did about evaluation sets: a certificate of each, by the step that looked for them."""

from __future__ import annotations

import json
from typing import Any

from pilebuilder import registry
from pilebuilder.partition import read_table
from pilebuilder.task import Task, View, Workspace, canonical

STEP = "decontaminate"


def steps(view: View) -> list[dict[str, Any]]:
    """The different decontaminate steps of a recipe, each with the components it ran for."""
    found: dict[str, dict[str, Any]] = {}
    for stage in ("clean", "filter"):
        config = view.config(stage)
        for component in view.components if config is not None else ():
            for step in config.for_component(component.name):
                if step["name"] == STEP:
                    held = found.setdefault(canonical(step), {**step, "components": []})
                    held["components"].append(component.name)
    return list(found.values())


def certify(task: Task, work: Workspace) -> None:
    """Certificates of all benchmarks. Inputs: the ledgers of clean and filter, of which only the finds are held."""
    rows: list[dict[str, Any]] = []
    for source in task.inputs:
        table = read_table(work.open(source), ["id", "component", "step", "action", "reason", "detail"])
        mask = _is(table, STEP)
        if mask.any():
            rows += table.filter(mask).to_pylist()
    found = []
    for step in task.params["steps"]:
        made = registry.make("step", STEP, step["params"])
        own = [r for r in rows if r["component"] in step["components"]]
        found += [
            {**line, "action": step["params"]["action"], "components": step["components"]}
            for line in made.certificate(own)
        ]
    path = work.output("contamination.json", "contamination")
    path.write_text(json.dumps(found, sort_keys=True, ensure_ascii=False), encoding="utf-8")


def _is(table: Any, step: str) -> Any:
    """bool [rows]: rows of this step."""
    import numpy as np
    import pyarrow.compute as pc

    same: Any = pc.equal(table.column("step").cast("string"), step)
    return np.asarray(same.fill_null(False))
