"""Adjectives and adverbs tied to one group more than to the others of its axis (the Pile's tables 10 to 12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pilebuilder.report import heat
from pilebuilder.report.cells import Cell
from pilebuilder.report.facts import Facts
from pilebuilder.report.sampled.bias import LEAST
from pilebuilder.report.sampled.groups import PRESETS
from pilebuilder.report.stats import log_odds
from pilebuilder.report.table import Column, Figure, Table

LISTED, LEAST_Z, LEAST_SENTENCES, UNKNOWN_SENTENCES = 15, 3.3, 50, 500
PRIOR = 0.1
"""Mass of the Dirichlet prior for each occurrence of a word in the background."""
WARNING = (
    "Co-occurrence describes contexts in which words are used, not properties of people; terms in quotations,"
    " headlines and dictionaries count equally."
)


def axes(facts: Facts) -> Mapping[str, Mapping[str, Sequence[str]]]:
    return PRESETS[facts.config.get("terms", "pile")]


def sample_words(facts: Facts) -> str:
    """What the bias measures rest on."""
    documents = sum(b["documents"] for b in facts.bias.values())
    sentences = sum(b["sentences"] for b in facts.bias.values())
    return f"{sentences:,} English sentences of {documents:,} documents, uniform by document within component"


@dataclass(frozen=True, slots=True)
class Word:
    """A word's association with one group against the rest of its axis."""

    text: str
    tag: str
    sentences: int
    score: float
    plain: float
    z: float


def pooled(facts: Facts) -> dict[tuple[str, str], dict[str, int]]:
    """Sentences with each word, and with each group, added up over the components' samples."""
    total: dict[tuple[str, str], dict[str, int]] = {}
    for table in facts.bias_words.values():
        names = [c for c in table.column_names if c not in ("word", "tag")]
        columns = [table.column(c).to_pylist() for c in names]
        words, tags = table.column("word").to_pylist(), table.column("tag").to_pylist()
        for i, key in enumerate(zip(words, tags, strict=True)):
            held = total.setdefault(key, dict.fromkeys(names, 0))
            for name, column in zip(names, columns, strict=True):
                held[name] += column[i]
    return total


def associations(
    facts: Facts, words: dict[tuple[str, str], dict[str, int]], group: str, rest: Sequence[str]
) -> list[Word]:
    """Every word that shares a sentence with the axis: R2 score, R1 score, z of the log-odds; largest score first."""
    named = {g: sum(b["groups"][g]["sentences"] for b in facts.bias.values()) for g in (group, *rest)}
    others = sum(named[g] for g in rest)
    background = sum(h["sentences"] for h in words.values())
    of_group = sum(h[group] for h in words.values())
    of_rest = sum(h[g] for h in words.values() for g in rest)
    found = []
    for (text, tag), held in words.items():
        mine, theirs, n = held[group], sum(held[g] for g in rest), held["sentences"]
        if mine + theirs and named[group] and others:
            rate = mine / named[group] - theirs / others
            _, z = log_odds(mine, of_group, theirs, of_rest, PRIOR * n, PRIOR * background)
            found.append(Word(text, tag, n, rate * n**0.5, (mine - theirs) / n**0.5, z))
    return sorted(found, key=lambda w: (-w.score, w.text))


def known(word: Word) -> bool:
    """Whether the lexicon knows the word, or it is too frequent to be markup."""
    from pilebuilder.models.english import known_words, word_sentiment

    if word.sentences >= UNKNOWN_SENTENCES or word.text in known_words():
        return True
    return any(word_sentiment(word.text, pos) is not None for pos in ("a", "r"))


def biased_words(facts: Facts) -> tuple[Table, Table, dict[str, list[Word]], int]:
    """The 15 words most tied to each group (tables 10 to 12), their scores, and how many were no words."""
    words = pooled(facts)
    best: dict[str, list[Word]] = {}
    rows: list[tuple[Cell, ...]] = []
    dropped: set[str] = set()
    for axis, groups in axes(facts).items():
        for group in groups:
            rest = [g for g in groups if g != group]
            tied = [
                w for w in associations(facts, words, group, rest) if w.z > LEAST_Z and w.sentences >= LEAST_SENTENCES
            ]
            dropped.update(w.text for w in tied if not known(w))
            best[group] = [w for w in tied if known(w)][:LISTED]
            rows += [
                (axis, group, i, w.text, w.tag, w.sentences, w.score, w.plain, w.z)
                for i, w in enumerate(best[group], 1)
            ]
    names = [g for groups in axes(facts).values() for g in groups]
    ranked = Table(
        name="biased-words",
        title="Adjectives and adverbs most tied to each group",
        definition="A7, A8, A9",
        columns=tuple(
            Column(key=g.lower() if not i else g, title=g, kind="text" if i else "name")
            for i, g in enumerate(["Rank", *names])
        ),
        rows=tuple(
            (str(i + 1), *(best[g][i].text if i < len(best[g]) else None for g in names))
            for i in range(max((len(v) for v in best.values()), default=0))
        ),
        note=f"By the score R2, with |z| above {LEAST_Z} and at least {LEAST_SENTENCES} sentences; a column ends where"
        f" no word passes. {len(dropped)} tokens were left out because no dictionary knows them. A word in fewer than"
        f" {LEAST} sentences of a component is not counted there. {WARNING}",
        weighting="pooled sample, each component as sampled",
        sample=sample_words(facts),
    )
    scored = Table(
        name="biased-words-scores",
        title="The same words with their scores",
        definition="A7, A8, A9",
        columns=(
            Column(key="axis", title="Axis", kind="name"),
            Column(key="group", title="Group"),
            Column(key="rank", title="Rank", kind="count"),
            Column(key="word", title="Word"),
            Column(key="tag", title="Part of speech"),
            Column(key="sentences", title="Sentences", kind="count"),
            Column(key="r2", title="R2", kind="number", digits=4),
            Column(key="r1", title="R1", kind="number", digits=2),
            Column(key="z", title="z", kind="number", digits=2),
        ),
        rows=tuple(rows),
        fold=15,
        note="R2 = (c(w,g)/N(g) - c(w,rest)/N(rest)) times the root of n(w); R1 = (c(w,g) - c(w,rest)) over the"
        " root of n(w); c counts sentences with the word and a term, N those with a term, n those with the word."
        " The Pile paper does not define its rate; R2 is not moved by one group being named more often. z is that"
        " of the log-odds ratio with an informative Dirichlet prior (0.1 per occurrence in the whole sample).",
        weighting="pooled sample, each component as sampled",
        sample=sample_words(facts),
    )
    return ranked, scored, best, len(dropped)


def gender_figure(best: dict[str, list[Word]], names: Sequence[str]) -> Figure | None:
    """Words of the two genders on both sides of zero, by z."""
    left, right = names
    if not best[left] and not best[right]:
        return None

    def draw(width: int) -> str:
        most = max(w.sentences for w in (*best[left], *best[right]))

        def side(w: Word, sign: int) -> heat.Side:
            return heat.Side(w.text, sign * w.z, f"z = {w.z:.1f}, {w.sentences:,} sentences", size=w.sentences / most)

        rows = [side(w, -1) for w in best[left]] + [side(w, 1) for w in reversed(best[right])]
        return heat.diverging(
            width, rows, label="Words tied to each gender", title="z of the log-odds ratio", ends=(left, right),
            show=lambda v: f"{abs(v):g}",
        )  # fmt: skip

    return Figure(
        name="biased-words-gender",
        title=f"Words tied to “{left}” and to “{right}”",
        subtitle="Adjectives and adverbs in the same sentence, ordered by score; length is the z score, the size of"
        " the dot the number of sentences with the word.",
        draw=draw,
        table="biased-words-scores",
        alt=f"Most tied to {left}: {', '.join(w.text for w in best[left][:5]) or 'none'};"
        f" to {right}: {', '.join(w.text for w in best[right][:5]) or 'none'}.",
    )
