"""Checks on the sums: the wipe-out guard, and the quarantine limit that decides exit code 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilebuilder.errors import WipeOutError
from pilebuilder.ledger import Count, Tally
from pilebuilder.recipe import Component

if TYPE_CHECKING:
    from pilebuilder.build.run import Build

GUARDED = ("clean", "filter", "dedup")
MEANINGFUL = 20
"""Below so many documents a share says nothing."""


def check(stage: str, tally: Tally, components: list[Component]) -> None:
    """Stop the build when a component loses more in one stage than its card or recipe expects; names the rule."""
    if stage not in GUARDED:
        return
    for component in components:
        count = tally.get(component.name)
        if count is None or count.seen < MEANINGFUL:
            continue
        share, expected = 1 - count.kept / count.seen, component.card.expect.max_loss
        if share > expected:
            raise WipeOutError(
                f"{stage} removed {share:.1%} of component {component.name!r} ({count.seen - count.kept:,} of"
                f" {count.seen:,} documents); at most {expected:.1%} is expected. Most left for {_worst(count)}."
                f" If this is right, set `expect: {{max_loss: {min(1.0, share + 0.01):.2f}}}` on the component;"
                " if not, mend the step or exclude the component from it with `except:`"
            )


def _worst(count: Count) -> str:
    reasons = count.dropped + count.quarantined
    if count.merged > reasons.total():
        return f"duplicates ({count.merged:,})"
    return ", ".join(f"{reason} ({n:,})" for reason, n in reasons.most_common(3)) or "no stated reason"


def quarantine_excess(build: Build) -> list[str]:
    """Components above the quarantine limit: share of documents in quarantine, or raw files touched."""
    limits = build.recipe.head.quarantine
    messages = []
    whole = Tally.total([m.tally for stage in ("fetch", "read", "clean", "filter") for m in build.manifests(stage)])
    read = Tally.total([m.tally for m in build.manifests("read")])
    for name, count in whole.items():
        lost = count.quarantined.total()
        share = lost / max(1, lost, read[name].seen if name in read else 0)
        files = len(quarantined_files(build, name)) if lost else 0
        if lost and (share > limits.share or files > limits.files):
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in count.quarantined.most_common(4))
            messages.append(f"{name}: {lost:,} in quarantine ({share:.2%} of documents, {files} files): {reasons}")
    return messages


def quarantined_files(build: Build, component: str) -> set[str]:
    """Names of raw files of a component that have a quarantine row."""
    import pyarrow.compute as pc

    from pilebuilder.partition import read_table

    files: set[str] = set()
    for stage in ("fetch", "read"):
        for manifest in build.manifests(stage):
            count = manifest.tally.get(component)
            if count is None or not count.quarantined:
                continue
            for artifact in manifest.of("ledger"):
                table = read_table(build.root / artifact.path, ["component", "action", "file"])
                mask = pc.and_(
                    pc.equal(table["action"].cast("string"), "quarantined"),
                    pc.equal(table["component"].cast("string"), component),
                )
                files.update(f or "" for f in table.filter(mask)["file"].to_pylist())
    return files
