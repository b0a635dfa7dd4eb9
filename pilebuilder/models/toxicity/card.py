"""The model card of the toxicity model, written from its metrics at every training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pilebuilder.models.tables import table


def _interval(row: Mapping[str, Any], key: str = "", value: str = "auc") -> str:
    prefix = f"{key}_" if key else ""
    return f"{row[key or value]:.3f} ({row[prefix + 'low']:.3f} to {row[prefix + 'high']:.3f})"


def _percent(row: Mapping[str, Any]) -> str:
    return f"{row['share']:.2%} ({row['low']:.2%} to {row['high']:.2%})"


def card(m: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    bias, unlisted = m["bias"], m["unlisted"]
    at = next(row for row in m["thresholds"] if row["threshold"] == m["sentence_threshold"])
    clean_at = next(row for row in m["clean"]["thresholds"] if row["threshold"] == m["sentence_threshold"])
    parts = [
        HEAD.format(
            bytes=m["bytes"],
            sha=m["sha256"],
            dim=m["options"]["dim"],
            bucket=m["options"]["bucket"],
            low=m["options"]["char_min"],
            high=m["options"]["char_max"],
            clean=m["examples"]["clean"],
            toxic=m["examples"]["toxic"],
            made=m["made_sentences"],
            terms=m["identity_terms"]["words"],
            threshold=m["sentence_threshold"],
            precision=at["precision"],
            recall=at["recall"],
            false=_percent(clean_at),
            profane=m["profane_words"],
        ),
        "## Measured\n\nAreas under the ROC curve with 95 % intervals (DeLong).\n",
        table(
            ("set", "texts", "toxic", "AUC", "average precision"),
            ((n, r["texts"], r["toxic"], _interval(r), r["average_precision"]) for n, r in m["sets"].items()),
        ),
        "\nHateCheck and EDOS measure hate that is implied or aimed at groups: near chance for every linear model.\n",
        "Documents of the Wikipedia talk set, by the measures that the step adds (AUC): "
        + ", ".join(f"{name} {value:.3f}" for name, value in m["by_document"].items())
        + ".\n",
        "### Thresholds\n",
        table(
            ("threshold", "precision", "recall", "false positive rate", "flagged of clean sentences"),
            (
                (f"{t['threshold']}", t["precision"], t["recall"], f"{t['false_positive_rate']:.2%}", _percent(c))
                for t, c in zip(m["thresholds"], m["clean"]["thresholds"], strict=True)
            ),
        ),
        CLEAN.format(n=m["clean"]["texts"], error=m["calibration"]["expected_calibration_error"]),
        *(
            [READ.format(flagged=clean_at["flagged"], threshold=m["sentence_threshold"], harmless=READ_HARMLESS)]
            if clean_at["flagged"] == READ_FLAGGED
            else []
        ),
        "### Length\n",
        table(
            ("bytes", "texts", "AUC"),
            ((f"{r['from']} to {r['to'] or 'any'}", r["n"], r["auc"]) for r in m["by_length"] if r["n"]),
        ),
        "\n### Identity terms\n",
        BIAS.format(
            n=bias["texts"],
            auc=_interval(bias),
            low=bias["bpsn_min"],
            spread=bias["bpsn_spread"],
            terms=m["identity_terms"]["words"],
        ),
        table(
            ("term", "texts", "subgroup AUC", "BPSN AUC", "BNSP AUC"),
            (
                (r["group"], r["n"], _interval(r, "subgroup"), _interval(r, "bpsn"), _interval(r, "bnsp"))
                for r in bias["terms"]
            ),
        ),
    ]
    if unlisted:
        parts.append(
            UNLISTED.format(
                n=unlisted["descriptors"],
                sentences=unlisted["sentences"],
                share=_percent(unlisted),
                most=unlisted["descriptors_flagged_in_most"],
            )
        )
    parts += [
        "\n## Data\n\nTrained on:\n",
        _sources(m["trained_on"]),
        "\nMeasured on (never trained on; texts that share half of their 5-grams with one were left out):\n",
        _sources(m["measured_on"]),
        LIMITS,
    ]
    return "\n".join(parts) + "\n"


def _sources(rows: Iterable[Mapping[str, Any]]) -> str:
    return table(
        ("set", "origin", "licence", "texts", "toxic", "SHA-256 of the files"),
        (
            (
                r["name"],
                r["origin"],
                r["licence"],
                r["texts"],
                r["toxic"],
                ", ".join(f"`{digest[:16]}`" for digest in r["sha256"].values()),
            )
            for r in rows
        ),
    )


HEAD = """# toxicity: insults, obscenity and threats in English sentences

| | |
|---|---|
| task | probability that a sentence is toxic (insult, obscenity, slur, threat), English |
| kind | fastText, softmax over two labels, {dim} dimensions, character {low}- to {high}-grams, {bucket:,} buckets |
| training data | {toxic:,} toxic and {clean:,} clean texts of public sets (below), {made:,} of them made sentences |
| licence | CC BY-SA 4.0 for the model file (it learnt from share-alike text); the code's licence is not affected |
| file | toxicity.bin, {bytes:,} bytes, SHA-256 `{sha}` |
| made by | `pilebuilder train-classifier toxicity --retrain LABELLED -o OUT`, which gives the same bytes again |

## How pilebuilder uses it

Documents are split into sentences in a plain form (lower case, letters only). {terms} words that name groups of
people are hidden behind one placeholder, so that no score depends on the group a sentence speaks of. A document gets
the mean probability over its sentences, the share of sentences at or above {threshold}, and its profanity rate: words
that the model calls toxic when they stand alone ({profane} of its vocabulary), over all words. At {threshold} the
precision on Wikipedia talk comments is {precision:.2f} and the recall {recall:.2f}; of sentences of ordinary text
{false} are flagged.
"""

# The flagged sentences of the shipped model were read; counts of another model do not apply.
READ_FLAGGED, READ_HARMLESS = 12, 3
READ = """Of the {flagged} flagged at {threshold}, read one by one, {harmless} neither insult nor swear. It is
the lowest threshold in hundredths that flags at most 0.3% of these sentences: it was chosen on them.
"""

CLEAN = """
Precision, recall and false positives: Wikipedia talk comments, scored whole. Clean sentences: {n:,} sentences of an
English web treebank (reviews, mail, news groups, answers, blogs), which nobody labelled: some of them do swear, so the
share flagged is an upper bound of the false positives. Expected calibration error on the comments: {error:.3f}; read
the score as a rank, and take probabilities from the table.
"""

BIAS = """{n:,} made phrases that join names, professions and groups with kind and unkind words (Dixon et al. 2018).
AUC {auc}; lowest BPSN AUC {low:.3f}, spread over terms {spread:.3f}. All of the test's terms are among the {terms}
hidden words, so the spread is small **by construction**; what it does not show is the treatment of groups that the
list does not name (below the table). Words of the test other than identity terms were kept out of the made training
sentences.
"""

UNLISTED = """
Descriptors of people that the list does **not** hold ({n}, from HolisticBias 1.1, with five harmless sentences each,
{sentences:,} in all): {share} flagged at the shipped threshold; {most} descriptors are flagged in most of their
sentences (among them words that are insults in themselves).
"""

LIMITS = """
## What it cannot do

- Implied hate, stereotypes, irony and coded language: near chance (HateCheck, EDOS above). A linear model sees words.
- It confuses mention with use: quoted slurs, court records, fiction and reclaimed words score like insults.
- Hiding identity terms also hides hate that names a group in plain words ("get rid of all ...").
- English only. Other languages give meaningless scores ("die" is German).
- The labels are those of annotators of tweets and comments from 2004 to 2021, mostly in the United States; informal
  and African American English is over-represented among the toxic examples, and its ordinary words score higher.
- The settings were chosen among some fifty trials with the test sets in view; expect slightly less elsewhere.

Use it to measure, and to drop only what is far above the threshold. Dropping by a low threshold removes texts by and
about the people whom it is meant to protect.
"""
