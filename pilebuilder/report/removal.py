"""Which rule removed whom: for documents that name a group of people, carry a dialect's markers, or are in a language,
how many each rule of clean, filter and dedup removed.

A document counts for a group when one of its terms occurs as a whole word (or two words in a row), case folded, in the
text as it was read. Rates are compared within component and length, because long documents name more groups and are
removed for other reasons than short ones: see `pilebuilder.report.sections.removal`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pilebuilder.document import text_buffers
from pilebuilder.partition import read_table
from pilebuilder.report.counters import Counters
from pilebuilder.report.pieces import groups
from pilebuilder.report.sampled.draw import TOP, draws
from pilebuilder.task import Task, Workspace

if TYPE_CHECKING:
    import pyarrow as pa

SURE = 0.5
"""A document's language counts from this probability on; below it the document is in the group "undetermined"."""
CHUNK = 4 << 20
ALL = "all documents"
KEPT = ""
"""The rule of a document that no rule removed."""

_PERSONS = ("people", "person", "man", "men", "woman", "women", "boy", "boys", "girl", "girls", "child", "children")


def _phrases(*adjectives: str) -> tuple[str, ...]:
    return tuple(f"{a} {p}" for a in adjectives for p in _PERSONS)


AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "gender": {
        "women": ("woman", "women", "female", "females", "girl", "girls"),
        "men": ("man", "men", "male", "males", "boy", "boys"),
    },
    "orientation": {
        "gay": ("gay", "gays", "homosexual", "homosexuals"),
        "lesbian": ("lesbian", "lesbians"),
        "bisexual": ("bisexual", "bisexuals"),
        "transgender": ("transgender", "transsexual", "trans man", "trans woman", "trans people", "nonbinary"),
        "queer, LGBT": ("queer", "lgbt", "lgbtq", "lgbtqia"),
        "heterosexual": ("heterosexual", "heterosexuals", "straight people", "straight man", "straight woman"),
    },
    "religion": {
        "Muslim": ("muslim", "muslims", "islam", "islamic"),
        "Christian": ("christian", "christians", "christianity"),
        "Jewish": ("jew", "jews", "jewish", "judaism"),
        "Hindu": ("hindu", "hindus", "hinduism"),
        "Buddhist": ("buddhist", "buddhists", "buddhism"),
        "Sikh": ("sikh", "sikhs", "sikhism"),
        "atheist": ("atheist", "atheists", "atheism"),
    },
    "ethnicity": {
        "Black": (*_phrases("black"), "african american", "african americans", "afro american"),
        "white": (*_phrases("white"), "caucasian", "caucasians"),
        "Asian": (*_phrases("asian"), "asians", "asian american", "asian americans"),
        "Hispanic": ("hispanic", "hispanics", "latino", "latinos", "latina", "latinas", "latinx"),
        "Indigenous": ("indigenous", "native american", "native americans", "aboriginal", "first nations"),
        "Arab": ("arab", "arabs"),
        "Romani": ("romani", "sinti"),
    },
    "disability and migration": {
        "disabled": ("disabled", "disability", "disabilities", "wheelchair", "autistic", "deaf"),
        "migrant": ("immigrant", "immigrants", "migrant", "migrants", "refugee", "refugees", "undocumented"),
    },
    "dialect markers": {
        "African American English": (
            "finna", "tryna", "bouta", "ima", "imma", "iono", "talmbout", "sumn", "dat", "dem", "bruh", "deadass",
            "yall", "y'all", "ain't", "aint", "gon",
        ),
        "Scots and Scottish English": ("wee", "aye", "didnae", "cannae", "wasnae", "dinnae", "bairn", "bairns"),
        "Indian English": ("lakh", "lakhs", "crore", "crores", "prepone", "kindly revert"),
        "Nigerian English": ("abeg", "wahala", "oga", "wetin", "naija"),
        "Singapore English": ("lah", "leh", "kiasu", "shiok"),
    },
}  # fmt: skip
"""Written for this report, and an interpretation: markers occur outside their dialect too."""


def flat() -> list[tuple[str, str, tuple[str, ...]]]:
    """Axis, group, terms in a fixed order: the position is the group's bit."""
    return [(axis, group, terms) for axis, groups in AXES.items() for group, terms in groups.items()]


def count(task: Task, work: Workspace) -> None:
    """Documents of some partitions as they were read, by group, rule and length.

    Inputs: partitions that read wrote, each followed by ledger files that may speak of its documents. Counters of each
    component: measure ``removal``, label ``group \\t rule``, key the power of four below the length; the rule `KEPT`
    is none.
    """
    for number, (component, counters) in enumerate(_counted(task, work).items()):
        counters.write(work.output(f"{number:03}-removal.parquet", "removal-counts", component=component))


def _counted(task: Task, work: Workspace) -> dict[str, Counters]:
    found: dict[str, Counters] = {}
    for source, *ledgers in groups(task.inputs):
        component = source.facts["component"]
        table = _sample(read_table(work.open(source), ["id", "text"]), task, task.params["shares"][component])
        counters = found.setdefault(component, Counters())
        if table.num_rows:
            rules = _fates(table, [read_table(work.open(a), ["id", "stage", "action", "reason"]) for a in ledgers])
            _add(table, rules, counters)
    return found


def _sample(table: pa.Table, task: Task, share: float) -> pa.Table:
    threshold = int(share * TOP)
    if threshold >= TOP:
        return table
    chosen = draws(table.column("id").to_pylist(), task.params["seed"], "removal") < np.uint64(threshold)
    return table.take(np.flatnonzero(chosen)).combine_chunks()


def _fates(table: pa.Table, ledgers: list[pa.Table]) -> list[str]:
    """The rule that removed each document: stage and reason of its ledger row; `KEPT` where there is none."""
    import pyarrow.compute as pc

    ids = table.column("id").combine_chunks()
    fates = [KEPT] * len(ids)
    for ledger in ledgers:
        gone = ledger.filter(pc.is_in(ledger.column("action").cast("string"), value_set=_gone()))
        where = pc.index_in(gone.column("id"), value_set=ids).to_pylist()
        names = zip(gone.column("stage").to_pylist(), gone.column("reason").to_pylist(), strict=True)
        for row, (stage, reason) in zip(where, names, strict=True):
            if row is not None:
                fates[row] = f"{stage}: {reason}"
    return fates


def _gone() -> pa.Array:
    import pyarrow as pa

    return pa.array(["dropped", "duplicate"])


def _add(table: pa.Table, rules: list[str], counters: Counters) -> None:
    data, offsets = text_buffers(table.column("text").combine_chunks())
    offsets = np.ascontiguousarray(offsets, np.int64)
    inside = groups_of(data, offsets)
    names = [group for _, group, _ in flat()]
    bins = np.frexp(np.maximum(np.diff(offsets), 1).astype(np.float64))[1] // 2
    languages = languages_of(data, offsets)
    coded, rule = np.unique(np.array(rules, dtype=object), return_inverse=True)
    for number, name in enumerate(coded.tolist()):
        chosen = rule == number
        counters.add_many("removal", f"{ALL}\t{name}", bins[chosen])
        for bit, group in enumerate(names):
            counters.add_many("removal", f"{group}\t{name}", bins[chosen & inside[:, bit]])
        for language in sorted(set(languages)):
            counters.add_many("removal", f"language {language}\t{name}", bins[chosen & (languages == language)])


def groups_of(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Boolean [documents, groups]: which groups each document names."""
    from pilebuilder.kernels import span_words, terms, wordbreak

    lookup = terms.table([words for _, _, words in flat()])
    properties, lower = wordbreak.properties(), wordbreak.lower_table()
    documents = len(offsets) - 1
    masks = np.zeros(documents, np.uint64)
    first = 0
    while first < documents:
        last = max(first + 1, int(np.searchsorted(offsets, offsets[first] + CHUNK, "right")) - 1)
        room = int(offsets[last] - offsets[first]) + 1
        spans, hashes = np.empty((room, 2), np.int64), np.empty(room, np.uint64)
        bounds = np.zeros(last - first + 1, np.int64)
        n = span_words.words(
            data, offsets[first:last], offsets[first + 1 : last + 1], properties, lower, spans, hashes, bounds
        )
        terms.mark(hashes[:n], bounds, *lookup, np.zeros(n, np.uint64), masks[first:last])
        first = last
    bits = np.uint64(1) << np.arange(len(flat()), dtype=np.uint64)
    return np.asarray((masks[:, None] & bits[None, :]) != 0)


def languages_of(data: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Language code of each document (object), as lid.176 labels it from `SURE` on."""
    from pilebuilder.models import languages
    from pilebuilder.report.measures.identify import best

    labels, probability = best(data, offsets)
    return np.where(probability >= SURE, labels, languages.UNDETERMINED)


def merge(task: Task, work: Workspace) -> None:
    """Add up the counts of one component."""
    counters = Counters.read(work.open(a) for a in task.inputs)
    counters.write(work.output("removal.parquet", "removal-counts", component=task.component))


@dataclass(slots=True)
class Sums:
    """Documents of one group, by length bin."""

    rules: dict[str, dict[int, int]] = field(default_factory=dict)
    """By the rule that removed them; `KEPT` for the others."""
    total: dict[int, int] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)

    def removed(self, rule: str | None) -> dict[int, int]:
        """By one rule, or by any."""
        return self.lost if rule is None else self.rules.get(rule, {})


def read(counters: Counters) -> dict[str, Sums]:
    """Documents by group."""
    found: dict[str, Sums] = {}
    for label, bins in counters.labels("removal").items():
        group, _, rule = label.partition("\t")
        held = found.setdefault(group, Sums())
        held.rules[rule] = bins
        for into in (held.total,) if rule == KEPT else (held.total, held.lost):
            for b, n in bins.items():
                into[b] = into.get(b, 0) + n
    return found
