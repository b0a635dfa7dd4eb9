"""The report stage: summaries of partitions and ledgers in parallel, merged by addition, then the pages."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, ClassVar

from pilebuilder.recipe import Strict
from pilebuilder.registry import stage
from pilebuilder.task import Artifact, Manifest, Phases, Task, View, batches

CODE = "report/1"
MERGED_AT_ONCE = 64
"""Summaries that one merge task adds up; more components or partitions make more rounds."""
LEDGER_BYTES = 32 << 20
"""Ledger files that one task reads, in compressed bytes."""
SUMMARIES = ("profile", "domains")
LEDGER_STAGES = ("fetch", "read", "clean", "filter", "dedup", "mix")
EXCERPT_DOCUMENTS = 2_000_000
"""Documents whose ids one task searches for members of the largest clusters."""


class Config(Strict):
    """What the report holds."""


@stage("report", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Tables, figures and pages that say what the corpus is, where it came from, and what left on the way."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        """Profile each partition and read the ledgers; merge; write the pages."""
        removals = {a.facts["partition"]: a for a in view.artifacts("dedup", "removal")}
        profiles = [profile_task(p, removals.get(p.sha256)) for p in view.partitions()]
        ledgers = [a for name in LEDGER_STAGES for a in view.artifacts(name, "ledger")]
        groups = list(batches(ledgers, LEDGER_BYTES, lambda a: a.bytes))
        found = yield [
            *profiles,
            *(ledger_task(i, group) for i, group in enumerate(groups)),
            *excerpt_tasks(view.partitions(), removals, view.artifacts("dedup", "clusters")),
        ]
        merged = yield from merge_rounds(found[: len(profiles)])
        rest = [a for m in found[len(profiles) :] for kind in ("ledger-summary", "excerpts") for a in m.of(kind)]
        yield [render_task(view, [*merged, *rest])]


def profile_task(partition: Artifact, removal: Artifact | None) -> Task:
    component = partition.facts["component"]
    return Task(
        stage="report",
        name=f"profile/{component}/{partition.sha256[:12]}",
        function="pilebuilder.report.measure:profile",
        code=CODE,
        inputs=(partition, removal) if removal else (partition,),
        component=component,
    )


def ledger_task(index: int, group: list[Artifact]) -> Task:
    return Task(
        stage="report",
        name=f"ledger/{index:04}",
        function="pilebuilder.report.measure:read_ledger",
        code=CODE,
        inputs=tuple(group),
    )


def excerpt_tasks(partitions: list[Artifact], removals: dict[str, Artifact], clusters: list[Artifact]) -> list[Task]:
    """Tasks that find the texts of the largest clusters' members."""
    if not clusters or not clusters[0].facts["clusters"]:
        return []
    groups = batches(partitions, EXCERPT_DOCUMENTS, lambda p: p.facts["documents"])
    return [
        Task(
            stage="report",
            name=f"excerpts/{i:04}",
            function="pilebuilder.report.measure:excerpts",
            code=CODE,
            inputs=(clusters[0], *group, *(removals[p.sha256] for p in group if p.sha256 in removals)),
        )
        for i, group in enumerate(groups)
    ]


def merge_rounds(found: list[Manifest]) -> Generator[list[Task], list[Manifest], list[Artifact]]:
    """Add up each component's summaries until it has one; returns these in the order of first appearance."""
    held: dict[str, list[Manifest]] = {}
    for manifest in found:
        held.setdefault(manifest.component, []).append(manifest)
    while any(len(manifests) > 1 for manifests in held.values()):
        tasks = [
            merge_task(component, manifests[at : at + MERGED_AT_ONCE], at // MERGED_AT_ONCE)
            for component, manifests in held.items()
            if len(manifests) > 1
            for at in range(0, len(manifests), MERGED_AT_ONCE)
        ]
        done = yield tasks
        for component in dict.fromkeys(t.component for t in tasks):
            held[component] = [m for m in done if m.component == component]
    return [a for manifests in held.values() for m in manifests for kind in SUMMARIES for a in m.of(kind)]


def merge_task(component: str, manifests: list[Manifest], index: int) -> Task:
    return Task(
        stage="report",
        name=f"merge/{component}/{index:04}",
        function="pilebuilder.report.measure:merge",
        code=CODE,
        inputs=tuple(a for m in manifests for kind in SUMMARIES for a in m.of(kind)),
        component=component,
    )


def render_task(view: View, inputs: list[Artifact]) -> Task:
    """The last task: every table, figure and page."""
    from pilebuilder.report.facts import gather

    tokens = [a for a in view.artifacts("tokenize", "tokens") if a.path.endswith(".json")]
    collected = [*view.artifacts("mix", "mixture"), *view.artifacts("dedup", "clusters"), *tokens]
    params: dict[str, Any] = {"facts": gather(view), "templates": template_digests()}
    return Task(
        stage="report",
        name="pages",
        function="pilebuilder.report.render:write",
        code=CODE,
        params=params,
        inputs=(*inputs, *collected),
    )


def template_digests() -> dict[str, str]:
    """Digest of each template and stylesheet: an edited template makes the pages anew."""
    from pilebuilder.recipe import data_folder
    from pilebuilder.task import digest_file

    files = sorted(p for p in data_folder("reports").iterdir() if p.is_file())
    return {p.name: digest_file(p)[0] for p in files}
