"""A recipe for a pulled corpus: its components, read from their own files, for whoever wants to go on from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pilebuilder.publish.corpus import Corpus
from pilebuilder.publish.manifest import Manifest

NAME = "recipe.yaml"
HEADER = """\
# Written by `pilebuilder pull`: the training documents of the published corpus, by component, as they are.
# Add steps to clean or filter (optout takes documents out), components, a tokenizer; then build into another folder.
# Documents that were held out (val, test) are not among them; copies by epochs are merged and made again by `epochs`.
"""
META = {"id": "meta.id", "url": "meta.url", "date": "meta.date", "licence": "meta.licence"}


def recipe(folder: Path, manifest: Manifest, lock: Mapping[str, Any]) -> str | None:
    """The recipe's text; None when the files per component did not come with the corpus."""
    import yaml

    corpus = Corpus(folder, lock)
    terms = {str(row.get("component")): row.get("licence") for row in corpus.table("consent") or []}
    components = []
    for name, facts in sorted(manifest.components.items()):
        own = [p for p in manifest.files if p.startswith(f"data/{facts['config']}/train-")]
        if own and all((folder / p).is_file() for p in own):
            epochs = (lock["recipe"].get("components") or {}).get(name, {}).get("epochs", 1.0)
            licence = terms.get(name)
            components.append(
                {
                    "name": name,
                    "fetch": {"local": {"path": str((folder / own[0]).parent.absolute()), "include": ["train-*"]}},
                    "read": "parquet" if own[0].endswith(".parquet") else {"jsonl": META},
                    **({"licence": {"text": licence}} if isinstance(licence, str) else {}),
                    "epochs": epochs,
                    "expect": {"max_loss": 1.0},
                }
            )
    if not components:
        return None
    data = {
        "name": str(manifest.corpus["name"]),
        "title": str(manifest.corpus["title"]),
        "version": str(manifest.corpus["version"]),
        "seed": int(lock["recipe"].get("seed", 0)),
        "components": components,
        "clean": [],
        "filter": [],
        "dedup": {"minhash": None},
        "mix": {"val": 0, "test": 0},
    }
    return HEADER + yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
