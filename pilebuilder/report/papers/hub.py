"""The dataset card for the Hugging Face Hub: YAML that loaders read, and a body for people."""

from __future__ import annotations

from typing import Any

from pilebuilder.report.cells import show_size
from pilebuilder.report.facts import Facts
from pilebuilder.report.papers.evidence import Evidence
from pilebuilder.report.sections.terms import duties
from pilebuilder.report.table import Section

SPLIT_NAMES = {"train": "train", "val": "validation", "test": "test"}
SIZES = (
    (1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"), (10**9, "100M<n<1B"), (10**10, "1B<n<10B"), (10**11, "10B<n<100B"), (10**12, "100B<n<1T"),
)  # fmt: skip
LICENCES = {
    "CC0-1.0": "cc0-1.0", "CC-BY-4.0": "cc-by-4.0", "CC-BY-3.0": "cc-by-3.0", "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "CC-BY-SA-3.0": "cc-by-sa-3.0", "CC-BY-NC-4.0": "cc-by-nc-4.0", "MIT": "mit", "Apache-2.0": "apache-2.0",
    "PDDL-1.0": "pddl", "ODC-By-1.0": "odc-by", "ODbL-1.0": "odbl", "GPL-3.0-only": "gpl-3.0",
    "BSD-3-Clause": "bsd-3-clause", "PSF-2.0": "psfl-2.0", "Unlicense": "unlicense",
}  # fmt: skip
"""SPDX identifiers and the Hub's own names for them."""
META_TYPES = {"origin_offset": "sc:Integer", "copy": "sc:Integer"}
VIEWER_LIMIT = 2_000_000
"""Bytes above which the Hub's viewer cuts a document."""


def meta_fields(facts: Facts) -> list[str]:
    """Fields of ``meta`` in the shards, in order; none of a corpus made elsewhere: its records may be of any form."""
    if facts.from_files:
        return []
    wanted = (facts.settings.get("shard") or {}).get("meta", ["url", "date", "licence"])
    return ["pile_set_name", "id", *(name.removeprefix("signal.") for name in wanted)]


def size_category(documents: int) -> str:
    """The Hub's bucket for a number of rows.

    >>> size_category(999), size_category(1_000), size_category(10**12)
    ('n<1K', '1K<n<10K', 'n>1T')
    """
    return next((name for limit, name in SIZES if documents < limit), "n>1T")


def licence(facts: Facts) -> dict[str, str]:
    """``license`` from the Hub's list when one holds for all components, else ``other`` with a file that says more."""
    if facts.config.get("licence"):
        return {"license": facts.config["licence"]}
    found = {s.licence for s in facts.sources}
    if len(found) == 1 and (name := LICENCES.get(next(iter(found)))):
        return {"license": name}
    return {"license": "other", "license_name": "by-component", "license_link": "NOTICE"}


def front_matter(facts: Facts) -> dict[str, Any]:
    """The card's YAML as a mapping."""
    found = Evidence(facts)
    splits = [s for s in SPLIT_NAMES if any(shard["split"] == s for shard in facts.shards)]
    documents = {s: sum(x["documents"] or 0 for x in facts.shards if x["split"] == s) for s in splits}
    size = {s: sum(x["text_bytes"] or 0 for x in facts.shards if x["split"] == s) for s in splits}
    data: dict[str, Any] = {"pretty_name": facts.corpus["title"] or facts.corpus["name"]}
    codes = [code for code, _ in found.languages()]
    if codes:
        data["language"] = codes
    data |= licence(facts)
    data |= {
        "task_categories": ["text-generation", "fill-mask"],
        "task_ids": ["language-modeling", "masked-language-modeling"],
        "size_categories": [size_category(sum(documents.values()))],
        "annotations_creators": ["no-annotation"],
        "language_creators": ["found"],
        "source_datasets": ["original"],
        "tags": ["text", "pretraining", "croissant"],
    }
    if splits:
        files = [
            {"split": SPLIT_NAMES[s], "path": pattern([n["name"] for n in facts.shards if n["split"] == s])}
            for s in splits
        ]
        data["configs"] = [{"config_name": "default", "data_files": files, "default": True}]
        integer = {"origin_offset", "copy"}
        meta = [{"name": n, "dtype": "int64" if n in integer else "string"} for n in meta_fields(facts)]
        data["dataset_info"] = {
            "config_name": "default",
            "features": [{"name": "text", "dtype": "string"}, *([{"name": "meta", "struct": meta}] if meta else [])],
            "splits": [{"name": SPLIT_NAMES[s], "num_bytes": size[s], "num_examples": documents[s]} for s in splits],
            "download_size": sum(x["bytes"] for x in facts.shards),
            "dataset_size": sum(size.values()),
        }
    return data


def card(facts: Facts, sections: list[Section]) -> str:
    """The whole README.md."""
    import yaml

    tables = {t.name: t for s in sections for t in s.tables()}
    head = yaml.safe_dump(front_matter(facts), sort_keys=False, allow_unicode=True)
    body = [f"---\n{head}---", f"# {facts.corpus['title'] or facts.corpus['name']}", *_body(facts, tables)]
    return "\n\n".join(part.strip() for part in body if part.strip()) + "\n"


def _body(facts: Facts, tables: dict[str, Any]) -> list[str]:
    found = Evidence(facts)
    total = sum(facts.raw_bytes(n) for n in facts.names)

    def table(name: str) -> str:
        return tables[name].to_markdown().replace("## ", "### ", 1) if name in tables else ""

    name = facts.config.get("repository") or "PATH_OF_THIS_FOLDER"
    return [
        facts.corpus["description"],
        f"{facts.remaining:,} distinct documents, {show_size(total)} of text, {len(facts.sources)} components."
        f" {found.language_words()} Built by pilebuilder {facts.corpus['tool']}; recipe digest"
        f" {facts.corpus['recipe']}.",
        "## Use",
        "```python\nfrom datasets import load_dataset\n\n"
        + f'train = load_dataset("{name}", split="train", streaming=True)\n```',
        "## Structure",
        f"{_record(facts)} {found.splits()}",
        long_documents(facts),
        "## Where it comes from",
        table("components"),
        table("consent"),
        "## What was done to it",
        "\n".join(f"- {step}" for step in found.preprocessing()),
        found.losses() + " " + found.duplicates(),
        "## What is in it",
        table("languages"),
        "Lengths, topics, n-grams, quality signals and web addresses are in the report.",
        "## Bias and people",
        "Which filter removed whom, words and sentiment around identity terms, profanity: see the report.",
        f"Personal data: {found.personal()}.",
        "## Licence",
        table("licences"),
        "See NOTICE for attribution.",
        "## Limits",
        found.person(13) or "NOT ANSWERED",
        "## Citation",
        "\n\n".join(s.card["citation"] for s in facts.sources if s.card.get("citation")) or "NOT ANSWERED",
        "## Further papers",
        "`reports/index.html` (report), `reports/papers/datasheet.md`, `reports/papers/eu-summary.md`,"
        " `reports/papers/croissant.json`, `reports/papers/NOTICE`.",
    ]


def _record(facts: Facts) -> str:
    """What a record of the files is."""
    fields = meta_fields(facts)
    if not fields:
        return "The text of each record is read from its field `text`; the files were made elsewhere."
    return f'Each line is `{{"text": ..., "meta": {{...}}}}`; `meta` holds {", ".join(f"`{f}`" for f in fields)}.'


def long_documents(facts: Facts) -> str:
    """How many documents the Hub's viewer will cut."""
    import numpy as np

    if not facts.profiles:
        return ""
    n = int(facts.whole.distribution("bytes").over(np.array([0, VIEWER_LIMIT]))[1])
    return f"{n:,} documents above 2 MB are cut by the Hub's viewer." if n else ""


def pattern(names: list[str]) -> str:
    """A glob for exactly these shards.

    >>> pattern(["val.jsonl.zst"]), pattern(["train/00.parquet", "train/01.parquet"])
    ('val.jsonl.zst', 'train/*.parquet')
    """
    if len(names) == 1 and "/" not in names[0]:
        return names[0]
    folder, _, first = names[0].rpartition("/")
    return (f"{folder}/" if folder else "") + "*." + first.partition(".")[2]


def notice(facts: Facts) -> str:
    """Licence and attribution of every component, tokens and text under each licence."""
    lines = [
        f"{facts.corpus['title'] or facts.corpus['name']}",
        "",
        "This corpus holds text of the following components.",
    ]
    sums: dict[str, list[Any]] = {}
    for source in facts.sources:
        tokens = facts.token_count(source.name)
        name = source.licence or "not stated on the card"
        held = sums.setdefault(name, [0, 0])
        held[0] += facts.raw_bytes(source.name)
        held[1] = held[1] + tokens if isinstance(tokens, int) and isinstance(held[1], int) else tokens
        kind = duties(source.licence)
        evidence = (source.card.get("licence") or {}).get("evidence")
        lines += [
            "",
            source.name,
            f"  Title:    {source.title}",
            f"  Homepage: {source.card.get('homepage') or 'not given'}",
            f"  Licence:  {name}" + (f" ({evidence})" if evidence else ""),
            f"  Asks for: {_asks(kind.attribution, kind.share_alike, kind.commercial)}",
            f"  Text:     {show_size(facts.raw_bytes(source.name))}; tokens: {tokens:,}"
            if isinstance(tokens, int)
            else f"  Text:     {show_size(facts.raw_bytes(source.name))}; tokens: {tokens}",
        ]
        if source.card.get("citation"):
            lines.append(f"  Cite:     {source.card['citation']}")
    lines += ["", "By licence:"]
    for name, (size, tokens) in sorted(sums.items()):
        counted = f"{tokens:,} tokens" if isinstance(tokens, int) else f"tokens {tokens}"
        lines.append(f"  {name}: {show_size(size)}, {counted}")
    return "\n".join(lines) + "\n"


def _asks(attribution: bool | None, share: bool | None, commercial: bool | None) -> str:
    if attribution is None:
        return "unknown; read the licence"
    asked = [w for w, flag in (("attribution", attribution), ("share-alike", share)) if flag]
    return ", ".join([*asked, *(["no commercial use"] if commercial is False else [])]) or "nothing"
