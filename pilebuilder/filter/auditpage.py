"""The audit as files: CSV, JSON, Markdown, and one HTML page with histograms, overlaps and samples."""

from __future__ import annotations

import csv
import html
import io
import json
from pathlib import Path
from typing import Any

from pilebuilder.filter.audit import PERCENTILES, Audit, Tested

STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;color:#1b1b1b;background:#fff}
table{border-collapse:collapse;margin:.7rem 0}th,td{padding:.22rem .6rem;border-bottom:1px solid #ddd;text-align:right}
th:first-child,td:first-child{text-align:left}
thead th{border-bottom:2px solid #666;position:sticky;top:0;background:#fff}
.bar{background:#4477aa;display:inline-block;height:.65rem}.alone{background:#ee6677}
details{margin:.35rem 0}summary{cursor:pointer}
pre{white-space:pre-wrap;background:#f5f5f5;padding:.5rem;max-height:14rem;overflow:auto}
svg{display:block;margin:.4rem 0}
.note{color:#555}
@media(prefers-color-scheme:dark){body,thead th{background:#161616;color:#e6e6e6}th,td{border-color:#3a3a3a}
pre{background:#232323}.note{color:#aaa}}
"""
BINS = 40


def write(found: Audit, folder: Path, title: str = "Filter audit") -> list[Path]:
    """Write audit.csv, audit.json, audit.md and audit.html into `folder`; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = found.rows()
    files = {
        "audit.csv": as_csv(rows),
        "audit.json": json.dumps({"rules": rows, "components": totals(found)}, indent=1, sort_keys=True) + "\n",
        "audit.md": markdown(found),
        "audit.html": page(found, title),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def totals(found: Audit) -> dict[str, dict[str, int]]:
    """Documents and bytes of each component, and how many any rule drops."""
    return {
        component: {
            "documents": found.documents[component], "bytes": found.bytes[component],
            "dropped": found.dropped[component], "dropped_bytes": found.dropped_bytes[component],
        }
        for component in sorted(found.documents)
    }  # fmt: skip


def as_csv(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue()


def markdown(found: Audit) -> str:
    """Per component: what each rule would drop by itself, and what only it drops."""
    parts = []
    for component, rules in sorted(found.tested.items()):
        n = max(found.documents[component], 1)
        parts += [
            f"## {component}", "",
            f"{found.documents[component]:,} documents; any rule: {share(found.dropped[component], n)}.", "",
            "| rule | threshold | fails | only this rule | first in order | median |",
            "|---|---:|---:|---:|---:|---:|",
        ]  # fmt: skip
        parts += [
            f"| {rule} | {number(of.threshold)} | {share(of.documents, n)} | {share(of.alone, n)} |"
            f" {share(of.first, n)} | {number(of.percentile(50))} |"
            for rule, of in rules.items()
        ]
        parts.append("")
    return "\n".join(parts)


def page(found: Audit, title: str) -> str:
    """One self-contained HTML page."""
    body = [f"<h1>{html.escape(title)}</h1>", explain(found)]
    for component, rules in sorted(found.tested.items()):
        body.append(f"<h2>{html.escape(component)}</h2>")
        n = max(found.documents[component], 1)
        body.append(
            f"<p>{found.documents[component]:,} documents, {found.bytes[component] / 1e6:,.1f} MB; any rule drops"
            f" {share(found.dropped[component], n)} of the documents.</p>"
        )
        body.append(_table(rules, n))
        body += [_rule(rule, of) for rule, of in rules.items() if of.documents or of.measures]
    body.append(_overlaps(found))
    return (
        f"<!doctype html><html lang='en'><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<meta name='viewport' content='width=device-width'><style>{STYLE}</style>"
        f"<body>{''.join(body)}</body></html>\n"
    )


def explain(found: Audit) -> str:
    return (
        "<p class='note'>Every rule saw every document, whatever other rules say. <b>Fails</b>: what the rule drops by"
        " itself. <b>Only</b>: what stays if the rule is taken away (no other rule fails it). <b>First</b>: what the"
        " ledger would name it for, in the order of the recipe. Percentiles and histograms rest on at most 20,000"
        f" documents per component and rule; samples ({found.samples} per rule) prefer documents that fail only that"
        " rule.</p>"
    )


def _table(rules: dict[str, Tested], n: int) -> str:
    head = "".join(
        f"<th>{c}</th>" for c in ("rule", "threshold", "fails", "only", "first", *(f"p{p}" for p in PERCENTILES))
    )
    lines = []
    for rule, of in rules.items():
        bars = (
            f"<span class='bar alone' style='width:{6 * of.alone / n:.3f}rem'></span>"
            f"<span class='bar' style='width:{6 * (of.documents - of.alone) / n:.3f}rem'></span>"
        )
        cells = [
            f"<a href='#{anchor(rule)}'>{html.escape(rule)}</a>", number(of.threshold),
            f"{share(of.documents, n)} {bars}", share(of.alone, n), share(of.first, n),
            *(number(of.percentile(p)) for p in PERCENTILES),
        ]  # fmt: skip
        lines.append("<tr>" + "".join(f"<td>{c}</td>" for c in cells) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"


def _rule(rule: str, of: Tested) -> str:
    samples = "".join(
        f"<p><code>{html.escape(name)}</code> {'only this rule' if shared == 0 else 'other rules too'},"
        f" value {number(value)}</p><pre>{html.escape(_visible(text))}</pre>"
        for shared, _, name, value, text in of.samples
    )
    return (
        f"<details id='{anchor(rule)}'><summary>{html.escape(rule)}: {of.documents:,} documents</summary>"
        f"{histogram(of)}{samples}</details>"
    )


def histogram(of: Tested, width: int = 640, height: int = 120) -> str:
    """SVG of the measure's distribution between its 1st and 99th percentile, with the threshold as a line."""
    import numpy as np

    values = np.array([v for _, v in of.measures])
    if not len(values):
        return ""
    low, high = np.percentile(values, [1, 99])
    if of.threshold is not None:
        low, high = min(low, of.threshold), max(high, of.threshold)
    if low == high:
        return f"<p class='note'>All measures are {number(float(low))}.</p>"
    counts, edges = np.histogram(np.clip(values, low, high), BINS, (low, high))
    step = width / BINS
    bars = "".join(
        f"<rect x='{k * step:.1f}' y='{height - height * c / counts.max():.1f}' width='{step - 1:.1f}'"
        f" height='{height * c / counts.max():.1f}' fill='#4477aa'><title>{number(float(edges[k]))} to"
        f" {number(float(edges[k + 1]))}: {int(c)}</title></rect>"
        for k, c in enumerate(counts)
    )
    line = ""
    if of.threshold is not None:
        x = width * (of.threshold - low) / (high - low)
        line = f"<line x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='{height}' stroke='#ee6677' stroke-width='2'/>"
    label = f"distribution of {len(values)} measures from {number(float(low))} to {number(float(high))}"
    return (
        f"<svg role='img' aria-label='{label}' viewBox='0 0 {width} {height + 16}' width='{width}'>{bars}{line}"
        f"<text x='0' y='{height + 13}' font-size='11' fill='currentColor'>{number(float(low))}</text>"
        f"<text x='{width}' y='{height + 13}' font-size='11' text-anchor='end' fill='currentColor'>"
        f"{number(float(high))}</text></svg>"
    )


def _overlaps(found: Audit) -> str:
    """Pairs of rules by how far they fail the same documents: which rule another one makes needless."""
    fails: dict[str, int] = {}
    for rules in found.tested.values():
        for rule, of in rules.items():
            fails[rule] = fails.get(rule, 0) + of.documents
    pairs = sorted(
        ((both / min(fails[a], fails[b]), a, b, both) for (a, b), both in found.together.items()),
        key=lambda pair: (-pair[0], -pair[3], pair[1:3]),
    )[:40]
    if not pairs:
        return ""
    lines = "".join(
        f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td><td>{both:,}</td><td>{part:.0%}</td></tr>"
        for part, a, b, both in pairs
    )
    return (
        "<h2>Rules that drop the same documents</h2><p class='note'>Share of the rarer rule's documents; all"
        " components together; the 40 closest pairs.</p>"
        "<table><thead><tr><th>rule</th><th>rule</th><th>both</th><th>share</th></tr>"
        f"</thead><tbody>{lines}</tbody></table>"
    )


def _visible(text: str) -> str:
    """Control characters escaped, so that a sample cannot break the page."""
    return "".join(c if c in "\n\t" or c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def anchor(rule: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in rule)


def share(part: int, whole: int) -> str:
    """Count and per cent."""
    return f"{part:,} ({100 * part / whole:.2f} %)"


def number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4g}"
