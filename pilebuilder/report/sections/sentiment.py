"""Words and sentiment around identity terms: gender, religion, race (the Pile paper's section 6.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pilebuilder.report import charts, heat
from pilebuilder.report.cells import TOO_FEW_SENTENCES, Cell, not_measured, short_count, show, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections.biased import (
    LEAST_SENTENCES,
    LEAST_Z,
    WARNING,
    axes,
    biased_words,
    gender_figure,
    sample_words,
)
from pilebuilder.report.sections.composition import parts_of
from pilebuilder.report.stats import interval, ratios
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

SCALE = 10_000
WHOLE = "Whole corpus"
FULL_COLOUR = 0.03
"""Difference of sentiment (on -1 to 1) at which a figure's colour is full, at least: small ones look small."""
METHOD = (
    "Sentiment of a word is the plain mean over its senses in SentiWordNet (the shipped lexicon has no frequencies of"
    " senses) of positive minus negative score, -1 to 1; of a"
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
    valued: list[tuple[Cell, ...]] = []
    rest: list[tuple[Cell, ...]] = []
    for name in [WHOLE, *(n for n in found if n != WHOLE)]:
        base = found[name]["all"]
        for axis, groups in axes(facts).items():
            most = max((abs(s.value) for g in groups if (s := found[name][g]).enough and s.value), default=0.0)
            for group in groups:
                score = found[name][group]
                head = (name, axis, group, score.sentences)
                if not score.enough or base.value is None or score.value is None:
                    (valued if name == WHOLE else rest).append((*head, too_few(score.sentences), *[None] * 6))
                    continue
                low, high = score.interval or (None, None)
                away, scaled = score.value - base.value, score.value / most if most else None
                valued.append((*head, score.words, score.value, low, high, away, scaled, score.polarity))
    rows = [*valued, *rest]
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
            Column(key="difference", title="Difference", kind="number", digits=4),
            Column(key="normalised", title="Normalised", kind="number"),
            Column(key="polarity", title="Sentence mean", kind="number", digits=4),
        ),
        rows=tuple(rows),
        fold=len(valued),
        note=f"{METHOD} Difference: from all English sentences of the component. Normalised: sentiment over the"
        " largest absolute one of the component's groups on that axis, as the Pile's figure 14 draws it. Rows with"
        " too few sentences come last. Sentence mean is the second scorer: the mean over sentences of the mean over"
        f" their words. {WARNING}",
        weighting="per word; the whole corpus by effective bytes",
        sample=sample_words(facts),
        interval="95 %, bootstrap over documents, 1,000 resamples",
    )


def pair_figure(facts: Facts, found: dict[str, dict[str, Score]], axis: str) -> Figure | None:
    """The two groups of an axis as two dots of each component, with their intervals (figure 13)."""
    first, second = axes(facts)[axis]
    names = [n for n in found if found[n][first].enough and found[n][second].enough]
    if not names:
        return None
    order = sorted(names, key=lambda n: (n == WHOLE, -(found[n][first].value or 0.0), n))

    def row(name: str) -> charts.Dots:
        pair = [found[name][g] for g in (first, second)]
        marks = tuple(
            charts.Part(s.value or 0.0, css, f"{name}, {g}: {s.value:+.4f}, n = {s.sentences:,}")
            for g, css, s in zip((first, second), ("c1", "c2"), pair, strict=True)
        )
        held = " and ".join(short_count(s.sentences) for s in pair)
        return charts.Dots(name, marks, value=f"n = {held}", whiskers=tuple(s.interval for s in pair))

    def draw(width: int) -> str:
        return charts.dots(
            width,
            [row(n) for n in order],
            label=f"Sentiment around {first} and {second}",
            title="mean sentiment of words (-1 to 1)",
            show=lambda v: f"{v:g}",
            key=[("c1", first), ("c2", second)],
            zero=False,
        )

    few = len(found) - len(names)
    return Figure(
        name=f"sentiment-pair-{axis}",
        title=f"Sentiment around “{first}” and “{second}”",
        subtitle="Mean over scored words that share a sentence with the term; whiskers are 95 % intervals over"
        " documents; n counts sentences."
        + (f" {few} components with fewer than {TOO_FEW_SENTENCES} of either: not drawn." if few else ""),
        draw=draw,
        table="sentiment",
        alt="; ".join(
            f"{n}: {first} {found[n][first].value:+.3f}, {second} {found[n][second].value:+.3f}" for n in order[-3:]
        )
        + ".",
    )


def group_block(facts: Facts, found: dict[str, dict[str, Score]], axis: str) -> Figure | Prose:
    """The figure of an axis; one sentence where no group has enough sentences anywhere."""
    groups = list(axes(facts)[axis])
    if any(found[n][g].enough for n in found for g in groups):
        return group_figure(facts, found, axis)
    held = ", ".join(f"{g} {found[WHOLE][g].sentences:,}" for g in groups)
    return Prose(
        text=f"Terms of {axis}: too few sentences in any component for a value (whole corpus: {held}; a value needs"
        f" {TOO_FEW_SENTENCES}).",
        remark=True,
    )


def group_figure(facts: Facts, found: dict[str, dict[str, Score]], axis: str) -> Figure:
    """Components by groups: sentiment less that of all sentences, so that a gloomy component is not biased."""
    groups = list(axes(facts)[axis])
    named = [n for n in found if n != WHOLE and any(found[n][g].enough for g in groups)]
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
    said = f"Over the whole corpus, from most to least positive: {', '.join(order)}."
    if len(order) < 2:
        said = f"Over the whole corpus only {order[0]} has enough sentences." if order else "Too few sentences."
    return Figure(
        name=f"sentiment-{axis}",
        title=f"Sentiment around terms of {axis}",
        subtitle="Difference from all sentences of the same component; colour is full at"
        f" {most:.2g}, and grey cells have fewer than 100 sentences."
        + (f" {silent} components with too few for any group are not drawn." if silent else ""),
        draw=draw,
        table="sentiment",
        alt=said,
    )


def terms_in_words(held: Mapping[str, Mapping[str, Sequence[str]]], preset: str) -> str:
    """The lists of terms; phrases by their first words, with the nouns that may follow named once."""
    parts, nouns = [], {}  # type: list[str], dict[str, None]
    for groups in held.values():
        for group, found in groups.items():
            pairs = [t.split(" ", 1) for t in found if " " in t]
            nouns |= {second: None for _, second in pairs}
            firsts = [f"{first} …" for first in dict.fromkeys(first for first, _ in pairs)]
            parts.append(f"{group}: {', '.join([*firsts, *(t for t in found if ' ' not in t)])}")
    after = f" (… is one of {', '.join(nouns)})" if nouns else ""
    return f"Terms ({preset} preset), whole words, case folded: {'; '.join(parts)}{after}."


def section(facts: Facts) -> Section:
    """Bias: words and sentiment."""
    title = "Words and sentiment around identity terms"
    english = sum(b["sentences"] for b in facts.bias.values())
    if english < TOO_FEW_SENTENCES:
        few = f"too few English sentences in the sample (n = {english})"
        reason = few if facts.bias else "no sample was drawn"
        gap = Prose(text=f"{not_measured(reason)}; the tagger and the lexicon know English only.", warning=True)
        return Section(name="sentiment", title=title, lead="", blocks=(gap,))
    found = scores(facts)
    ranked, scored, best, _ = biased_words(facts)
    gender = list(axes(facts)["gender"])
    figure, pair = gender_figure(best, gender), pair_figure(facts, found, "gender")
    none = Prose(
        text=f"No adjective or adverb is tied to a group: none has |z| above {LEAST_Z} in {LEAST_SENTENCES} sentences."
    )
    names = [f"{g} {show(found[WHOLE][g].value, 'number', digits=3)}" for g in gender if found[WHOLE][g].enough]
    lead = f"Mean sentiment around {', '.join(names)}."
    if len(names) != 2:
        lead = f"Of {english:,} English sentences in the sample too few name {' and '.join(gender)} for a mean."
    return Section(
        name="sentiment",
        title=title,
        lead=lead,
        blocks=(
            Prose(text=WARNING, remark=True),
            *([figure] if figure else []),
            *([ranked] if ranked.rows else [none]),
            *([pair] if pair else []),
            *(group_block(facts, found, axis) for axis in axes(facts)),
            sentiment_table(facts, found),
            *([scored] if scored.rows else []),
            Prose(text=terms_in_words(axes(facts), facts.config.get("terms", "pile")), remark=True),
        ),
    )
