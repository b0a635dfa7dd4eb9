"""Samples of each component, drawn by the seed from the validation split (the Pile paper's appendix F)."""

from __future__ import annotations

from pilebuilder.report.cells import not_measured
from pilebuilder.report.facts import Facts
from pilebuilder.report.table import Block, Excerpt, Excerpts, Prose, Section

EACH, SEARCHED = 2, 8
"""Samples of each component where they stand among other things, and on the page that can be searched."""


def drawn(facts: Facts, name: str) -> list[Excerpt]:
    """All samples of a component whose text was found, smallest draw first."""
    found = []
    for _, key in facts.ledger.get("samples", {}).get(name, []):
        held = facts.excerpts.get(key)
        if held and "text" in held:
            found.append(Excerpt(label=key[:12], text=held["text"], cut=held["cut"]))
    return found


def block(facts: Facts, name: str, each: int = EACH) -> Excerpts | Prose:
    """Some samples of one component, or why there are none."""
    texts = drawn(facts, name)[:each]
    if not texts:
        reason = "no document" if not facts.documents(name) else "its texts are not at hand"
        return Prose(text=f"{name}: {not_measured(reason)}.")
    note = "" if validated(facts, name) else "No document is in the validation split: drawn from all of them."
    return Excerpts(title=name, note=note, texts=tuple(texts))


def validated(facts: Facts, name: str) -> bool:
    """Whether the component has documents in the validation split."""
    splits = facts.mixture.get("components", {}).get(name, {}).get("splits", {})
    return bool(splits.get("val", {}).get("documents"))


def section(facts: Facts) -> Section:
    """Two samples of each component."""
    if not facts.ledger.get("samples"):
        gap = Prose(text=f"{not_measured('no text is at hand')}.", warning=True)
        return Section(name="samples", title="Samples", lead="", blocks=(gap,))
    blocks: list[Block] = [block(facts, name) for name in facts.names]
    return Section(
        name="samples",
        title="Samples",
        lead=f"Up to {SEARCHED} documents of each component, the first 512 bytes of each. The seed and the document's"
        " id draw them from the validation split, or from all documents where it holds none, so nobody could pick"
        " them; personal data is masked.",
        blocks=tuple(blocks),
    )
