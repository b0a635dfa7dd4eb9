"""The recipe's `dedup:` section."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Method = Literal["exact", "url", "minhash", "signal"]
METHODS: tuple[Method, ...] = ("exact", "url", "minhash", "signal")
Rule = Annotated[str, Field(pattern=r"^(priority|longest|shortest|earliest|latest|[+-]signal\.[\w.-]+)$")]


class Section(BaseModel):
    """Base of the sections: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class MinHash(Section):
    """Near-duplicates: MinHash proposes candidates, the true similarity of their shingles decides.

    The default of 16 bands of 7 takes the same 112 permutations as the common 14 of 8, and proposes 0.977 of the pairs
    of similarity 0.8 instead of 0.924; the false candidates that it also proposes are refused by verification.
    """

    ngram: int = Field(5, ge=1, le=64, description="words in a shingle")
    bands: int = Field(
        16, ge=1, le=1024, description="bands of the signature; a pair that agrees in one is a candidate"
    )
    rows: int = Field(7, ge=1, le=256, description="minima in a band: more rows, fewer candidates")
    threshold: float | None = Field(
        None, gt=0, lt=1, description="choose bands and rows for this similarity instead, with `permutations` in all"
    )
    permutations: int = Field(112, ge=1, le=8192, description="size of the signature when `threshold` is given")
    verify: float = Field(0.7, gt=0, le=1, description="least true Jaccard similarity of duplicates")
    containment: float | None = Field(
        None, gt=0, le=1, description="also duplicates: this share of the smaller text's shingles is in the larger"
    )
    transitive: bool = Field(
        True,
        description="a chain of duplicates keeps one survivor; false: each removed text is similar to its survivor",
    )
    short: Literal["whole", "skip"] = Field(
        "whole",
        description="texts of fewer than `ngram` words: one shingle of all their words, or never near-duplicates",
    )
    seed: int = Field(1, ge=0, lt=1 << 32, description="decides the permutations, as in datasketch")
    scheme: Literal["affine32", "legacy"] = Field("affine32", description="permutation scheme, as in datasketch")

    @model_validator(mode="before")
    @classmethod
    def _choose_bands(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("threshold") is not None:
            if "bands" in data or "rows" in data:
                raise ValueError("give either `threshold` (and `permutations`) or `bands` and `rows`, not both")
            threshold, count = float(data["threshold"]), int(data.get("permutations", 112))
            if 0 < threshold < 1 and 1 <= count <= 8192:
                bands, rows = optimal_bands(threshold, count)
                return {**data, "bands": bands, "rows": rows}
        return data


class Policy(Section):
    """What holds for one component."""

    methods: tuple[Method, ...] = Field(METHODS, description="methods that may remove its documents")
    against: Literal["all", "self"] | tuple[str, ...] = Field(
        "all", description="components whose documents may replace its own: all, its own only, or these"
    )


class Repeated(Section):
    """Lines, or paragraphs, that stand in many documents: menus, notices, licences."""

    documents: int = Field(10, ge=1, description="in more than so many documents it counts as repeated")
    keep: int = Field(1, ge=0, description="first documents that keep it")
    least: int = Field(20, ge=1, description="bytes; anything shorter is left alone")


class Substring(Section):
    """Runs of words that occurred before, anywhere in the corpus (Lee et al. 2022, arXiv:2107.06499)."""

    words: int = Field(50, ge=10, le=4096, description="length from which on a repeated run of words is cut")


class Index(Section):
    """Keep what a later corpus needs to be deduplicated against this one (see `pilebuilder.dedup.index`)."""

    sample: int = Field(256, ge=16, le=1 << 16, description="shingle hashes kept of each text, 4 bytes each")


class Takedown(Section):
    """Documents that somebody wants out, by id: they leave with the reason ``takedown`` and never return."""

    list: str = Field(
        min_length=1, description="text file beside the recipe: one document id a line; # begins a comment"
    )
    duplicates: Literal["promote", "remove"] = Field(
        "promote",
        description="promote: the best of the rest of its cluster stays in its place; remove: the whole cluster goes",
    )


class Config(Section):
    """Exact, by address, and near: in this order, each on what the one before left."""

    exact: bool = Field(True, description="equal texts, white space aside")
    url: bool = Field(False, description="equal web addresses; for components whose address names one document")
    minhash: MinHash | None = Field(default_factory=lambda: MinHash(), description="near-duplicates; null: off")
    equal: tuple[Annotated[str, Field(pattern=r"^[\w.-]+$")], ...] = Field(
        (), description="signals whose equal values also make duplicates (semantic dedup: see `pilebuilder.dedup`)"
    )
    lines: Repeated | None = Field(None, description="cut lines that many documents share")
    paragraphs: Repeated | None = Field(None, description="cut paragraphs (between empty lines) that many share")
    substring: Substring | None = Field(None, description="cut runs of words that occurred before")
    repeated: Literal["cut", "mark"] = Field(
        "cut", description="what happens to such spans; mark: only measure them, as signal.repeated (share of bytes)"
    )
    survivor: tuple[Rule, ...] = Field(
        ("priority", "longest"),
        description="which of a cluster stays, first rule first; ties go to the smallest id. Rules: priority, longest,"
        " shortest, earliest, latest, +signal.NAME (largest first) or -signal.NAME",
    )
    priority: tuple[str, ...] = Field(
        (), description="components in order of preference; the rest come after them, equal"
    )
    components: dict[str, Policy] = Field(default_factory=dict, description="policy of single components")
    signature: bool = Field(False, description="keep whole MinHash signatures in the sketches, for datasketch")

    takedown: Takedown | None = Field(None, description="documents to leave out; see `pilebuilder takedown`")
    index: Index | None = Field(None, description="write a persistent index into the output folder")
    against: tuple[str, ...] = Field((), description="folders of indexes of other corpora; theirs stay, ours leave")
    within: bool = Field(True, description="compare the corpus with itself too; false: only with `against`")

    @model_validator(mode="after")
    def _consistent(self) -> Config:
        if not self.within and not self.against:
            raise ValueError("`within: false` leaves nothing to compare with: name an index under `against`")
        return self

    def components_named(self) -> set[str]:
        """Components that this section mentions, to be checked against the recipe's."""
        listed = {name for p in self.components.values() if isinstance(p.against, tuple) for name in p.against}
        return {*self.priority, *self.components, *listed}

    def signals(self) -> list[str]:
        """Signals that the survivor rules read, in order."""
        return [rule[1:].removeprefix("signal.") for rule in self.survivor if rule[0] in "+-"]

    def spans(self) -> list[tuple[str, dict[str, Any]]]:
        """Kinds of repeated spans to find, with their parameters."""
        kinds = ((name, getattr(self, name)) for name in ("lines", "paragraphs", "substring"))
        return [(name, section.model_dump()) for name, section in kinds if section is not None]

    def sketch(self) -> dict[str, Any]:
        """Parameters of the sketch: all that it depends on, and no more."""
        params: dict[str, Any] = {"signature": self.signature, "signals": self.signals()}
        if self.equal:
            params["equal"] = list(self.equal)
        params["sample"] = self.index.sample if self.index is not None else 0
        if self.minhash is None:
            return {**params, "near": False}
        same = ("ngram", "bands", "rows", "seed", "scheme", "short")
        return {**params, **{name: getattr(self.minhash, name) for name in same}}


def optimal_bands(threshold: float, permutations: int) -> tuple[int, int]:
    """Bands and rows with the least error at a threshold: area of false positives below it plus false negatives above.

    The rule of `datasketch.MinHashLSH` with equal weights, integrated in closed steps of 1/1000 (Simpson).

    >>> optimal_bands(0.8, 128)
    (9, 13)
    """
    best, found = float("inf"), (1, 1)
    for bands in range(1, permutations + 1):
        for rows in range(1, permutations // bands + 1):
            error = _area(0.0, threshold, bands, rows, False) + _area(threshold, 1.0, bands, rows, True)
            if error < best:
                best, found = error, (bands, rows)
    return found


def candidate_probability(similarity: float, bands: int, rows: int) -> float:
    """Chance that two texts of this Jaccard similarity agree in at least one band: 1 - (1 - s^r)^b."""
    return float(1.0 - (1.0 - similarity**rows) ** bands)


def _area(low: float, high: float, bands: int, rows: int, missed: bool, steps: int = 64) -> float:
    """Simpson's rule over the candidate probability (or what it misses)."""
    width, total = (high - low) / steps, 0.0
    for i in range(steps + 1):
        p = candidate_probability(low + i * width, bands, rows)
        weight = 1 if i in (0, steps) else 4 if i % 2 else 2
        total += weight * (1.0 - p if missed else p)
    return total * width / 3
