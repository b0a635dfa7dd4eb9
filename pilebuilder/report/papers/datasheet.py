"""The datasheet: what the build knows, what a person wrote, NOT ANSWERED for the rest. Nothing is invented."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pilebuilder.report.cells import show_size
from pilebuilder.report.facts import Facts
from pilebuilder.report.papers.evidence import Evidence
from pilebuilder.report.papers.questions import QUESTIONS, Question
from pilebuilder.report.sections.terms import answer, strictest
from pilebuilder.report.table import Answer, Prose, Section

NOT_ANSWERED = "NOT ANSWERED"
STALE = 0.05
"""A person's answer is stale when a number that it rested on has changed by more than this share."""
State = Literal["automatic", "answered", "stale", "open"]
BACKGROUND = (
    "This datasheet describes the text as it is included in the corpus, not the original sources. Some answers"
    " cannot be known with certainty for material that others collected."
)
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A question with its answer."""

    question: Question
    evidence: str
    text: str
    state: State
    by: str = ""

    @property
    def digest(self) -> str:
        """What a person quotes as the evidence that the answer rests on."""
        return hashlib.sha256(self.evidence.encode()).hexdigest()[:12]


class Answers:
    """What the build can say to each question; each method is named by `questions.QUESTIONS`."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.found = facts, Evidence(facts)

    def maintainer(self) -> str:
        return self.facts.corpus["maintainer"]  # type: ignore[no-any-return]

    def repository(self) -> str:
        name = self.facts.config.get("repository")
        return f"Repository on the Hub: {name}." if name else ""

    def instance(self) -> str:
        names = ", ".join(self.facts.names)
        return f"A document: one text in UTF-8 with its metadata. Types are the components: {names}."

    def number(self) -> str:
        each = "; ".join(f"{n} {self.facts.documents(n):,}" for n in self.facts.names)
        return f"{self.facts.remaining:,} distinct documents. By component: {each}."

    def sample(self) -> str:
        read = sum(c.seen for c in self.facts.stages.get("read", {}).values())
        kept = f"{self.facts.remaining:,} of {read:,} documents read are in the corpus."
        return f"{kept} {self.found.losses()} {self.found.language_words()}"

    def fields(self) -> str:
        from pilebuilder.report.papers.hub import meta_fields

        return (
            f"The fields text and meta, which holds {', '.join(meta_fields(self.facts))}. Samples stand in the report."
        )

    def label(self) -> str:
        return "None."

    def missing(self) -> str:
        return self.found.missing()

    def relations(self) -> str:
        return (
            f"{self.found.duplicates()} Threads, books and other series are not linked unless the field meta says so."
        )

    def splits(self) -> str:
        return f"{self.found.splits()} Documents of validation and test do not occur in training."

    def errors(self) -> str:
        gone = sum(c.quarantined.total() for t in self.facts.stages.values() for c in t.values())
        return f"{gone:,} records could not be read. {self.found.duplicates()} Quality signals stand in the report."

    def contained(self) -> str:
        sources = "; ".join(f"{s.name}: {s.card.get('homepage') or 'no homepage'}" for s in self.facts.sources)
        return f"The text itself is included; addresses are metadata. Sources: {sources}."

    def confidential(self) -> str:
        notes = "; ".join(f"{s.name}: access {s.card.get('access', 'open')}" for s in self.facts.sources)
        return f"By card: {notes}."

    def offensive(self) -> str:
        from pilebuilder.report.sections.profanity import corpus_rate

        rate = corpus_rate(self.facts, 1, 0) if self.facts.bias else None
        return "Toxic sentences were not measured." if rate is None else f"{rate:.3%} of English sentences are toxic."

    def people(self) -> str:
        named = {
            g: sum(b["groups"][g]["sentences"] for b in self.facts.bias.values())
            for g in next(iter(self.facts.bias.values()), {"groups": {}})["groups"]
            if g != "all"
        }
        shown = ", ".join(f"{g} {n:,}" for g, n in named.items())
        sentences = f"Sentences of the sample that name groups: {shown or 'not measured'}."
        return f"{_upper(self.found.personal())}. {sentences}"

    def subpopulations(self) -> str:
        return self.people()

    def identifiable(self) -> str:
        return f"{_upper(self.found.personal())}."

    def sensitive(self) -> str:
        notes = [
            f"{s.name}: {s.card['personal_data'].rstrip('.')}"
            for s in self.facts.sources
            if s.card.get("personal_data")
        ]
        return f"Cards say: {'; '.join(notes) or 'nothing'}. {_upper(self.found.personal())}."

    def acquired(self) -> str:
        return self.found.collection()

    def mechanisms(self) -> str:
        tool = self.facts.corpus["tool"]
        return (
            f"pilebuilder {tool}: every raw file by digest, every reader proves that it reached the end of its input."
        )

    def strategy(self) -> str:
        epochs = "; ".join(f"{n} {self.facts.epochs(n):g}" for n in self.facts.names)
        return f"Epochs by component: {epochs}. Seed {self.facts.corpus['seed']}."

    def timeframe(self) -> str:
        return self.found.timeframe_words()

    def consent(self) -> str:
        rows = []
        for s in self.facts.sources:
            held = s.card.get("consent") or {}
            flags = "/".join(answer(held.get(k)) for k in ("public", "terms", "author"))
            rows.append(f"{s.name} {flags}")
        return f"Public/terms/author: {'; '.join(rows)}."

    def revocation(self) -> str:
        return "Documents can be removed by id; the build then rewrites the shards that held them."

    def preprocessing(self) -> str:
        return f"{'; '.join(self.found.preprocessing())}. {self.found.losses()}"

    def raw(self) -> str:
        return self.found.raw_data()

    def software(self) -> str:
        corpus = self.facts.corpus
        return f"pilebuilder {corpus['tool']} (Apache-2.0); the recipe has the digest {corpus['recipe']}."

    def limits(self) -> str:
        from pilebuilder.report.sections import removal

        n = sum(e.suspicious for e in removal.effects_of(removal.counts(self.facts)).values())
        return f"{n:,} pairs of rule and group stand out in removal. {self.found.language_words()}"

    def distribution(self) -> str:
        size = sum(s["bytes"] for s in self.facts.shards)
        return f"{len(self.facts.shards):,} files, {show_size(size)}. {self.repository() or 'No repository is named.'}"

    def when(self) -> str:
        return f"Version {self.facts.corpus['version']}; the time of publishing is that of the repository's commit."

    def licence(self) -> str:
        return strictest(self.facts.sources)

    def rights(self) -> str:
        return "; ".join(f"{s.name}: {s.licence or 'licence not stated'}" for s in self.facts.sources) + "."

    def erratum(self) -> str:
        return f"Version {self.facts.corpus['version']}: none recorded."

    def versions(self) -> str:
        return "Each version is rebuilt from its recipe and lock, byte for byte."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def entries(facts: Facts) -> list[Entry]:
    """All 59, in order."""
    known = Answers(facts)
    return [_entry(facts, known, q) for q in QUESTIONS]


def _entry(facts: Facts, known: Answers, question: Question) -> Entry:
    evidence = getattr(known, question.evidence)() if question.evidence else ""
    person = facts.answers.get(str(question.number))
    if person:
        changed = bool(person.get("evidence")) and stale(person["evidence"], evidence)
        return Entry(question, evidence, person["text"], "stale" if changed else "answered", _signature(person))
    if question.fill == "A" or (question.fill == "cfg" and evidence):
        return Entry(question, evidence, evidence, "automatic")
    return Entry(question, evidence, NOT_ANSWERED, "open")


def _signature(person: dict[str, Any]) -> str:
    return ", ".join(person[k] for k in ("by", "date") if k in person)


def stale(before: str, now: str) -> bool:
    """Whether evidence differs in its words, or in a number by more than `STALE`.

    >>> stale("100 documents", "104 documents"), stale("100 documents", "106 documents"), stale("a", "b")
    (False, True, True)
    """
    if _NUMBER.sub("#", before) != _NUMBER.sub("#", now):
        return True
    old, new = ([float(x.replace(",", "")) for x in _NUMBER.findall(text)] for text in (before, now))
    return any(abs(a - b) > STALE * max(abs(a), abs(b)) for a, b in zip(old, new, strict=True))


def counts(held: list[Entry]) -> str:
    """The front page's sentence."""
    return counts_of_states([e.state for e in held])


def counts_of_states(states: Sequence[str]) -> str:
    """How many questions are answered, by whom.

    >>> counts_of_states(["automatic", "open", "stale"])
    '2 of 3 questions answered, 1 automatic, 1 stale.'
    """
    done, automatic, old = (
        sum(s != "open" for s in states),
        sum(s == "automatic" for s in states),
        sum(s == "stale" for s in states),
    )
    return f"{done} of {len(states)} questions answered, {automatic} automatic" + (f", {old} stale." if old else ".")


def markdown(facts: Facts, held: list[Entry]) -> str:
    """The datasheet as Markdown."""
    lines = [f"# Datasheet of {facts.corpus['title'] or facts.corpus['name']}", "", counts(held), "", BACKGROUND]
    part = ""
    for e in held:
        if e.question.part != part:
            part = e.question.part
            lines += ["", f"## {part}"]
        lines += ["", f"**{e.question.number}. {e.question.text}**", ""]
        lines.append(_quoted(e.text) + (f" ({e.by})" if e.by else ""))
        if e.state == "stale":
            lines += ["", "*The evidence has changed since this was written.*"]
        if e.evidence and e.state != "automatic":
            lines += ["", f"Evidence from the build: {_quoted(e.evidence)}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Text in which no name can become markup."""
    from pilebuilder.report.cells import visible

    return visible(text).replace("<", "&lt;").replace(">", "&gt;")


def as_json(held: list[Entry]) -> str:
    """Every question with state and evidence, for the command that lists what is open."""
    rows = [
        {
            "number": e.question.number,
            "part": e.question.part,
            "question": e.question.text,
            "fill": e.question.fill,
            "state": e.state,
            "text": e.text,
            "evidence": e.evidence,
        }
        for e in held
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def template(held: list[Entry]) -> str:
    """An answers file to fill in: what is answered stays, what is open waits with its evidence as it is now."""
    return skeleton(
        [
            (e.question.number, e.question.part, e.question.text, e.question.fill, e.state, e.text, e.evidence)
            for e in held
        ]
    )


def skeleton(rows: Sequence[tuple[int, str, str, str, str, str, str]]) -> str:
    """The same from rows of number, part, question, fill, state, text, evidence."""
    import yaml

    lines = [
        "# Answers for the datasheet. Write the texts, then name this file in the recipe: report: {answers: FILE}",
        "answers:",
    ]
    for number, part, question, fill, state, text, evidence in rows:
        if fill == "A":
            continue
        entry: dict[str, str] = {"text": text if state in ("answered", "stale") else ""}
        if evidence:
            entry["evidence"] = evidence
        body = yaml.safe_dump({number: entry}, sort_keys=False, allow_unicode=True, width=110)
        lines += [f"  # {part}: {question}", *("  " + line for line in body.splitlines())]
    return "\n".join(lines) + "\n"


def section(facts: Facts, held: list[Entry]) -> Section:
    """The datasheet as a page."""
    parts = []
    for e in held:
        evidence = e.evidence if e.state != "automatic" else ""
        parts.append(
            Answer(
                number=e.question.number,
                part=e.question.part,
                question=e.question.text,
                text=e.text + (f" ({e.by})" if e.by else ""),
                evidence=evidence,
                state=e.state,
            )
        )
    return Section(
        name="datasheet",
        title="Datasheet",
        lead=counts(held),
        blocks=(Prose(text=BACKGROUND), *parts),
    )
