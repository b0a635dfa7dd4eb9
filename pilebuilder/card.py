"""The card: where a component comes from and on what terms, in YAML that a lawyer can read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from pilebuilder import yamlfile
from pilebuilder.errors import RecipeError, nearest
from pilebuilder.yamlfile import Strict

Named = dict[str, dict[str, Any] | None] | str
"""A part by name alone (``jsonl``), or with parameters (``{jsonl: {text: body}}``)."""


class Licence(Strict):
    """Licence of a component as a lawyer wants it."""

    spdx: str | None = Field(None, description="SPDX expression, when there is one")
    text: str | None = Field(None, description="in words, when SPDX has no name for it or it varies by document")
    evidence: str | None = Field(None, description="address where the terms can be read")


class Consent(Strict):
    """The Pile's three grades (Gao et al. 2020, table 5)."""

    public: bool = Field(True, description="publicly available")
    terms: bool | None = Field(None, description="compliant with the terms of service")
    author: bool | None = Field(None, description="covered by the authors' consent (an open licence or own release)")


class PileFigures(Strict):
    """What the Pile paper reports for the component (table 1)."""

    raw_gib: float
    weight_percent: float
    epochs: float
    effective_gib: float
    mean_kib: float
    documents: int
    bytes: int


class Expect(Strict):
    """What is normal for this component; more stops the build (the wipe-out guard)."""

    max_loss: float = Field(0.98, ge=0, le=1, description="largest share of documents that one stage may remove")


class Card(Strict):
    """Declares one component: upstream, terms, how to fetch and read it. Readable by a lawyer."""

    name: str = Field(min_length=1, max_length=80, pattern=r"^[\w][\w .()+&'-]*$", description="exact name in shards")
    title: str = ""
    description: str = ""
    homepage: str | None = None
    upstream: list[str] = Field(default_factory=list, description="addresses the data comes from, for the reader")
    fetch: Named = Field(description="which fetcher, with its parameters")
    read: Named = Field(description="which reader, with its parameters")
    licence: Licence = Field(default_factory=Licence)
    access: Literal["open", "opt_in", "local_only"] = "open"
    terms: str | None = Field(None, description="whose terms `accept_terms` accepts, for opt-in components")
    consent: Consent = Field(default_factory=Consent)
    citation: str | None = None
    languages: list[str] = Field(default_factory=list)
    epochs: float = Field(1.0, gt=0, le=100, description="passes over the component in one epoch of the corpus")
    pile: PileFigures | None = None
    expect: Expect = Field(default_factory=Expect)
    personal_data: str | None = Field(None, description="what personal data to expect, in words")


def data_folder(name: str) -> Path:
    """``sources``, ``pipelines`` or ``reports``: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent
    checkout = package.parent
    found = checkout / name if (checkout / "pyproject.toml").exists() else package / "_data" / name
    if not found.is_dir():
        raise RecipeError(f"the folder {name}/ is missing from this installation ({found}); install pilebuilder again")
    return found


def load_card(name: str, beside: Path | None = None) -> Card:
    """A card by path, or by file name in sources/, or by the component's own name."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        path = path if path.is_absolute() or beside is None else beside / path
    else:
        path = _card_file(name)
    source = yamlfile.load(path)
    yamlfile.refuse_secrets(source.data, source)
    return yamlfile.validate(Card, source, (), source.data)  # type: ignore[no-any-return]


def card_files() -> dict[str, Path]:
    """All cards in sources/, by file stem."""
    return {p.stem: p for p in sorted(data_folder("sources").glob("*.yaml"))}


def _card_file(name: str) -> Path:
    files = card_files()
    if name in files:
        return files[name]
    for path in files.values():
        if yamlfile.load(path).data.get("name") == name:
            return path
    raise RecipeError(f"no card is named {name!r}{nearest(name, files)}; shipped: {', '.join(files)}")
