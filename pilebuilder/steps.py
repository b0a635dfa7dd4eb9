"""Steps in a recipe, and the fused pass that runs them: clean and filter read and write each text once, together.

A step is a part with ``__call__(docs: Docs) -> Docs``. In a recipe it is a name, or a name with parameters; `only` and
`except` say for which components it runs:

    filter:
      - length
      - gopher-quality: {min_words: 40, except: [Github, DM Mathematics]}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, RootModel

from pilebuilder import registry
from pilebuilder.task import Task, View, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

    from pilebuilder.document import Docs

Spec = str | dict[str, dict[str, Any] | None]
CODE = "transform/2"
# Texts of one call of a step: bounds what a step may hold beside the partition.
CHUNK_BYTES = 16 << 20


class Steps(RootModel[list[Spec]]):
    """An ordered list of steps; the ledger names the first one that a document fails."""

    model_config = ConfigDict(frozen=True)

    @staticmethod
    def check_item(spec: Any) -> None:
        """Refuse a step that does not exist or whose parameters are wrong, before anything runs."""
        if not isinstance(spec, str | dict):
            raise ValueError(f"a step is a name, or a name with parameters, got {spec!r}")
        name, params, _, _ = parse_spec(spec)
        registry.make("step", name, params)

    def for_component(self, component: str) -> list[dict[str, Any]]:
        """Resolved steps that run for a component: what enters the task key."""
        chosen = []
        for spec in self.root:
            name, params, only, without = parse_spec(spec)
            if (not only or component in only) and component not in without:
                part = registry.part("step", name)
                made = {"name": name, "code": part.code, "params": registry.resolved("step", name, params)}
                # a step that reads files (a model, a list) says their digests, so that they enter the task key
                if digests := getattr(registry.make("step", name, params), "digests", None):
                    made["files"] = digests()
                chosen.append(made)
        return chosen

    def components_named(self) -> set[str]:
        """Components that `only` and `except` mention, to be checked against the recipe's."""
        return {c for spec in self.root for names in parse_spec(spec)[2:] for c in names}


def parse_spec(spec: Spec) -> tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Name, parameters, `only` and `except` of a step as it stands in a recipe."""
    if isinstance(spec, str):
        return spec, {}, (), ()
    if len(spec) != 1:
        raise ValueError(f"a step is a name or one name with its parameters, got the names {sorted(spec)}")
    ((name, given),) = spec.items()
    params = dict(given or {})
    only, without = (_names(params.pop(key, ())) for key in ("only", "except"))
    return name, params, only, without


def _names(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def plan(view: View, stages: tuple[str, ...], sketch: tuple[str, dict[str, Any]] | None) -> list[Task]:
    """One task per partition that runs the steps of these stages, and makes what later stages want of the texts: the
    dedup sketch if there will be a dedup, cheap measures if there will be a report."""
    last = stages[-1]
    measures = registry.part("report", "measures").code if view.config("report") is not None else None
    tasks = []
    for ordinal, partition in enumerate(view.artifacts("read", "partition")):
        component = partition.facts["component"]
        segments = [
            {"stage": stage, "steps": config.for_component(component)}
            for stage in stages
            if (config := view.config(stage)) is not None
        ]
        sketches = None
        if sketch is not None:
            name, params = sketch
            part = registry.part("sketch", name)
            sketches = {"name": name, "code": part.code, "params": registry.resolved("sketch", name, params)}
        tasks.append(
            Task(
                stage=last,
                name=f"{component}/{ordinal:05}",
                function="pilebuilder.steps:transform",
                code=CODE,
                params={"segments": segments, "sketch": sketches, "measures": measures},
                inputs=(partition,),
                component=component,
            )
        )
    return tasks


def transform(task: Task, work: Workspace) -> None:
    """Run all steps over one partition, chunk by chunk; write what is left, its sketch and measures, and every ledger
    row."""
    import pyarrow as pa

    from pilebuilder.document import Docs
    from pilebuilder.partition import read_table, write_table

    (source,) = task.inputs
    table = read_table(work.open(source))
    segments = [
        (segment["stage"], [(s["name"], registry.make("step", s["name"], s["params"])) for s in segment["steps"]])
        for segment in task.params["segments"]
    ]
    measures = registry.make("report", "measures") if task.params.get("measures") else None
    count = work.tally.of(task.component)
    kept, measured = [], []
    for chunk in _chunks(table):
        docs = Docs(table=chunk, component=task.component, journal=work.journal, count=count)
        count.seen += len(docs)
        count.bytes_in += _text_bytes(docs)
        docs = run_steps(docs, segments)
        count.kept += len(docs)
        count.bytes_out += _text_bytes(docs)
        kept.append(docs.table)
        if measures is not None and len(docs):
            measured.append(measures(docs))
    del table
    result = pa.concat_tables(kept, promote_options="default").combine_chunks() if kept else None
    if result is None or not result.num_rows:
        return
    facts = {"component": task.component, "documents": result.num_rows, "text_bytes": count.bytes_out}
    write_table(result, work.output("docs.parquet", "partition", **facts), reread=True)
    if measured:
        shared = [name for name in measured[0].column_names if all(name in t.column_names for t in measured)]
        path = work.output("measures.parquet", "measures", component=task.component, partition="@docs.parquet")
        write_table(pa.concat_tables([t.select(shared) for t in measured]), path)
    if task.params["sketch"]:
        _sketch(task, work, Docs(table=result, component=task.component, journal=work.journal, count=count))


def run_steps(docs: Docs, segments: Iterable[tuple[str, list[tuple[str, Any]]]]) -> Docs:
    """Apply the steps of each stage in order."""
    for stage, steps in segments:
        for name, step in steps:
            if not len(docs):
                break
            before = docs
            docs = step(docs.within(stage, name))
            assert len(docs) <= len(before), f"step {name} made documents"
    return docs


def _sketch(task: Task, work: Workspace, docs: Docs) -> None:
    from pilebuilder.partition import write_table

    sketch = registry.make("sketch", task.params["sketch"]["name"], task.params["sketch"]["params"])
    facts = {"component": task.component, "documents": len(docs), "partition": "@docs.parquet"}
    path = work.output("sketch.parquet", "sketch", **facts)
    write_table(sketch(docs), path)


def _chunks(table: pa.Table) -> Iterator[pa.Table]:
    """Slices of about `CHUNK_BYTES` of text; the cut depends on the table alone."""
    from pilebuilder.partition import pieces

    for piece, _ in pieces(table, CHUNK_BYTES):
        yield piece.combine_chunks()


def _text_bytes(docs: Docs) -> int:
    offsets = docs.buffers()[1]
    return int(offsets[-1] - offsets[0])
