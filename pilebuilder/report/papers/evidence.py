"""What the build itself can say when a paper asks: short sentences with numbers, each from a table of the report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilebuilder.ledger import Tally
from pilebuilder.report.cells import show_size
from pilebuilder.report.facts import Facts
from pilebuilder.report.measures.personal import NAMES, TYPES
from pilebuilder.report.sections.languages import UNDETERMINED, counts, order
from pilebuilder.report.sections.losses import by_reason, losses

COMMON = 0.01
"""Least share of documents of a language that a card names."""


class Evidence:
    """Sentences about one corpus."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def person(self, number: int) -> str | None:
        """What a person answered to a question of the datasheet."""
        held = self.facts.answers.get(str(number))
        return held["text"] if held else None

    def languages(self) -> list[tuple[str, float]]:
        """Codes with at least one percent of the measured documents, else what the cards expect."""
        documents = counts(self.facts, "documents")
        total = sum(sum(c.values()) for c in documents.values())
        found = []
        for code in order(documents):
            n = sum(c.get(code, 0) for c in documents.values())
            if code != UNDETERMINED and n >= COMMON * total:
                found.append((code, n / total))
        if found:
            return found
        expected = dict.fromkeys(code for s in self.facts.sources for code in s.card.get("languages") or [])
        return [(code, 0.0) for code in expected]

    def language_words(self) -> str:
        held = self.languages()
        measured = ", ".join(f"{code} {share:.1%}" for code, share in held if share)
        if measured:
            return f"Measured languages (documents): {measured}."
        return f"Languages expected by the cards: {', '.join(c for c, _ in held) or 'not stated'}; none was measured."

    def collection(self) -> str:
        """How the sources were acquired."""
        modes = ", ".join(f"{s.name} ({s.card.get('access', 'open')})" for s in self.facts.sources)
        return f"Fetched from the addresses on the components' cards, each file with its SHA-256 digest: {modes}."

    def collection_types(self) -> list[str]:
        """Terms of the responsible-AI vocabulary, by fetcher."""
        kinds = {self._fetcher(s.card) for s in self.facts.sources}
        terms = []
        if kinds & {"warc", "cdx", "common-crawl", "web"}:
            terms.append("Web Scraping")
        if kinds & {"oai", "oai-pmh", "api", "http", "s3"}:
            terms.append("Web API")
        return [*terms, "Secondary Data analysis"] if terms else ["Secondary Data analysis"]

    @staticmethod
    def _fetcher(card: Mapping[str, Any]) -> str:
        fetch = card.get("fetch") or ""
        return fetch if isinstance(fetch, str) else next(iter(fetch), "")

    def missing(self) -> str:
        """Null metadata and records that could not be read."""
        whole, n = self.facts.whole, self.facts.whole.get("documents")
        gone = sum(c.quarantined.total() for c in self.facts.stages.get("read", {}).values())
        rates = (
            ", ".join(f"{name} {whole.get('null', name) / n:.1%}" for name in ("url", "date", "licence")) if n else ""
        )
        unread = f"{gone:,} records could not be read and are listed by reason."
        return f"Documents without {rates or 'any metadata'}; {unread}"

    def raw_data(self) -> str:
        count = sum(c.kept for c in self.facts.stages.get("fetch", {}).values())
        size = sum(c.bytes_out for c in self.facts.stages.get("fetch", {}).values())
        kept = f"{count:,} raw files" + (f", {show_size(size)}" if size else "")
        return f"{kept}; their digests stand in corpus.lock."

    def timeframe(self) -> list[str]:
        """First and last year of the documents' dates."""
        years = sorted(self.facts.whole.labels("year").get("", {}))
        return [f"{years[0]}-01-01", f"{years[-1]}-12-31"] if years else []

    def timeframe_words(self) -> str:
        years = self.timeframe()
        if not years:
            return "The documents carry no dates."
        return f"Documents are dated from {years[0][:4]} to {years[1][:4]}."

    def preprocessing(self) -> list[str]:
        """Every step with its parameters, in order."""
        steps = []
        for stage in ("clean", "filter"):
            for spec in self.facts.settings.get(stage) or []:
                name, params = (spec, {}) if isinstance(spec, str) else next(iter(spec.items()))
                shown = ", ".join(f"{k}={v}" for k, v in sorted((params or {}).items()))
                steps.append(f"{stage}: {name}" + (f" ({shown})" if shown else ""))
        near = (self.facts.settings.get("dedup") or {}).get("minhash")
        if near:
            steps.append(f"dedup: MinHash, {near['bands']} bands of {near['rows']}, verified at {near['verify']:g}")
        return steps or ["none"]

    def models(self) -> list[str]:
        """Models whose judgement is in the data or the report."""
        from pilebuilder import models

        return [f"{m.name}: {m.task}, SHA-256 {m.sha256}" for m in models.CATALOGUE.values()]

    def personal(self) -> str:
        """Matches of patterns, by type."""
        if not self.facts.profiles:
            return "personal data was not measured"
        held = ", ".join(f"{NAMES[t]} {self.facts.whole.get('personal.matches', t):,}" for t in TYPES)
        return f"matches of patterns in the text that remains: {held}"

    def losses(self) -> str:
        held = by_reason(losses(self.facts))
        shown = "; ".join(f"{stage}: {reason} {n:,}" for stage, _, reason, n in sorted(held, key=lambda x: -x[3])[:8])
        return f"Documents that left, by reason: {shown or 'none'}."

    def duplicates(self) -> str:
        dedup = self.facts.stages.get("dedup", Tally())
        merged, seen = sum(c.merged for c in dedup.values()), sum(c.seen for c in dedup.values())
        if not seen:
            return "No deduplication ran."
        clusters = self.facts.clusters.get("clusters", 0)
        return f"{merged:,} of {seen:,} documents were duplicates ({merged / seen:.1%}), in {clusters:,} clusters."

    def splits(self) -> str:
        sums: dict[str, int] = {}
        for shard in self.facts.shards:
            sums[shard["split"]] = sums.get(shard["split"], 0) + (shard["documents"] or 0)
        shown = ", ".join(f"{split} {n:,}" for split, n in sums.items())
        return f"Splits (documents with copies): {shown or 'none'}; drawn by the seed {self.facts.corpus['seed']}."

    def latest_day(self) -> str:
        """Latest day that the sources know of: a build has no clock."""
        years = self.timeframe()
        return years[1] if years else "1970-01-01"
