"""The dedup stage: exact, then by address, then near-duplicates, each on what the one before left.

Phases, each a list of tasks over bounded files:

1. `sketch`: only for partitions that came without one.
   `takedown.mark`: documents that somebody wants out.
2. `exact.scatter`, `exact.resolve`: text digests as sorted runs, merged by ranges of keys; the same for addresses.
3. `bands.scatter`, `bands.candidates`: MinHash band keys likewise; documents that share one form candidate groups.
4. `bands.join`: candidates connected by any chain of groups go into the same batch; batches fit the memory budget.
5. `verify.extract`, `confirm`: shingles of the candidates' texts, true similarity, components, survivors.
   Where all keys, or all candidates, fit into memory, one task (`whole`) does both halves of 2, 3 or 5.
   Values of signals that steps of your own measured, as in 2, when the recipe names some under `equal`.
6. `spans`: repeated lines, paragraphs and runs of words in what is left, when the recipe asks for them.
7. `remove.listing`, `remove.summary`: removal list, ledger and counts of each partition; clusters for the report.
8. `index`: what a later corpus needs to continue from this one, when the recipe asks for it.

No task holds the corpus, its signatures or its keys. The number of key ranges and batches follows from the recipe's
`memory`; what is removed does not depend on it, nor on the number of workers.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel

from pilebuilder.dedup import config as settings
from pilebuilder.registry import stage
from pilebuilder.task import Artifact, Phases, View


@stage("dedup", version=1)
class Dedup:
    """Find duplicate documents and decide which of each cluster stays."""

    Config: ClassVar[type[BaseModel]] = settings.Config

    @staticmethod
    def sketch(config: settings.Config) -> tuple[str, dict[str, Any]] | None:
        """Name and parameters of the sketch that the pass over the texts must make for this stage."""
        return "dedup", config.sketch()

    def run(self, view: View) -> Phases:
        """Plan phase by phase; see the module's docstring."""
        from pilebuilder.dedup.plan import Plan

        config: settings.Config = view.config("dedup")
        plan = Plan(config, view)
        yield from plan.prepare()
        taken, merged = yield from plan.takedown()
        methods = ["takedown"] * len(merged)
        for method, column in (("exact", "digest"), ("url", "url_key")):
            if getattr(config, method):
                found = yield from plan.by_key(method, column, merged)
                merged, methods = merged + found, methods + [method] * len(found)
        if config.minhash is not None:
            found = yield from plan.near(config.minhash, merged)
            merged, methods = merged + found, methods + ["minhash"] * len(found)
        for name in config.equal:
            found = yield from plan.by_key(f"signal.{name}", f"equal.{name}", merged)
            merged, methods = merged + found, methods + [f"signal.{name}"] * len(found)
        cuts: list[Artifact] = []
        for kind, params in config.spans():
            cuts += yield from plan.repeated(kind, params, merged)
        tainted = yield from plan.spread(taken, merged, methods)
        listed, summed = yield from plan.finish(merged, methods, [*cuts, *tainted])
        if config.index is not None:
            yield from plan.index(listed, summed)
