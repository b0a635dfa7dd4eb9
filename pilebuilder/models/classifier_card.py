"""The card of a classifier that a user trained, written from its metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pilebuilder.models.tables import table


def card(m: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    words = m["top_words"]
    parts = [
        f"# {m['name']}\n",
        m["note"] + "\n" if m["note"] else "",
        table(
            ("", ""),
            (
                ("task", f"probability of the label `{m['positive']}`"),
                ("kind", "fastText, softmax, " + ", ".join(f"{k} {v}" for k, v in m["options"].items())),
                ("file", f"model.bin, {m['bytes']:,} bytes, SHA-256 `{m['sha256']}`"),
                ("trained on", ", ".join(f"{n:,} {y}" for y, n in m["examples"].items())),
                ("held out", ", ".join(f"{n:,} {y}" for y, n in m["held_out"].items())),
                ("left out", ", ".join(f"{n:,} {why}" for why, n in m["left_out"].items())),
            ),
        ),
        "\nTwins are examples that share at least half of their word 5-grams with a held-out text.\n\n## Measured\n",
        f"AUC on held-out texts {m['auc']:.3f} ({m['low']:.3f} to {m['high']:.3f}), average precision"
        f" {m['average_precision']:.3f}, expected calibration error"
        f" {m['calibration']['expected_calibration_error']:.3f}. Length alone would reach an AUC of"
        f" {m['auc_of_length_alone']:.3f}: what the model adds to that shows within the buckets of length.\n",
        table(
            ("bytes", "texts", "AUC"),
            ((f"{r['from']} to {r['to'] or 'any'}", r["n"], r["auc"]) for r in m["by_length"] if r["n"]),
        ),
        "",
        table(
            ("threshold", "precision", "recall", "false positive rate"),
            ((f"{r['threshold']}", r["precision"], r["recall"], r["false_positive_rate"]) for r in m["thresholds"]),
        ),
        f"\nWords that alone score highest: {', '.join(words['high'])}.\n\nLowest: {', '.join(words['low'])}.\n",
        "## Data\n",
        table(("file", "SHA-256"), ((name, f"`{digest}`") for name, digest in m["inputs"].items())),
        LIMITS,
    ]
    return "\n".join(parts)


LIMITS = """
## What it cannot do

- It knows the difference between these two sets of files, whatever that is: topic, layout and source as much as what
  the labels are meant to say. Read the words above before you trust the name.
- The held-out texts come from the same files: expect less on texts of other origin.
- A score is a rank; it is a probability only as far as the calibration says, and only at the balance of the two sets.
- Selecting text by it also selects for dialect, region and time. Compare the sources before and after.
"""
