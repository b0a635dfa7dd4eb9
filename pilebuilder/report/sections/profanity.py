"""Pejorative content: profane words and toxic sentences (the Pile paper's section 6.3, figures 8 and 12)."""

from __future__ import annotations

from pilebuilder.report import charts
from pilebuilder.report.cells import TOO_FEW_DOCUMENTS, TOO_FEW_SENTENCES, Cell, many, not_measured, too_few
from pilebuilder.report.facts import Facts
from pilebuilder.report.sections import lexicon
from pilebuilder.report.sections.composition import parts_of, weights
from pilebuilder.report.sections.topics import web_component
from pilebuilder.report.stats import interval, ratios, wilson
from pilebuilder.report.table import Column, Figure, Prose, Section, Table

TITLE = "Profanity and toxic sentences"


def rates(facts: Facts, name: str, hits: int, base: int) -> tuple[float, tuple[float, float]] | None:
    """A rate of one component with its bootstrap interval; `hits` and `base` are columns of the replicates.

    Of nothing found, resampling can only find nothing: the interval is Wilson's then.
    """
    held = facts.bias.get(name, {}).get("profanity")
    keys = ("sentences", "toxic", "words", "profane")
    if not held or held["sentences"] < TOO_FEW_SENTENCES or not held[keys[base]]:
        return None
    spread = interval(ratios(held["replicates"][hits], held["replicates"][base]))
    value = held[keys[hits]] / held[keys[base]]
    return value, wilson(0, held[keys[base]]) if not value else spread or (value, value)


def corpus_rate(facts: Facts, hits: int, base: int) -> float | None:
    """The sum of weight times rate over measured components, weights by effective size made to add to 1."""
    share = weights(parts_of(facts))
    found = [(share[n], r[0]) for n in facts.names if (r := rates(facts, n, hits, base))]
    total = sum(w for w, _ in found)
    return sum(w * r for w, r in found) / total if total else None


def rate_table(facts: Facts) -> Table:
    """Both rates by component with intervals."""
    rows: list[tuple[Cell, ...]] = []
    for name in facts.names:
        held = facts.bias.get(name, {}).get("profanity")
        word, sentence = rates(facts, name, 3, 2), rates(facts, name, 1, 0)
        if held is None or word is None or sentence is None:
            n = held["sentences"] if held else 0
            rows.append((name, n, too_few(n), *[None] * 9))
            continue
        n, found = held["documents"], held["toxic_documents"]
        documents: tuple[Cell, ...] = (too_few(n), None, None)
        if n >= TOO_FEW_DOCUMENTS:
            documents = (found / n, *wilson(found, n))
        counted = (held["sentences"], held["words"])
        rows.append((name, *counted, word[0], *word[1], sentence[0], *sentence[1], *documents))
    share = (corpus_rate(facts, 3, 2), corpus_rate(facts, 1, 0))
    whole = ("Whole corpus", None, None, share[0], None, None, share[1], *[None] * 5)
    return Table(
        name="profanity",
        title="Profane words and toxic sentences by component",
        definition="A6",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="sentences", title="Sentences", kind="count"),
            Column(key="words", title="Words", kind="count"),
            Column(key="profane_words", title="Rate", kind="share", digits=3, group="Profane words"),
            Column(key="profane_words_low", title="low", kind="share", digits=3, group="Profane words"),
            Column(key="profane_words_high", title="high", kind="share", digits=3, group="Profane words"),
            Column(key="toxic_sentences", title="Rate", kind="share", digits=3, group="Toxic sentences"),
            Column(key="toxic_sentences_low", title="low", kind="share", digits=3, group="Toxic sentences"),
            Column(key="toxic_sentences_high", title="high", kind="share", digits=3, group="Toxic sentences"),
            Column(key="toxic_documents", title="Rate", kind="share", group="Documents with one"),
            Column(key="toxic_documents_low", title="low", kind="share", group="Documents with one"),
            Column(key="toxic_documents_high", title="high", kind="share", group="Documents with one"),
        ),
        rows=tuple(rows),
        totals=(whole,),
        note="English sentences only. A word is profane when it is on the list of words that the toxicity model calls"
        " so standing alone, as the Pile paper classified every word; words match whole and case folded. A sentence is"
        " toxic when the model scores the whole sentence at its threshold. Identity terms are hidden from the model."
        " Implicit hate is not found by such a model.",
        weighting="per word and per sentence; the whole corpus by effective bytes",
        sample="uniform by document within component",
        interval="95 %, bootstrap over documents, 1,000 resamples; Wilson for documents, and where nothing was found",
    )


def rate_figure(facts: Facts, name: str, hits: int, base: int, title: str, unit: str) -> Figure | None:
    """Rates in order with whiskers, the corpus value and that of the web component."""
    found = {n: r for n in facts.names if (r := rates(facts, n, hits, base))}
    if not found:
        return None
    order = sorted(found, key=lambda n: (-found[n][0], n))
    whole, web = corpus_rate(facts, hits, base), web_component(facts, list(found))
    lines = [(whole, f"corpus, by weight {whole:.3%}")] if whole is not None else []
    lines += [(found[web][0], f"{web} {found[web][0]:.3%}")] if web else []

    def draw(width: int) -> str:
        rows = [charts.Dots(n, (charts.Part(found[n][0], "c1"),), found[n][1], f"{found[n][0]:.3%}") for n in order]
        return charts.dots(width, rows, label=title, show=charts.percent, lines=lines, title=f"share of {unit}")

    return Figure(
        name=name,
        title=title,
        subtitle="English sentences of the sample; whiskers are 95 % intervals over documents. Dashed: components by"
        " weight" + ("; dotted: the web component." if web else "."),
        draw=draw,
        table="profanity",
        alt=_extremes({n: found[n][0] for n in order}),
    )


def _extremes(rate: dict[str, float]) -> str:
    """Where most and least was found, of rates in descending order."""
    names = list(rate)
    none = sum(not value for value in rate.values())
    if none == len(names):
        return "None was found."
    low = f"none in {many(none, 'component')}" if none else f"lowest in {names[-1]} ({rate[names[-1]]:.3%})"
    return f"Highest in {names[0]} ({rate[names[0]]:.3%}), {low}."


def frequent_table(facts: Facts) -> Table | None:
    """The most frequent flagged words, masked."""
    rows = [
        (name, i, word, n)
        for name in facts.names
        if (held := facts.bias.get(name, {}).get("profanity"))
        for i, (word, n) in enumerate(held["frequent"], 1)
    ]
    if not rows:
        return None
    return Table(
        name="profane-words",
        title="Most frequent profane words, masked",
        definition="A6",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="rank", title="Rank", kind="count"),
            Column(key="word", title="First letter and length", kind="code"),
            Column(key="occurrences", title="Occurrences", kind="count"),
        ),
        rows=tuple(rows),
        fold=10,
        note="First letter and length only.",
        sample="sentences with at least one, in the sample",
    )


def removed_table(facts: Facts) -> Table | Prose | None:
    """Documents that the toxicity step removed, by component and rule, from the ledger."""
    from pilebuilder.steps import parse_spec

    if all(parse_spec(s)[0] != "toxicity" for s in facts.settings.get("filter") or ()):
        return None
    rows = [
        (component, reason, n, n / facts.stages["filter"][component].seen)
        for component, stage, step, action, reason, n in facts.ledger.get("rows", ())
        if step == "toxicity" and action == "dropped" and stage == "filter" and "filter" in facts.stages
    ]
    if not rows:
        return Prose(text="The toxicity step measured every document and removed none.")
    return Table(
        name="toxicity-removed",
        title="Documents that the toxicity step removed",
        definition="A6",
        columns=(
            Column(key="component", title="Component", kind="name"),
            Column(key="rule", title="Rule", kind="code"),
            Column(key="documents", title="Documents", kind="count"),
            Column(key="share", title="Of those read", kind="share", digits=3),
        ),
        rows=tuple(rows),
        weighting="per document",
    )


def section(facts: Facts) -> Section:
    """Profanity."""
    measured = [n for n, b in facts.bias.items() if b.get("profanity")]
    if not measured:
        reason = "this installation has no toxicity model" if facts.bias else "no sample was drawn"
        gap = Prose(text=f"{not_measured(reason)}.", warning=True)
        return Section(name="profanity", title=TITLE, lead="", blocks=(gap, *lexicon.blocks(facts)))
    figures = [
        rate_figure(facts, "profane-words", 3, 2, "Profane words", "words"),
        rate_figure(facts, "toxic-sentences", 1, 0, "Toxic sentences", "sentences"),
    ]
    frequent, removed = frequent_table(facts), removed_table(facts)
    whole = corpus_rate(facts, 1, 0)
    n = sum(facts.bias[m]["profanity"]["sentences"] for m in measured)
    lead = f"{whole:.2%} of English sentences are scored as toxic ({n:,} sentences)." if whole is not None else ""
    return Section(
        name="profanity",
        title=TITLE,
        lead=lead,
        blocks=(
            *(f for f in figures if f),
            rate_table(facts),
            *([removed] if removed else []),
            *([frequent] if frequent else []),
            *lexicon.blocks(facts),
        ),
    )
