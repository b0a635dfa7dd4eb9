"""The story of the corpus in plain words: what came in, what left at which stage and why, what is there now."""

from __future__ import annotations

from collections import Counter

from pilebuilder.ledger import Count
from pilebuilder.report.cells import many, show_size
from pilebuilder.report.facts import Facts

TELL = {
    "filter": "The filters",
    "dedup": "Deduplication",
}


def story(facts: Facts) -> list[str]:
    """Paragraphs; none for a corpus without documents."""
    if facts.from_files:
        return [_elsewhere(facts)]
    read = _sum(facts, "read")
    if not read.seen:
        return []
    paragraphs = [_came(facts, read)]
    left = [text for text in (_left(facts, stage) for stage in ("filter", "dedup")) if text]
    if left:
        paragraphs.append(" ".join(left))
    paragraphs.append(_now(facts))
    return paragraphs


def _sum(facts: Facts, stage: str) -> Count:
    total = Count()
    for count in facts.stages.get(stage, {}).values():
        total.add(count)
    return total


def _elsewhere(facts: Facts) -> str:
    size = sum(facts.raw_bytes(n) for n in facts.names)
    return (
        f"This corpus was made elsewhere: its files hold {_documents(facts.remaining)} with {show_size(size)} of text"
        f" in {many(len(facts.sources), 'component')}. How it was made is not known here, so what needs the record"
        " of a build is not measured."
    )


def _came(facts: Facts, read: Count) -> str:
    text = f"{_documents(read.seen, 'record')} came in from {many(len(facts.sources), 'source')}."
    unread = read.quarantined.total()
    passed = read.dropped.total()
    if passed:
        (reason, n), *_ = read.dropped.most_common(1)
        text += f" Readers passed over {passed:,} that are no documents of their kind, most for {reason} ({n:,})."
    if unread:
        text += f" {unread:,} could not be read and stand in quarantine with their cause."
    return text


def _left(facts: Facts, stage: str) -> str:
    count = _sum(facts, stage)
    if not count.seen:
        return ""
    if stage == "dedup":
        if not count.merged:
            return f"{TELL[stage]} found no copies."
        return (
            f"{TELL[stage]} merged {_documents(count.merged)} ({count.merged / count.seen:.1%}) into one that stays."
        )
    lost = count.dropped.total()
    if not lost:
        return f"{TELL[stage]} removed nothing."
    first = [f"{reason} ({n:,})" for reason, n in _most(count.dropped, 3)]
    return f"{TELL[stage]} removed {lost:,} of {count.seen:,} ({lost / count.seen:.1%}), most for {_list(first)}."


def _now(facts: Facts) -> str:
    size = sum(facts.raw_bytes(n) for n in facts.names)
    text = f"{_documents(facts.remaining)} with {show_size(size)} of text remain."
    mixed = sum(
        part["splits"].get("train", {}).get("placed_bytes", 0) for part in facts.mixture.get("components", {}).values()
    )
    if mixed:
        text += f" With the epochs of the recipe the training split holds {show_size(mixed)}."
    return text


def _most(counts: Counter[str], n: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))[:n]


def _documents(n: int, noun: str = "document") -> str:
    return many(n, noun)


def _list(parts: list[str]) -> str:
    """
    >>> _list(["a", "b", "c"])
    'a, b and c'
    """
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
