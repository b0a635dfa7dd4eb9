"""Lengths, languages, and what metadata is missing."""

from __future__ import annotations

import numpy as np

from pilebuilder.document import SIGNAL
from pilebuilder.report.counters import Counters
from pilebuilder.report.measures.texts import Texts

LANGUAGE, SCORE = SIGNAL + "lang", SIGNAL + "lang_score"
UNDETERMINED = "und"
SURE = 0.5
"""Below this score the label counts as undetermined; the table shows the threshold-free count beside it."""
SHORT_FOR_LANGUAGE = 20
"""Documents of fewer characters are left out of the language table, and counted."""
META = ("url", "date", "licence")


def lengths(texts: Texts, counters: Counters) -> None:
    """Lengths in bytes, code points and words; documents that are empty or white space alone."""
    counters.add("documents", "", 0, len(texts))
    for name in ("bytes", "characters", "words", "plain_words"):
        counters.add_lengths(name, getattr(texts, name))
    counters.add("empty", "", 0, int((texts.bytes == 0).sum()))
    counters.add("blank", "", 0, int((texts.plain_words == 0).sum()))


def languages(texts: Texts, counters: Counters) -> None:
    """Documents, bytes and summed score (in thousandths) by label; short documents are only counted.

    Labels below the score `SURE` count as undetermined; ``language.any`` counts them under their own label.
    """
    import pyarrow.compute as pc

    labels, scores = texts.column(LANGUAGE), texts.column(SCORE)
    if labels is None:
        counters.add("language.unmeasured", "", 0, len(texts))
        return
    size, long = texts.bytes, texts.characters >= SHORT_FOR_LANGUAGE
    counters.add("language.short", "", 0, int((~long).sum()))
    coded = pc.fill_null(labels.cast("string"), UNDETERMINED).dictionary_encode()
    codes = coded.indices.to_numpy()
    score = None
    if scores is not None:
        raw = pc.fill_null(scores, 0.0).to_numpy(zero_copy_only=False).astype(np.float64)
        score = np.rint(raw * 1000).astype(np.int64)
    sure = np.ones(len(size), bool) if score is None else score >= SURE * 1000
    for code, label in enumerate(coded.dictionary.to_pylist()):
        chosen, label = (codes == code) & long, label or UNDETERMINED
        counters.add("language.any", label, 0, int(chosen.sum()))
        if score is not None:
            counters.add("language.score", label, 0, int(score[chosen].sum()))
        for name, rows in ((label, chosen & sure), (UNDETERMINED, chosen & ~sure)):
            counters.add("language.documents", name, 0, int(rows.sum()))
            counters.add("language.bytes", name, 0, int(size[rows].sum()))


def metadata(texts: Texts, counters: Counters) -> None:
    """Documents without address, date, licence; by year of their date; by licence."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in META:
        column = texts.column(name)
        counters.add("null", name, 0, len(texts) if column is None else column.null_count)
    dates = texts.column("date")
    if dates is not None:
        years = pc.utf8_slice_codeunits(pc.drop_null(dates.cast(pa.string())), 0, 4)
        for entry in pc.value_counts(years):
            year = entry["values"].as_py()
            if year.isdigit() and len(year) == 4:
                counters.add("year", "", int(year), entry["counts"].as_py())
    licences = texts.column("licence")
    if licences is not None:
        coded = pc.fill_null(licences.cast(pa.string()), "").dictionary_encode()
        codes = coded.indices.to_numpy()
        for code, name in enumerate(coded.dictionary.to_pylist()):
            chosen = codes == code
            counters.add("licence.documents", name, 0, int(chosen.sum()))
            counters.add("licence.bytes", name, 0, int(texts.bytes[chosen].sum()))
