"""The labelled sets: where each lies, on what terms, and how its labels read. The sets are not part of pilebuilder.

`load` reads them from a folder that holds them under the paths below. They contain slurs and posts by real people:
nothing here prints them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pilebuilder.errors import PilebuilderError
from pilebuilder.models.examples import unzstd

Pairs = Iterator[tuple[str, bool]]


class LabelledDataError(PilebuilderError):
    """A labelled file that is missing or not the recorded one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSet:
    """One public set of texts with a toxic or not-toxic label."""

    name: str
    files: tuple[str, ...]
    origin: str
    licence: str
    use: str
    """train, evaluate, or clean (taken as harmless throughout)."""
    read: Callable[[str], Pairs]


def _rows(text: str, delimiter: str = ",") -> Iterator[dict[str, str]]:
    return csv.DictReader(io.StringIO(text), delimiter=delimiter)


# Tweets and comments carry entities from the pages they were taken from.
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|#\d{1,7});")


def _davidson(text: str) -> Pairs:
    for row in _rows(text):
        yield _ENTITY.sub(" ", row["tweet"]), row["class"] != "2"


def _paradetox(text: str) -> Pairs:
    for row in _rows(text, "\t"):
        yield row["toxic"], True
        for name in ("neutral1", "neutral2", "neutral3"):
            if row.get(name):
                yield row[name], False


_VOTE = re.compile(r"Annotator\d_is_abuse\.(-?\d)$")


def _convabuse(text: str) -> Pairs:
    """Majority of annotators; grades below 0 are abuse. Ties are left out. Column names repeat: read by position."""
    rows = csv.reader(io.StringIO(text))
    head = next(rows)
    user = head.index("user")
    votes = [(i, int(m[1])) for i, name in enumerate(head) if (m := _VOTE.match(name))]
    for row in rows:
        abuse = sum(1 if grade < 0 else -1 for i, grade in votes if "1" in row[i])
        if abuse:
            yield row[user], abuse > 0


def _context(text: str) -> Pairs:
    for row in _rows(text):
        yield row["text"], row["label"] == "1"


def _treebank(text: str) -> Pairs:
    """Sentences of a word-per-line file, all taken as harmless."""
    for block in text.split("\n\n"):
        yield " ".join(line.split("\t")[0] for line in block.splitlines()), False


def _wikipedia(text: str) -> Pairs:
    for row in _rows(text):
        yield row["comment"].replace("NEWLINE_TOKEN", " ").replace("TAB_TOKEN", " "), row["toxic"] == "True"


def _labelled(column: str, label: str, toxic: str) -> Callable[[str], Pairs]:
    return lambda text: ((row[column], row[label] == toxic) for row in _rows(text))


SETS: dict[str, LabelledSet] = {
    s.name: s
    for s in (
        LabelledSet(
            name="davidson",
            files=("toxicity/train/davidson.csv",),
            origin="t-davidson/hate-speech-and-offensive-language",
            licence="MIT",
            use="train",
            read=_davidson,
        ),
        LabelledSet(
            name="paradetox",
            files=("toxicity/train/paradetox.tsv",),
            origin="s-nlp/paradetox",
            licence="CC0-1.0",
            use="train",
            read=_paradetox,
        ),
        LabelledSet(
            name="convabuse",
            files=("toxicity/train/convabuse_train.csv",),
            origin="ConvAbuse",
            licence="CC-BY-4.0",
            use="train",
            read=_convabuse,
        ),
        LabelledSet(
            name="context_toxicity",
            files=("toxicity/train/context_toxicity_gc.csv", "toxicity/train/context_toxicity_gn.csv"),
            origin="ipavlopoulos/context_toxicity (Wikipedia talk pages)",
            licence="Apache-2.0, text CC-BY-SA-3.0",
            use="train",
            read=_context,
        ),
        LabelledSet(
            name="UD English EWT, train",
            files=("pos/ud_english_ewt_train.tsv",),
            origin="UniversalDependencies/UD_English-EWT",
            licence="CC-BY-SA-4.0",
            use="clean",
            read=_treebank,
        ),
        LabelledSet(
            name="UD English EWT, dev and test",
            files=("pos/ud_english_ewt_dev.tsv", "pos/ud_english_ewt_test.tsv"),
            origin="UniversalDependencies/UD_English-EWT",
            licence="CC-BY-SA-4.0",
            use="evaluate",
            read=_treebank,
        ),
        LabelledSet(
            name="wikipedia talk",
            files=("toxicity/eval/wikipedia_talk.csv",),
            origin="conversationai/unintended-ml-bias-analysis",
            licence="CC-BY-4.0",
            use="evaluate",
            read=_wikipedia,
        ),
        LabelledSet(
            name="madlibs",
            files=("toxicity/eval/madlibs77k.csv",),
            origin="conversationai/unintended-ml-bias-analysis",
            licence="CC-BY-4.0",
            use="evaluate",
            read=_labelled("Text", "Label", "BAD"),
        ),
        LabelledSet(
            name="surge",
            files=("toxicity/eval/surge.csv",),
            origin="surge-ai/toxicity",
            licence="MIT",
            use="evaluate",
            read=_labelled("text", "is_toxic", "Toxic"),
        ),
        LabelledSet(
            name="hatecheck",
            files=("toxicity/eval/hatecheck.csv",),
            origin="paul-rottger/hatecheck-data",
            licence="CC-BY-4.0",
            use="evaluate",
            read=_labelled("test_case", "label_gold", "hateful"),
        ),
        LabelledSet(
            name="edos",
            files=("toxicity/eval/edos.csv",),
            origin="rewire-online/edos",
            licence="CC0-1.0",
            use="evaluate",
            read=_labelled("text", "label_sexist", "sexist"),
        ),
        LabelledSet(
            name="convabuse, test",
            files=("toxicity/eval/convabuse_test.csv",),
            origin="ConvAbuse",
            licence="CC-BY-4.0",
            use="evaluate",
            read=_convabuse,
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Texts and labels of one set, with the digests of the files they came from (of the uncompressed bytes)."""

    texts: list[str]
    toxic: list[bool]
    digests: dict[str, str]


def load(folder: Path, name: str) -> Loaded:
    """Read one set from a folder of labelled data (files as they are, or with ``.zst`` added)."""
    entry = SETS[name]
    pairs: list[tuple[str, bool]] = []
    digests = {}
    csv.field_size_limit(1 << 30)
    for file in entry.files:
        raw = _bytes(folder / file)
        digests[file] = hashlib.sha256(raw).hexdigest()
        try:
            pairs += entry.read(raw.decode("utf-8"))
        except (KeyError, ValueError, IndexError, csv.Error) as error:
            raise LabelledDataError(f"{folder / file} does not read as {entry.origin}: {error!r}") from error
    return Loaded(texts=[t for t, _ in pairs], toxic=[y for _, y in pairs], digests=digests)


def _bytes(path: Path) -> bytes:
    packed = path.with_name(path.name + ".zst")
    try:
        if packed.is_file():
            return unzstd(packed)
        return path.read_bytes()
    except OSError as error:
        origin = next((s.origin for s in SETS.values() if str(path).endswith(s.files)), "the public set")
        raise LabelledDataError(
            f"no labelled file {path} (nor with .zst): get it from {origin} and put it there"
        ) from error
