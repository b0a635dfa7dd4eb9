"""Words and sentiment around identity terms: gender, religion, race (the Pile paper's section 6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pilebuilder.report import heat
from pilebuilder.report.cells import TOO_FEW_SENTENCES, Cell, not_measured, short_count, show, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.sampled.groups import PRESETS
from pilebuilder.report.sections.composition import parts_of
from pilebuilder.report.stats import interval, log_odds, ratios
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

SCALE = 10_000
LISTED, LEAST_Z, LEAST_SENTENCES, UNKNOWN_SENTENCES = 15, 3.3, 50, 500
PRIOR = 0.1
"""Mass of the Dirichlet prior for each occurrence of a word in the background."""
WHOLE = "Whole corpus"
FULL_COLOUR = 0.03
"""Difference of sentiment (on -1 to 1) at which a figure's colour is full, at least: small ones look small."""
WARNING = (
    "Co-occurrence describes contexts in which words are used, not properties of people; terms in quotations,"
    " headlines and dictionaries count equally."
)
METHOD = (
    "Sentiment of a word is the mean over its senses in SentiWordNet of positive minus negative score, -1 to 1; of a"
    " group, the mean over all scored words (noun, verb, adjective, adverb) that share a sentence with one of its"
    " terms, each word once per sentence, the terms themselves left out. Negation is not read."
)


@dataclass(frozen=True, slots=True)
class Score:
    """Sentiment around one group in one component."""

    sentences: int
    words: int
    value: float | None
    interval: tuple[float, float] | None
    polarity: float | None

    @property
    def enough(self) -> bool:
        return self.sentences >= TOO_FEW_SENTENCES and self.value is not None


def axes(facts: Facts) -> Mapping[str, Mapping[str, Sequence[str]]]:
    return PRESETS[facts.config.get("terms", "pile")]


def score_of(held: Mapping[str, Any]) -> Score:
    """From one group's sums and replicates."""
    value = held["score"] / held["words"] / SCALE if held["words"] else None
    spread = interval(r / SCALE for r in ratios(*held["replicates"]))
    polarity = held["polarity"] / held["polar"] / SCALE if held["polar"] else None
    return Score(held["sentences"], held["words"], value, spread, polarity)


def whole(facts: Facts) -> dict[str, Score]:
    """Groups over the corpus: components weighted by effective bytes, through the share of each that was sampled."""
    sizes = {p.name: p.effective for p in parts_of(facts)}
    factor = {n: sizes[n] / b["bytes"] for n, b in facts.bias.items() if b["bytes"]}
    found = {}
    for group in next(iter(facts.bias.values()))["groups"]:
        held = [(factor[n], facts.bias[n]["groups"][group]) for n in facts.names if n in factor]
        words = sum(f * h["words"] for f, h in held)
        polar = sum(f * h["polar"] for f, h in held)
        replicates = [
            [sum(f * h["replicates"][k][i] for f, h in held) for i in range(len(held[0][1]["replicates"][0]))]
            for k in (0, 1)
        ]
        found[group] = Score(
            sum(h["sentences"] for _, h in held),
            sum(h["words"] for _, h in held),
            sum(f * h["score"] for f, h in held) / words / SCALE if words else None,
            interval(r / SCALE for r in ratios(*replicates)),
            sum(f * h["polarity"] for f, h in held) / polar / SCALE if polar else None,
        )
    return found


def scores(facts: Facts) -> dict[str, dict[str, Score]]:
    """By component (the whole corpus last) and group."""
    found = {n: {g: score_of(h) for g, h in facts.bias[n]["groups"].items()} for n in facts.names if n in facts.bias}
    if found:
        found[WHOLE] = whole(facts)
    return found


def sentiment_table(facts: Facts, found: dict[str, dict[str, Score]]) -> Table:
    """One row per component and group with counts and interval: what a reader will cite."""
    rows: list[tuple[Cell, ...]] = []
    for name in [WHOLE, *(n for n in found if n != WHOLE)]:
        base = found[name]["all"]
        for axis, groups in axes(facts).items():
            for group in groups:
                score = found[name][group]
                head = (name, axis, group, score.sentences)
                if not score.enough or base.value is None or score.value is None:
                    rows.append((*head, too_few(score.sentences), *[None] * 5))
                    continue
                low, high = score.interval or (None, None)
                rows.append((*head, score.words, score.value, low, high, score.value - base.value, score.polarity))
    return Table(
        name="sentiment",
        title="Sentiment by group and component",
        definition="A10",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="axis", title="Axis"),
            Column(key="group", title="Group"),
            Column(key="sentences", title="Sentences", kind="count"),
            Column(key="words", title="Scored words", kind="count"),
            Column(key="sentiment", title="Sentiment", kind="number", digits=4),
            Column(key="low", title="low", kind="number", digits=4, group="95 % interval"),
            Column(key="high", title="high", kind="number", digits=4, group="95 % interval"),
            Column(key="difference", title="Less all sentences", kind="number", digits=4),
            Column(key="polarity", title="Sentence mean", kind="number", digits=4),
        ),
        rows=tuple(rows),
        fold=26,
        note=f"{METHOD} Sentence mean is the second scorer: the mean over sentences of the mean over their words."
        f" {WARNING}",
        weighting="per word; the whole corpus by effective bytes",
        sample=sample_words(facts),
        interval="95 %, bootstrap over documents, 1,000 resamples",
    )


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
        columns=tuple(Column(key=g, title=g, kind="text" if i else "name") for i, g in enumerate(["rank", *names])),
        rows=tuple(
            (str(i + 1), *(best[g][i].text if i < len(best[g]) else None for g in names))
            for i in range(max((len(v) for v in best.values()), default=0))
        ),
        note=f"By the score R2, with |z| above {LEAST_Z} and at least {LEAST_SENTENCES} sentences; a column ends"
        " where no"
        f" word passes. {len(dropped)} tokens were left out because no dictionary knows them. {WARNING}",
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
        " root of"
        " n(w); c counts sentences with the word and a term, N sentences with a term, n sentences with the word."
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
        rows = [heat.Side(w.text, -w.z, f"z = {w.z:.1f}, {w.sentences:,} sentences") for w in best[left]]
        rows += [heat.Side(w.text, w.z, f"z = {w.z:.1f}, {w.sentences:,} sentences") for w in reversed(best[right])]
        return heat.diverging(
            width, rows, label="Words tied to each gender", title="z of the log-odds ratio", ends=(left, right),
            show=lambda v: f"{abs(v):g}",
        )  # fmt: skip

    return Figure(
        name="biased-words-gender",
        title=f"Words tied to “{left}” and to “{right}”",
        subtitle="Adjectives and adverbs in the same sentence, ordered by score; length is the z score.",
        draw=draw,
        table="biased-words-scores",
        alt=f"Most tied to {left}: {', '.join(w.text for w in best[left][:5]) or 'none'};"
        f" to {right}: {', '.join(w.text for w in best[right][:5]) or 'none'}.",
    )


def group_figure(facts: Facts, found: dict[str, dict[str, Score]], axis: str) -> Figure:
    """Components by groups: sentiment less that of all sentences, so that a gloomy component is not biased."""
    groups = list(axes(facts)[axis])
    named = [n for n in found if n != WHOLE and any(found[n][g].sentences for g in groups)]
    names, silent = [*named, WHOLE], len(found) - len(named) - 1
    most = max(
        (
            abs((s.value or 0) - (found[n]["all"].value or 0))
            for n in names
            for g in groups
            if (s := found[n][g]).enough
        ),
        default=0.0,
    )
    most = max(most, FULL_COLOUR)

    def cell(name: str, group: str) -> heat.Cell:
        score, base = found[name][group], found[name]["all"].value
        if not score.enough or score.value is None or base is None:
            return heat.Cell(None, f"n = {score.sentences}", f"{name}, {group}: too few sentences")
        away = score.value - base
        tip = f"{name}, {group}: {score.value:+.4f}, {away:+.4f} from the component, n = {score.sentences:,}"
        return heat.Cell(away / most, f"{away:+.3f}", tip, f"n = {short_count(score.sentences)}")

    def draw(width: int) -> str:
        return heat.heat(
            width,
            names,
            groups,
            [[cell(n, g) for g in groups] for n in names],
            label=f"Sentiment by {axis}",
            least=56,
            most=110,
        )

    value = {g: found[WHOLE][g].value for g in groups if found[WHOLE][g].enough}
    order = sorted(value, key=lambda g: -(value[g] or 0))
    return Figure(
        name=f"sentiment-{axis}",
        title=f"Sentiment around terms of {axis}",
        subtitle="Difference from all sentences of the same component; colour is full at"
        f" {most:.2g}, and grey cells have fewer than 100 sentences."
        + (f" {silent} components without such a sentence are not drawn." if silent else ""),
        draw=draw,
        table="sentiment",
        alt=f"Over the whole corpus, from most to least positive: {', '.join(order)}."
        if order
        else "Too few sentences.",
    )


def section(facts: Facts) -> Section:
    """Bias: words and sentiment."""
    title = "Words and sentiment around identity terms"
    english = sum(b["sentences"] for b in facts.bias.values())
    if not english:
        reason = "no English sentence in the sample" if facts.bias else "no sample was drawn"
        gap = Prose(text=f"{not_measured(reason)}; the tagger and the lexicon know English only.", warning=True)
        return Section(name="sentiment", title=title, lead="", blocks=(gap,))
    found = scores(facts)
    ranked, scored, best, _ = biased_words(facts)
    gender = list(axes(facts)["gender"])
    figure = gender_figure(best, gender)
    none = Prose(
        text=f"No adjective or adverb is tied to a group: none has |z| above {LEAST_Z} in {LEAST_SENTENCES} sentences."
    )
    terms = "; ".join(f"{g}: {', '.join(t)}" for groups in axes(facts).values() for g, t in groups.items())
    names = [f"{g} {show(found[WHOLE][g].value, 'number', digits=3)}" for g in gender if found[WHOLE][g].enough]
    lead = f"Mean sentiment around {', '.join(names)}." if len(names) == 2 else "Sentences that name groups of people."
    return Section(
        name="sentiment",
        title=title,
        lead=lead,
        blocks=(
            Prose(text=WARNING, remark=True),
            *([figure] if figure else []),
            *([ranked] if ranked.rows else [none]),
            *(group_figure(facts, found, axis) for axis in axes(facts)),
            sentiment_table(facts, found),
            *([scored] if scored.rows else []),
            Prose(text=f"Terms ({facts.config.get('terms', 'pile')} preset), whole words, case folded: {terms}."),
        ),
    )
