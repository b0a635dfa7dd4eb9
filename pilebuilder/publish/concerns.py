"""What speaks against publishing: a lock that does not hold, quarantine, secrets, licences, personal data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pilebuilder.build.verify import Finding
from pilebuilder.ledger import Tally
from pilebuilder.publish.corpus import Corpus
from pilebuilder.recipe import Limits

PERSONAL = ("e-mail address", "telephone number", "payment card")
SECRET = "key or token"  # noqa: S105 - the report's name for a kind of finding
_NO_REDISTRIBUTION = re.compile(
    r"(?i)unknown-local|never published|no redistribution|not (?:be )?redistribut|all rights reserved|proprietary"
)


@dataclass(frozen=True, slots=True)
class Concern:
    """One reason to stop and ask; `kind` is recorded in the manifest when a person goes on all the same."""

    kind: str
    message: str


def concerns(corpus: Corpus, findings: list[Finding], acknowledged: bool) -> list[Concern]:
    """Everything that a person must decide before this corpus leaves the machine."""
    found = [Concern("lock", f"the lock does not hold: {finding}") for finding in findings]
    found += quarantine(corpus)
    found += secrets(corpus)
    found += licences(corpus)
    if not acknowledged:
        found += personal(corpus)
    return found


def quarantine(corpus: Corpus) -> list[Concern]:
    """Components with more documents or raw files in quarantine than the recipe allows."""
    limits = corpus.recipe.head.quarantine if corpus.recipe else Limits()
    whole = Tally.total([corpus.tally(stage) for stage in ("fetch", "read", "clean", "filter")])
    read, files = corpus.tally("read"), _quarantined_files(corpus)
    found = []
    for name, count in sorted(whole.items()):
        lost = count.quarantined.total()
        share = lost / max(1, lost, read[name].seen if name in read else 0)
        touched = files.get(name, 0)
        if lost and (share > limits.share or touched > limits.files):
            found.append(
                Concern(
                    "quarantine",
                    f"{name}: {lost:,} in quarantine ({share:.2%} of documents, {touched:,} files);"
                    f" allowed are {limits.share:.2%} and {limits.files:,} files",
                )
            )
    return found


def _quarantined_files(corpus: Corpus) -> dict[str, int]:
    """Raw files with a quarantine row, by component, from the public ledger."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    files: dict[str, set[str]] = {}
    for path in corpus.outputs:
        if re.fullmatch(r"ledger/(fetch|read)-\d+\.parquet", path) and (corpus.root / path).is_file():
            table = pq.read_table(corpus.root / path, columns=["component", "action", "file"])
            rows = table.filter(pc.equal(table["action"].cast("string"), "quarantined"))
            for name, file in zip(rows["component"].to_pylist(), rows["file"].to_pylist(), strict=True):
                files.setdefault(name, set()).add(file or "")
    return {name: len(found) for name, found in files.items()}


def secrets(corpus: Corpus) -> list[Concern]:
    """Keys and tokens that are still in the text: what the report matched, and what a step only tagged."""
    found = []
    left = _matches(corpus, (SECRET,))
    if left is None:
        found.append(Concern("secrets", "nobody looked for keys and tokens: the report has no table of personal data"))
    elif left:
        found.append(Concern("secrets", f"the report matched {left:,} keys or tokens in the text that remains"))
    tagged = _tagged(corpus, "pii.secret")
    if tagged:
        found.append(Concern("secrets", f"the pii step found {tagged:,} secrets and was told only to tag them"))
    return found


def personal(corpus: Corpus) -> list[Concern]:
    """Personal data that a card announces or the report found."""
    found = [
        Concern("personal-data", f"{name}: {card.personal_data}")
        for name, card in corpus.cards().items()
        if name in corpus.components and (card.personal_data or "").strip(" .").lower() not in ("", "none")
    ]
    left = _matches(corpus, PERSONAL)
    if left:
        found.append(
            Concern("personal-data", f"the report matched {left:,} e-mail addresses, telephone or card numbers")
        )
    return found


def licences(corpus: Corpus) -> list[Concern]:
    """Components that may not be passed on: for local use only, terms that say no, licences that forbid it."""
    rows = corpus.table("consent")
    if rows is None:
        return [Concern("licence", "the terms of the components are not known: the report has no table of consent")]
    found = []
    for row in rows:
        name = str(row.get("component"))
        if name not in corpus.components:
            continue
        licence = _cell(row.get("licence"))
        if row.get("access") == "local_only":
            found.append(Concern("licence", f"{name} is for local use only ({licence})"))
        elif row.get("terms") == "no":
            found.append(Concern("licence", f"{name}: its terms do not allow such use ({licence or 'no licence'})"))
        elif re.search(r"-ND\b", licence.upper()) or _NO_REDISTRIBUTION.search(licence):
            found.append(Concern("licence", f"{name}: its licence forbids passing it on ({licence})"))
    return found


def warnings(corpus: Corpus) -> list[str]:
    """Licences a reader should know of before uploading; they do not stop anything."""
    found = []
    for row in corpus.table("licences") or []:
        name, licence, kind = (_cell(row.get(k)) for k in ("component", "licence", "class"))
        if name not in corpus.components:
            continue
        if kind == "mixed or unknown":
            found.append(f"{name}: licence {licence or 'unknown'}; whether it may be passed on is for you to judge")
        elif kind in ("share-alike", "non-commercial"):
            found.append(f"{name}: {kind} ({licence})")
    return found


def _cell(value: Any) -> str:
    """A cell of the report as text; a gap (``{"gap": why}``) in its own words."""
    return str(value.get("gap", "") if isinstance(value, dict) else value or "")


def _matches(corpus: Corpus, kinds: tuple[str, ...]) -> int | None:
    rows = corpus.table("personal-data")
    if rows is None:
        return None
    return sum(int(row.get("matches") or 0) for row in rows if row.get("type") in kinds)


def _tagged(corpus: Corpus, reason: str) -> int:
    """Sum of a step's findings in the ledger, if any such step left them in the text."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    stages = corpus.lock["recipe"]["stages"]
    if not any(_action(step) == "tag" for s in ("clean", "filter") for step in stages.get(s) or []):
        return 0
    total = 0.0
    for path in corpus.outputs:
        if re.fullmatch(r"ledger/(read|clean|filter)-\d+\.parquet", path) and (corpus.root / path).is_file():
            table = pq.read_table(corpus.root / path, columns=["reason", "value"])
            rows = table.filter(pc.equal(table["reason"].cast("string"), reason))
            total += pc.sum(rows["value"]).as_py() or 0.0
    return int(total)


def _action(step: Any) -> str | None:
    """The action of a pii step as the lock writes it; None for another step."""
    if step == "pii":
        return "mask"
    if isinstance(step, dict) and "pii" in step:
        return str((step["pii"] or {}).get("action", "mask"))
    return None
