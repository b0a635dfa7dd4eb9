"""Everything a report may draw on, gathered from the build: plain values that enter the key of the report's tasks.

A section reads `Facts` and nothing else, so it can be tested with a few numbers written by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pilebuilder.ledger import Count, Tally
from pilebuilder.report.cells import Cell, not_measured

if TYPE_CHECKING:
    import pyarrow as pa

    from pilebuilder.report.counters import Counters
    from pilebuilder.report.logbooks import Book
    from pilebuilder.task import View

# Stages whose tallies count documents (fetch counts files).
DOCUMENT_STAGES = ("read", "clean", "filter", "dedup", "mix")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A component as the report needs it: what its card says and what the recipe asks."""

    name: str
    slug: str
    epochs: float
    card: Mapping[str, Any]
    """The card as plain values (`pilebuilder.card.Card`)."""
    fetcher: str = ""
    """The recipe's fetcher for it; empty when the corpus was made elsewhere."""

    @property
    def title(self) -> str:
        return self.card.get("title") or self.name

    @property
    def pile(self) -> Mapping[str, Any]:
        """The Pile paper's figures for this component; empty when it is not one of the 22."""
        return self.card.get("pile") or {}

    @property
    def licence(self) -> str:
        terms = self.card.get("licence") or {}
        return terms.get("spdx") or terms.get("text") or ""


@dataclass(kw_only=True)
class Facts:
    """One corpus. Missing inputs are empty; sections say what was not measured."""

    corpus: Mapping[str, Any]
    """name, title, description, version, maintainer, seed, recipe (digest), tool (version)."""
    sources: tuple[Source, ...]
    stages: Mapping[str, Tally]
    """Tallies by stage name, those that ran."""
    off: tuple[str, ...] = ()
    """Stages that the recipe turned off."""
    from_files: bool = False
    """Whether the corpus was made elsewhere, so that documents are those of its files, copies included."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Each stage's section of the recipe, resolved."""
    mixture: Mapping[str, Any] = field(default_factory=dict)
    """What the mix wrote: epochs and shares asked for and realised, by component."""
    profiles: Mapping[str, Counters] = field(default_factory=dict)
    """Merged document summaries by component, without n-grams."""
    ngrams: Counters | None = None
    """N-grams of the whole corpus."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The report's section of the recipe."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """What a person wrote for the datasheet, by question number."""
    removal: Mapping[str, Counters] = field(default_factory=dict)
    """Documents by group and rule (`pilebuilder.report.removal`), by component."""
    domains: Mapping[str, pa.Table] = field(default_factory=dict)
    """Web addresses by level and name (`measures.domains`), by component."""
    repeats: Mapping[str, pa.Table] = field(default_factory=dict)
    """Sampled texts and web addresses with their documents (`measures.repeats`), by component."""
    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of its texts and addresses that a component's `repeats` hold."""
    bias: Mapping[str, Any] = field(default_factory=dict)
    """Sentiment and profanity of the sample (`sampled.bias`), by component."""
    bias_words: Mapping[str, pa.Table] = field(default_factory=dict)
    """Adjectives and adverbs with their sentences by group, by component."""
    agreement: Mapping[str, Any] = field(default_factory=dict)
    """What a second language identifier said of the sample (`sampled.agreement`), by component."""
    topics: Mapping[str, Any] = field(default_factory=dict)
    """Topics and fit of each component's model (`sampled.topics`)."""
    excerpts: Mapping[str, Any] = field(default_factory=dict)
    """Beginnings of the texts that are shown, by document id."""
    ledger: Mapping[str, Any] = field(default_factory=dict)
    """``rows``, ``noted``, ``quarantine`` and ``samples`` as `ledgers.read_ledger` gives them."""
    shards: tuple[Mapping[str, Any], ...] = ()
    """One entry per output file: name, split, sha256, bytes, documents, text_bytes."""
    tokens: Mapping[str, Any] = field(default_factory=dict)
    """tokenizer, and by component and split: tokens (of text), marks (ends of documents), bytes, documents."""
    token_counts: Counters | None = None
    """Distributions of tokens and of bytes per token over documents, by component (`measures.tokens`)."""
    overlap: Sequence[Mapping[str, Any]] = ()
    """Test documents and benchmark items found in training (`overlap.summary`)."""
    contamination: Sequence[Mapping[str, Any]] = ()
    """Certificates of evaluation sets (`contamination.certify`)."""
    clusters: Mapping[str, Any] = field(default_factory=dict)
    """Duplicate clusters: sizes as [members, clusters], clusters, documents, and the largest with excerpts."""
    compressed: Mapping[str, list[int]] = field(default_factory=dict)
    """Test documents under a general compressor, by component (`compressed.FIELDS`)."""
    bytemodel: Mapping[str, list[int]] = field(default_factory=dict)
    """The same under the order-5 byte model of the training split (`bytemodel`)."""
    sampled_tokens: Mapping[str, Any] = field(default_factory=dict)
    """Tokens of the sample by component, where no token files are (`sampled.tokens`)."""
    classifiers: Sequence[Mapping[str, Any]] = ()
    """Classifiers of the quality steps with their own measurements (`quality.classifiers_of`)."""
    opt_outs: Mapping[str, Any] = field(default_factory=dict)
    """Opt-out signals in the inventories of the fetch, by component (`optouts.count`)."""
    quality: Mapping[str, Any] = field(default_factory=dict)
    """Scores of the quality classifier by component and signal (`quality.merged`)."""
    evaluations: Sequence[Mapping[str, Any]] = ()
    """Networks measured on held-out text (`pilebuilder.train.evaluation`), by file name."""
    comparisons: Sequence[Mapping[str, Any]] = ()
    """The same network trained on two corpora (`pilebuilder.train.compare`)."""
    books: Sequence[Book] = ()
    """Logbooks of the training runs in the output folder, by name."""

    @property
    def names(self) -> list[str]:
        return [s.name for s in self.sources]

    @cached_property
    def placed(self) -> Tally:
        """Documents that reached the mix, and their bytes: the raw size of each component in the Pile's sense."""
        for stage in reversed(DOCUMENT_STAGES):
            if stage in self.stages:
                return self.stages[stage]
        return Tally()

    @cached_property
    def whole(self) -> Counters:
        """The summaries of all components added up."""
        from pilebuilder.report.counters import Counters

        total = Counters()
        for name in self.names:
            if name in self.profiles:
                total.merge(self.profiles[name])
        return total.merge(self.ngrams) if self.ngrams is not None else total

    def documents(self, name: str) -> int:
        """Distinct documents of a component when the mix begins; of a corpus made elsewhere, those in its files."""
        if self.from_files:
            return self.profiles[name].get("documents") if name in self.profiles else 0
        count = self.placed.get(name, Count())
        return count.seen if "mix" in self.stages else count.kept

    @property
    def remaining(self) -> int:
        """Distinct documents that the last stage kept: what is in the corpus."""
        if self.from_files:
            return sum(map(self.documents, self.names))
        return sum(count.kept for count in self.placed.values())

    def raw_bytes(self, name: str) -> int:
        """Their bytes of text, before epochs."""
        if name in self.profiles:
            return self.profiles[name].get("bytes", "sum")
        count = self.placed.get(name, Count())
        return count.bytes_in if "mix" in self.stages else count.bytes_out

    def epochs(self, name: str) -> float:
        """Epochs that the mix settled on, or those of the card."""
        held = self.mixture.get("components", {}).get(name)
        source = next(s for s in self.sources if s.name == name)
        return float(held["epochs"]) if held else source.epochs

    def token_count(self, name: str) -> Cell:
        """Tokens of a component over all splits."""
        if not self.tokens:
            off = "tokenize" in self.off and not self.from_files
            reason = "the recipe turns tokenize off" if off else "no token files"
            return not_measured(reason + ("; see Tokens" if self.sampled_tokens else ""))
        splits = self.tokens["components"].get(name, {})
        return sum(int(split["tokens"]) for split in splits.values())

    def provenance(self) -> dict[str, Any]:
        """What every table carries to say where its numbers come from."""
        return dict(self.corpus)


def gather(view: View) -> dict[str, Any]:
    """Facts that the planner knows without opening a file: recipe, cards, tallies. Plain JSON."""
    from pilebuilder import __version__
    from pilebuilder.report.quality import classifiers_of

    recipe = view.recipe
    stages = {}
    for name in ("fetch", *DOCUMENT_STAGES, "shard", "tokenize"):
        manifests = view.manifests(name)
        if manifests:
            stages[name] = Tally.total([m.tally for m in manifests]).to_json()
    head = recipe.head.model_dump(mode="json")
    configs = {name: view.config(name) for name in ("fetch", "read", *DOCUMENT_STAGES[1:], "shard", "tokenize")}
    return {
        "corpus": {
            **{key: head.get(key, "") for key in ("name", "title", "description", "version", "maintainer", "seed")},
            "recipe": recipe.digest,
            "tool": __version__,
        },
        "sources": [
            {"name": c.name, "slug": c.slug, "epochs": c.epochs, "card": c.card.model_dump(mode="json")}
            | {"fetcher": "" if getattr(view, "from_files", False) else c.fetch[0]}
            for c in view.components
        ],
        "stages": stages,
        "shards": [
            {"name": a.facts["public"], "sha256": a.sha256, "bytes": a.bytes}
            | {key: a.facts.get(key) for key in ("split", "documents", "text_bytes")}
            for a in view.artifacts("shard", "shard")
        ],
        "classifiers": classifiers_of(view),
        "off": sorted(name for name, config in configs.items() if config is None),
        "from_files": bool(getattr(view, "from_files", False)),
        "settings": {name: c.model_dump(mode="json") for name, c in configs.items() if hasattr(c, "model_dump")},
    }


def from_json(data: Mapping[str, Any], **measured: Any) -> Facts:
    """Facts from what `gather` made, with what the tasks measured."""
    return Facts(
        corpus=data["corpus"],
        sources=tuple(Source(**s) for s in data["sources"]),
        stages={name: Tally.from_json(tally) for name, tally in data["stages"].items()},
        shards=tuple(data["shards"]),
        off=tuple(data["off"]),
        classifiers=tuple(data.get("classifiers", ())),
        settings=data["settings"],
        from_files=bool(data.get("from_files")),
        **measured,
    )
