"""What plain files imply: the recipe of ``pilebuilder dedup data/*.jsonl.zst -o out/``, and the card of a new source.

The recipe is written to ``out/recipe.yaml`` and then built like any other, so the run can be repeated, resumed, edited
and verified. Stages other than the one asked for do nothing; what is left is written as shards under ``out/train/``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

from pilebuilder import yamlfile
from pilebuilder.atomic import write_atomic
from pilebuilder.card import Card, load_card
from pilebuilder.errors import RecipeError
from pilebuilder.recipe import Recipe, resolve_recipe

READERS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".parquet": "parquet",
    ".warc": "warc",
    ".wet": "warc",
    ".arc": "warc",
    ".txt": "text",
    ".md": "markdown",
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".epub": "epub",
    ".csv": "csv",
}
KEYED = ("jsonl", "parquet", "csv")
COMPRESSED = {".gz", ".zst", ".bz2", ".xz"}
# Where a stage's result becomes files a person can use.
REACHES = {"fetch": "fetch", "read": "shard", "clean": "shard", "filter": "shard", "dedup": "shard"}


def implied_recipe(inputs: list[str], out: Path | None, stage: str, text: str | None = None) -> tuple[Recipe, str]:
    """The recipe for one stage on files that keep their text under `text`, and the stage that the run must reach."""
    if stage == "build":
        raise RecipeError(
            "build takes one recipe; to run one stage on files name the stage, e.g. `pilebuilder dedup FILES`"
        )
    if out is None:
        raise RecipeError(f"say where the result goes: pilebuilder {stage} FILES --out FOLDER")
    paths = [Path(name) for name in inputs]
    for path in paths:
        if not path.exists():
            raise RecipeError(f"{path}: no such file or folder")
    recipe = yaml.safe_dump(_recipe(paths, stage, out.name, text), sort_keys=False, allow_unicode=True)
    header = f"# Written by `pilebuilder {stage}` for these files; edit it and build it like any recipe.\n"
    path = out / "recipe.yaml"
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (header + recipe).encode())
    return resolve_recipe(yamlfile.load(path)), REACHES.get(stage, stage)


def write_card(name: str, place: str, out: Path, reader: str, licence: str, evidence: str) -> Card:
    """Write the card of a source: a file, a folder or a web address; what a person must still say is left as a note.

    Raises `RecipeError` when the card exists, when the place does not, or when no reader goes by the extension.
    """
    if out.exists():
        raise RecipeError(f"{out} exists; edit it, or give another --out")
    remote = place.startswith(("https://", "http://"))
    if not remote and not Path(place).exists():
        raise RecipeError(f"{place}: no such file or folder")
    terms = {"spdx": licence or None, "evidence": evidence or None}
    card = {
        "name": name,
        "description": "",
        "upstream": [place] if remote else [],
        "fetch": {"http": {"url": place}} if remote else {"local": {"path": str(Path(place).absolute())}},
        "read": reader or _reader(Path(place.partition("?")[0] if remote else place)),
        "licence": {k: v for k, v in terms.items() if v} or {"text": "unknown"},
        "languages": [],
    }
    notes = (
        "# Say what the text is (description), on what terms (licence: an SPDX name or a text, and where to read it),"
        "\n# in which languages, and which personal data to expect (personal_data). `pilebuilder sources"
        "\n# show` prints it; a recipe names it as `- card: FILE`. `read:` may carry parameters of the reader.\n"
    )
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True)
    write_atomic(out, (notes + text).encode())
    return load_card(str(out.absolute()))


def _recipe(paths: list[Path], stage: str, name: str, text: str | None) -> dict[str, Any]:
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(_reader(path), []).append(path.absolute())
    components = [
        {
            "name": "data" if len(groups) == 1 else f"data {reader}",
            "fetch": {"local": _place(files)},
            "read": _reads(reader, text),
            "expect": {"max_loss": 1.0},
        }
        for reader, files in sorted(groups.items())
    ]
    safe = "".join(c if c.isalnum() or c in "._-" else "-" for c in name).strip("._-") or "data"
    recipe: dict[str, Any] = {"name": safe, "components": components}
    for other in ("clean", "filter"):
        if other != stage:
            recipe[other] = []
    if stage != "dedup":
        recipe["dedup"] = None
    if stage != "mix":
        recipe["mix"] = {"val": 0, "test": 0}
    if stage not in ("tokenize", "report"):
        recipe["tokenize"] = None
    return recipe


def _reader(path: Path) -> str:
    """Reader by file extension; a folder counts as its first file of a known kind."""
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.is_file():
                return _reader(inner)
        raise RecipeError(f"{path}: an empty folder")
    suffixes = [s for s in path.suffixes if s not in COMPRESSED]
    if suffixes and suffixes[-1] in READERS:
        return READERS[suffixes[-1]]
    raise RecipeError(f"{path}: no reader goes by this extension; write a recipe that names one (`read:`)")


def _reads(reader: str, text: str | None) -> str | dict[str, Any]:
    if text is None:
        return reader
    if reader not in KEYED:
        raise RecipeError(f"--text {text}: the reader {reader} takes its text from the whole file, not from a key")
    return {reader: {"text": [text] if reader == "csv" else text}}


def _place(files: list[Path]) -> dict[str, Any]:
    """Parameters of the local fetcher: the common folder, and the files' names within it."""
    if len(files) == 1:
        return {"path": str(files[0])}
    root = Path(os.path.commonpath([f.parent for f in files]))
    names = [f.relative_to(root).as_posix() for f in files]
    return {"path": str(root), "include": [_literal(n) + ("/**" if (root / n).is_dir() else "") for n in names]}


def _literal(name: str) -> str:
    """A file name as a glob that matches itself only."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
