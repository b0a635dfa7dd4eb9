"""Plans the phases of the dedup stage: which task reads which files, and into how many parts the work is cut."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pilebuilder.dedup import choose, runs
from pilebuilder.dedup import config as settings
from pilebuilder.dedup.index import comparable, open_index
from pilebuilder.errors import RecipeError
from pilebuilder.task import Artifact, Manifest, Task, View, batches, digest_file

CODE = "dedup/3"
Step = Generator[list[Task], list[Manifest], Any]
SORTING = 4
"""Memory for sorting keys, as a multiple of their bytes in files."""


ONE_TASK = 1 << 30
"""Bytes of text of which one task reads the candidates and confirms them: some seconds of one core. More is worth
files between, for the sake of many workers."""


@dataclass(slots=True)
class Group:
    """Consecutive partitions whose sketches one task reads."""

    first: int
    sketches: list[Artifact]


class Plan:
    """The phases of one run, with what they share."""

    def __init__(self, config: settings.Config, view: View) -> None:
        self.config, self.view = config, view
        self.own = view.partitions()
        sketch = comparable(config.sketch())
        self.foreign = [f for folder in config.against for f in open_index(_beside(view, folder), sketch).files]
        self.partitions = [*self.own, *self.foreign]
        self.documents: int = sum(p.facts["documents"] for p in self.partitions)
        self.held = [*view.artifacts("filter", "sketch")]
        self.room = runs.allowance(view.recipe.memory)
        self.sketches: list[Artifact] = []
        self.layout: Artifact
        self.choice = {
            "survivor": list(config.survivor),
            "priority": list(config.priority),
            "policies": {k: v.model_dump(mode="json") for k, v in sorted(config.components.items())},
            "within": config.within,
        }

    def task(
        self, name: str, function: str, inputs: Sequence[Artifact], component: str = "", /, **params: Any
    ) -> Task:
        return Task(
            stage="dedup",
            name=name,
            function=f"pilebuilder.dedup.{function}",
            code=CODE,
            params=params,
            inputs=tuple(inputs),
            component=component,
        )

    def prepare(self) -> Step:
        """The layout of the corpus; a sketch of every partition."""
        rows = [[p.facts["component"], p.facts["documents"]] for p in self.own]
        rows += [[runs.INDEXED + f.facts["component"], f.facts["documents"]] for f in self.foreign]
        tasks = [self.task("layout", "runs:write_layout", [], partitions=rows)]
        by_partition = {a.facts["partition"]: a for a in self.held}
        wanting = [i for i, p in enumerate(self.own) if p.sha256 not in by_partition]
        for i in wanting:
            partition = self.partitions[i]
            component = partition.facts["component"]
            tasks.append(self.task(f"sketch/{i:05}", "sketch:make", [partition], component, **self.config.sketch()))
        layout, *made = yield tasks
        (self.layout,) = layout.of("layout")
        for i, manifest in zip(wanting, made, strict=True):
            by_partition[self.partitions[i].sha256] = manifest.of("sketch")[0]
        self.sketches = [*(by_partition[p.sha256] for p in self.own), *self.foreign]

    def groups(self, record: int) -> list[Group]:
        """Partitions in groups whose records of this size fit into a task."""
        numbered = list(enumerate(self.partitions))
        limit = max(1, self.room // record)
        grouped = batches(numbered, limit, lambda item: int(item[1].facts["documents"]))
        return [Group(g[0][0], [self.sketches[i] for i, _ in g]) for g in grouped]

    def buckets(self, record: int) -> int:
        """Into how many ranges (a power of two) to cut the keys, so that one range of them fits into a task."""
        wanted = max(1, -(-self.documents * record // self.room))
        return min(1 << (wanted - 1).bit_length(), runs.MOST_BUCKETS)

    def scatter(self, name: str, function: str, groups: list[Group], merged: list[Artifact], **params: Any) -> Step:
        """Write the keys of each group of sketches as a sorted run, without what earlier methods removed."""
        tasks = []
        for i, group in enumerate(groups):
            # Where the group lies matters only when its documents must be found among those removed.
            place = {"first": group.first} if merged else {}
            before = [self.layout, *merged] if merged or len(groups) == 1 else []
            tasks.append(self.task(f"{name}/{i:05}", function, [*group.sketches, *before], **place, **params))
        return (yield tasks)

    def takedown(self) -> Step:
        """Documents that the recipe's takedown list names: files of them, and those of removals among these."""
        wanted = self.config.takedown
        if wanted is None:
            return [], []
        path = _beside(self.view, wanted.list).absolute()
        if not path.is_file():
            raise RecipeError(f"takedown list {path}: no such file; `pilebuilder takedown` writes one")
        digest, size = digest_file(path)
        listed = Artifact(path=str(path), sha256=digest, bytes=size, kind="takedown")
        kind = "merged" if wanted.duplicates == "promote" else "taken"
        tasks = []
        for i, p in enumerate(self.own):
            inputs = [self.sketches[i], self.layout, listed]
            component = p.facts["component"]
            tasks.append(self.task(f"takedown/{i:05}", "takedown:mark", inputs, component, first=i, kind=kind))
        files = _of((yield tasks), kind)
        return ([], files) if kind == "merged" else (files, [])

    def spread(self, taken: list[Artifact], merged: list[Artifact], methods: list[str]) -> Step:
        """Survivors of the clusters that leave as a whole."""
        if not taken:
            return []
        inputs = [self.layout, *taken, *merged]
        return _of((yield [self.task("takedown", "takedown:spread", inputs, methods=methods)]), "tainted")

    def by_key(self, method: str, column: str, merged: list[Artifact]) -> Step:
        """Duplicates by a key of the sketch; gives the files of removals."""
        groups = self.groups(runs.EXACT_RECORD)
        count = self.buckets(runs.EXACT_RECORD) if groups else 0
        keyed = {"column": column, "carry": choose.carried(self.config.survivor)}
        shared: dict[str, Any] = {"method": method, **self.choice}
        if len(groups) == count == 1:
            return _of((yield from self.scatter(method, "exact:whole", groups, merged, **keyed, **shared)), "merged")
        scattered = yield from self.scatter(f"{method}/keys", "exact:scatter", groups, merged, **keyed)
        inputs = [self.layout, *_of(scattered, "run")]
        shared["firsts"] = [g.first for g in groups]
        resolved = yield [
            self.task(f"{method}/{i:05}", "exact:resolve", inputs, bucket=i, buckets=count, **shared)
            for i in range(count)
        ]
        return _of(resolved, "merged")

    def near(self, near: settings.MinHash, merged: list[Artifact]) -> Step:
        """Near-duplicates; gives the files of removals."""
        record = runs.BAND_RECORD * near.bands
        groups = self.groups(record)
        if not groups:
            return []
        firsts = [g.first for g in groups]
        count = self.buckets(record)
        if len(groups) == count == 1:
            scattered = grouped = yield from self.scatter("candidates", "bands:whole", groups, merged)
        else:
            scattered = yield from self.scatter("bands", "bands:scatter", groups, merged)
            inputs = [self.layout, *_of(scattered, "run")]
            grouped = yield [
                self.task(f"candidates/{i:05}", "bands:candidates", inputs, bucket=i, buckets=count, firsts=firsts)
                for i in range(count)
            ]
        inputs = [self.layout, *_of(grouped, "groups"), *_of(scattered, "sizes")]
        (joined,) = yield [self.task("join", "bands:join", inputs, firsts=firsts, limit=self.room // 2)]
        return (yield from self.verify(near, joined))

    def verify(self, near: settings.MinHash, joined: Manifest) -> Step:
        """Shingles of the candidates, then each batch of candidates; all in one task where it is little."""
        (assign,) = joined.of("assign")
        bars = {"verify": near.verify, "containment": near.containment, "transitive": near.transitive}
        bars["limit"] = self.room // 2
        found: list[int] = joined.facts["partitions"]
        sources = {
            i: [self.partitions[i], self.sketches[i]] if i < len(self.own) else [self.partitions[i]] for i in found
        }
        text = sum(int(self.partitions[i].facts.get("text_bytes", ONE_TASK)) for i in found if i < len(self.own))
        if found and joined.facts["bytes"] <= self.room // 2 and text <= ONE_TASK:
            inputs = [self.layout, assign, *joined.of("routed"), *(a for i in found for a in sources[i])]
            params = {"partitions": found, "bytes": joined.facts["bytes"], "ngram": near.ngram, **bars, **self.choice}
            return _of((yield [self.task("minhash", "confirm:whole", inputs, **params)]), "merged")
        carry = choose.carried(self.config.survivor)
        tasks = []
        for i in found:
            params = {"ordinal": i, "ngram": near.ngram, "carry": carry}
            inputs = [*sources[i], self.layout, assign]
            component = self.partitions[i].facts["component"]
            tasks.append(self.task(f"shingles/{i:05}", "verify:extract", inputs, component, **params))
        extracted = yield tasks
        files = [a for m in extracted for kind in ("candidates", "shingles") for a in m.of(kind)]
        inputs = [self.layout, *joined.of("routed"), *files]
        confirmed = yield [
            self.task(f"minhash/{i:05}", "confirm:confirm", inputs, batch=i, **bars, **self.choice)
            for i in range(joined.facts["batches"])
        ]
        return _of(confirmed, "merged")

    def repeated(self, kind: str, params: dict[str, Any], merged: list[Artifact]) -> Step:
        """Repeated spans of one kind in what is left; gives the files that say what to cut."""
        if kind != "substring":
            params = {**params, "unit": kind, "of": kind}
            found = yield from self.over_keys(kind, "spans:units", "spans:frequent", params, merged, [])
            return _of(found, "cuts")
        found = yield from self.over_keys("fingerprints", "spans:fingerprints", "spans:shared", params, merged, [])
        anchors = _of(found, "anchors")
        found = yield from self.over_keys("windows", "spans:windows", "spans:repeats", params, merged, anchors)
        return _of(found, "cuts")

    def over_keys(
        self, kind: str, make: str, join: str, params: dict[str, Any], merged: list[Artifact], more: list[Artifact]
    ) -> Step:
        """Keys of each partition's text as sorted runs, then each range of keys over all runs."""
        made = yield [
            self.task(
                f"{kind}/keys/{i:05}",
                make,
                [p, self.layout, *merged, *more],
                p.facts["component"],
                ordinal=i,
                **params,
            )
            for i, p in enumerate(self.own)
        ]
        inputs, firsts = [self.layout, *_of(made, "run")], list(range(len(self.own)))
        count = max(1, -(-sum(a.bytes for a in _of(made, "run")) * SORTING // self.room)) if self.own else 0
        return (
            yield [
                self.task(f"{kind}/{i:05}", join, inputs, bucket=i, buckets=count, firsts=firsts, **params)
                for i in range(count)
            ]
        )

    def finish(self, merged: list[Artifact], methods: list[str], cuts: list[Artifact]) -> Step:
        """Removal lists, ledger, counts; clusters for the report."""
        thresholds = {"minhash": self.config.minhash.verify} if self.config.minhash else {}
        shared: dict[str, Any] = {"methods": methods, "thresholds": thresholds}
        shared |= {"spans": self.config.spans(), "mark": self.config.repeated == "mark"}
        tasks = []
        for i, p in enumerate(self.own):
            inputs = [p, self.layout, *merged, *cuts]
            tasks.append(
                self.task(f"removal/{i:05}", "remove:listing", inputs, p.facts["component"], ordinal=i, **shared)
            )
        listed = yield tasks
        current = [*_of(listed, "partition")] or self.own
        digests = [p.sha256 for p in current]
        inputs = [self.layout, *merged, *_of(listed, "fate")]
        (summed,) = yield [self.task("clusters", "remove:summary", inputs, partitions=digests)]
        return listed, summed

    def index(self, listed: list[Manifest], summed: Manifest) -> Step:
        """Write the persistent index: one file for each partition, and the file that names them."""
        sizes = {a.facts["ordinal"]: a for a in summed.of("cluster_sizes")}
        tasks = []
        for i, p in enumerate(self.own):
            inputs = [self.sketches[i], *listed[i].of("removal"), *([sizes[i]] if i in sizes else [])]
            tasks.append(self.task(f"index/{i:05}", "index:record", inputs, p.facts["component"], ordinal=i))
        recorded = yield tasks
        files, sketch = _of(recorded, "index"), comparable(self.config.sketch())
        yield [self.task("index", "index:finish", files, sketch=sketch, names=[a.facts["public"] for a in files])]


def _beside(view: View, folder: str) -> Path:
    """A folder that a recipe names: relative to the recipe."""
    home = getattr(view.recipe, "path", None)
    return (Path(home).resolve().parent if home else Path()) / folder


def _of(manifests: list[Manifest], kind: str) -> list[Artifact]:
    return [a for m in manifests for a in m.of(kind)]
