"""The papers of a publication: the card with one config per component, the changelog, the citation, Croissant."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pilebuilder.publish.corpus import SPLITS, Corpus
from pilebuilder.publish.manifest import Item, Manifest
from pilebuilder.publish.pieces import ALL, Made
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.writers import features

NOT_PUBLISHED = "PATH_OF_THIS_FOLDER"
UNKNOWN_URL = "https://example.org/not-published"


def readme(
    corpus: Corpus,
    name: str,
    pieces: Sequence[Made],
    *,
    tokens: bool = False,
    gate: str = "",
    accepted: Sequence[str] = (),
) -> bytes:
    """The card: what the report stage wrote, with the configs of this publication and the name it has there."""
    import yaml

    head, body = split_card(corpus.paper("README.md").decode())
    data = yaml.safe_load(head)
    configs, infos = [default_config(corpus, pieces)], [default_info(corpus, data.pop("dataset_info", None), pieces)]
    for component, slug in sorted(corpus.components.items()):
        own = [m for m in pieces if m.piece.component == component]
        if own:
            configs.append(component_config(slug, own))
            infos.append(component_info(corpus, slug, own))
    data["tags"] = [*data.get("tags", []), "pilebuilder"]
    if gate:
        data["extra_gated_prompt"] = gate
    data["configs"], data["dataset_info"] = configs, infos
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=1000)
    body = body.replace(NOT_PUBLISHED, name).partition("\n## Further papers")[0].rstrip()
    return f"---\n{text}---\n{body}\n\n{_more(corpus, name, pieces, tokens, accepted)}".encode()


def split_card(text: str) -> tuple[str, str]:
    """YAML and body of a card."""
    if not text.startswith("---\n") or "\n---" not in text[4:]:
        raise PublishError("no_report", "the report's README.md has no YAML head; build the report again")
    head, _, body = text[4:].partition("\n---")
    return head, body.partition("\n")[2]


def default_config(corpus: Corpus, pieces: Sequence[Made]) -> dict[str, Any]:
    """All components mixed, in the corpus's own order; as Parquet where the others are: loaders take one format."""
    files = []
    parquet = any(m.piece.path.endswith(".parquet") for m in pieces)
    for split, public in SPLITS.items():
        suffix = "parquet" if parquet else "jsonl.zst"
        path = f"train/*.{suffix}" if split == "train" else f"{split}*.{suffix}"
        if parquet and not corpus.columns("train"):
            path = f"parquet/{public}-*.parquet"
        if corpus.shards(split):
            files.append({"split": public, "path": path})
    return {"config_name": "default", "data_files": files, "default": True}


def component_config(slug: str, own: Sequence[Made]) -> dict[str, Any]:
    suffix = "parquet" if own[0].piece.path.endswith(".parquet") else "jsonl.zst"
    splits = [s for s in SPLITS.values() if any(m.piece.split == s for m in own)]
    files = [{"split": s, "path": f"data/{slug}/{s}-*.{suffix}"} for s in splits]
    return {"config_name": slug, "data_files": files}


def default_info(corpus: Corpus, given: Any, pieces: Sequence[Made]) -> dict[str, Any]:
    """The report's own counts, with field types as the files have them."""
    info = {**(given or {}), "config_name": "default", "features": _features(corpus)}
    return info


def component_info(corpus: Corpus, slug: str, own: Sequence[Made]) -> dict[str, Any]:
    splits = []
    for split in SPLITS.values():
        held = [m for m in own if m.piece.split == split]
        if held:
            size, count = sum(m.line_bytes for m in held), sum(m.documents for m in held)
            splits.append({"name": split, "num_bytes": size, "num_examples": count})
    return {
        "config_name": slug,
        "features": _features(corpus),
        "splits": splits,
        "download_size": sum(m.bytes for m in own),
        "dataset_size": sum(m.line_bytes for m in own),
    }


def _features(corpus: Corpus) -> list[dict[str, Any]]:
    meta = [{"name": name, "dtype": kind} for name, kind in features(corpus)]
    return [{"name": "text", "dtype": "string"}, {"name": "meta", "struct": meta}]


def _more(corpus: Corpus, name: str, pieces: Sequence[Made], tokens: bool, accepted: Sequence[str]) -> str:
    lines = []
    own = [m for m in pieces if m.piece.component != ALL]
    if own:
        shown = own[0].piece.path.split("/")[1]
        lines += [
            "## Configs",
            "",
            "`default` is the corpus in its own order, all components mixed. Each component is a config of its own:"
            " the same lines in the same order, copies included.",
            "",
            f'```python\nload_dataset("{name}", "{shown}", split="train", streaming=True)\n```',
            "",
            "| Config | Component | Documents |",
            "| --- | --- | ---: |",
        ]
        tally = corpus.tally("shard")
        lines += [f"| `{slug}` | {c} | {tally[c].kept:,} |" for c, slug in sorted(corpus.components.items())]
        lines.append("")
    lines += [
        "## Verify",
        "",
        f"`pilebuilder pull {name}` fetches every file, compares it with `MANIFEST.json` (size and SHA-256 of each"
        f" file) and with `corpus.lock` (digest {corpus.digest}), and leaves a folder that `pilebuilder verify` and"
        " every other command take.",
        "",
        "## Further papers",
        "",
        "`reports/index.html` (report), `datasheet.md`, `reports/papers/eu-summary.md`, `croissant.json`, `NOTICE`,"
        " `CITATION.cff`, `CHANGELOG.md`" + (", `tokens/` (Megatron's indexed dataset)" if tokens else "") + ".",
        "",
    ]
    if accepted:
        lines += ["## Known at publication", "", *(f"- {text}" for text in accepted), ""]
    return "\n".join(lines)


def tokens_readme(corpus: Corpus, name: str) -> bytes:
    """The card of a repository that holds only tokens."""
    import yaml

    data = yaml.safe_load(split_card(corpus.paper("README.md").decode())[0])
    kept = {
        k: data[k] for k in ("language", "license", "license_name", "license_link", "size_categories") if k in data
    }
    head = {"pretty_name": f"{data['pretty_name']}, tokens", **kept, "tags": ["pilebuilder"], "viewer": False}
    settings = corpus.lock["recipe"]["stages"].get("tokenize") or {}
    return (
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---\n\n# {data['pretty_name']}, tokens\n\n"
        f"`tokens/` holds Megatron's indexed dataset (.bin, .idx), which GPT-NeoX and Megatron-LM read; tokenizer"
        f" {settings.get('tokenizer')}. Lock digest of the corpus: {corpus.digest}.\n\n"
        f"`pilebuilder pull {name}` fetches and verifies it.\n"
    ).encode()


def changelog(new: Manifest, label: str, old: Manifest | None, old_text: str) -> bytes:
    """The changelog with an entry for this version on top; unchanged when the corpus is the same as before."""
    title = "# Changelog\n"
    if old is not None and old.lock == new.lock and old_text:
        return old_text.encode()
    heading = f"## {label} (lock {new.lock[:16]})"
    lines = [heading, ""]
    if old is None:
        total = sum(c["documents"] for c in new.components.values())
        lines.append(f"- First publication: {total:,} documents, {len(new.components)} components.")
    else:
        lines += _changes(new, old)
    return (title + "\n" + "\n".join(lines) + "\n" + old_text.removeprefix(title)).encode()


def _changes(new: Manifest, old: Manifest) -> list[str]:
    lines = []
    for name in sorted(set(new.components) | set(old.components)):
        before, after = (m.components.get(name, {}).get("documents", 0) for m in (old, new))
        if before != after:
            lines.append(f"- {name}: {before:,} -> {after:,} documents")
    ours, theirs = ({p: i.sha256 for p, i in m.files.items() if _is_data(p)} for m in (new, old))
    added, gone = len(ours.keys() - theirs.keys()), len(theirs.keys() - ours.keys())
    changed = sum(theirs[p] != d for p, d in ours.items() if p in theirs)
    lines.append(f"- Files: {added:,} new, {changed:,} changed, {gone:,} removed.")
    return lines


def _is_data(path: str) -> bool:
    return path.split("/")[0] in ("train", "data", "tokens") or path.startswith(("val", "test"))


def citation(corpus: Corpus, url: str) -> bytes:
    """``CITATION.cff``: what a DOI registration asks for (creators, title, publisher, version, type)."""
    import yaml

    croissant = json.loads(corpus.paper("croissant.json"))
    maintainer = corpus.recipe.head.maintainer if corpus.recipe else ""
    author = maintainer or str((croissant.get("creator") or {}).get("name") or "NOT ANSWERED")
    data = {
        "cff-version": "1.2.0",
        "message": "If you use this corpus, cite it and the sources named in NOTICE.",
        "type": "dataset",
        "title": corpus.title,
        "version": corpus.version,
        "authors": [{"name": author}],
        "abstract": str(croissant.get("description") or corpus.title),
        "keywords": list(croissant.get("keywords") or []),
        **({"url": url} if url else {}),
        "identifiers": [{"type": "other", "value": f"sha256:{corpus.digest}", "description": "digest of corpus.lock"}],
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode()


def croissant(corpus: Corpus, url: str, items: Sequence[Item]) -> bytes:
    """The report's Croissant file with the address of the repository, and parts in place of files that were cut."""
    data = json.loads(corpus.paper("croissant.json"))
    if url and data.get("url") == UNKNOWN_URL:
        data["url"] = url
    cut: dict[str, list[Item]] = {}
    for item in items:
        if item.of:
            cut.setdefault(item.of, []).append(item)
    distribution: list[Mapping[str, Any]] = []
    for entry in data.get("distribution", []):
        held = cut.get(entry.get("contentUrl", ""))
        if not held:
            distribution.append(entry)
        for item in held or ():
            named = {"@id": item.path, "name": item.path, "contentUrl": item.path}
            distribution.append({**entry, **named, "contentSize": f"{item.size} B", "sha256": item.sha256})
    data["distribution"] = distribution
    return (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode()
