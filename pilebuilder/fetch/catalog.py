"""The catalogue of sources: every card as a table, one card for a lawyer, and whether its upstream answers now."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pilebuilder import registry, yamlfile
from pilebuilder.card import Card, card_files, load_card
from pilebuilder.errors import RecipeError
from pilebuilder.fetch.base import FetchError, Item
from pilebuilder.fetch.fetcher import Fetcher
from pilebuilder.fetch.http import Http
from pilebuilder.fetch.select import MEAN_DOCUMENT_BYTES, select, want
from pilebuilder.recipe import Entry
from pilebuilder.units import Take, parse_take, show_bytes

ACCESS = {"open": "open", "opt_in": "opt-in", "local_only": "local only"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the catalogue."""

    file: str
    card: Card

    @property
    def fetcher(self) -> str:
        return _named(self.card.fetch)[0]

    @property
    def licence(self) -> str:
        return self.card.licence.spdx or (self.card.licence.text or "not stated").partition(";")[0].partition(":")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What `sources check` (and `plan`) finds out about one component before anything is fetched."""

    name: str
    file: str
    access: str
    answers: bool | None
    """Whether the upstream answered; None when it was not asked."""
    items: int = 0
    bytes: int = 0
    missing: tuple[str, ...] = ()
    """What the user must provide first, each with its remedy."""
    problem: str = ""
    """Why the upstream's listing could not be had."""
    asked: bool = False
    """Whether the listing was made."""

    @property
    def ready(self) -> bool:
        return not self.missing and not self.problem

    def line(self) -> str:
        """One line for a terminal."""
        if self.problem:
            return f"{self.name}: {self.problem}"
        if self.missing:
            return f"{self.name}: needs {'; '.join(self.missing)}"
        if not self.asked:
            return f"{self.name}: nothing is missing; its upstream was not asked"
        where = "answers" if self.answers else "on this machine"
        return f"{self.name}: {where}; would fetch {self.items:,} items, {show_bytes(self.bytes)}"


def rows(names: Iterable[str] = ()) -> list[Row]:
    """Cards in sources/: the Pile's components by weight, then the others by name; or those named."""
    chosen = list(names)
    found = [Row(file=stem, card=load_card(str(path))) for stem, path in card_files().items()]
    if chosen:
        by_name = {key: row for row in found for key in (row.file, row.card.name.lower())}
        # A name that no shipped card bears is the path of one's own, or refused with the nearest name.
        return [by_name.get(n) or by_name.get(n.lower()) or Row(file=Path(n).stem, card=load_card(n)) for n in chosen]
    return sorted(found, key=lambda r: (-(r.card.pile.weight_percent if r.card.pile else 0), r.file))


def table(found: Iterable[Row]) -> str:
    """The catalogue as aligned text."""
    head = ("card", "component", "access", "GiB", "weight %", "epochs", "licence")
    lines = [head]
    for row in found:
        pile = row.card.pile
        figures = (f"{pile.raw_gib:.2f}", f"{pile.weight_percent:.2f}", f"{pile.epochs:g}") if pile else ("", "", "")
        lines.append((row.file, row.card.name, ACCESS[row.card.access], *figures, row.licence[:44]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line: tuple[str, ...], widths: list[int]) -> str:
    numbers = (3, 4, 5)
    cells = zip(line, widths, strict=True)
    return "  ".join(c.rjust(w) if i in numbers else c.ljust(w) for i, (c, w) in enumerate(cells)).rstrip()


def show(name: str) -> str:
    """A whole card as text that a lawyer can read without knowing YAML."""
    (row,) = rows([name])
    card = row.card
    said = {True: "yes", False: "no", None: "not stated"}
    fetcher, params = _named(card.fetch)
    reader, options = _named(card.read)
    graded = " (compliant, as graded in the Pile paper, table 5)" if card.pile else ""
    lines = [
        f"{card.name}: {card.title}",
        "",
        *textwrap.wrap(card.description, 100),
        "",
        f"Card            {row.file}.yaml",
        f"Homepage        {card.homepage or 'none'}",
        *_several("Upstream", card.upstream),
        *_several("Access", [f"{ACCESS[card.access]}{_access_note(card)}"]),
        *_several("Licence", [t for t in (card.licence.spdx, card.licence.text) if t] or ["not stated"]),
        f"Evidence        {card.licence.evidence or 'none'}",
        f"Public          {said[card.consent.public]}",
        f"Terms of use    {said[card.consent.terms]}{graded}",
        f"Authors         {said[card.consent.author]}{' (consent, as graded there)' if card.pile else ''}",
        *_several("Personal data", [card.personal_data or "not stated"]),
        *_several("Citation", [card.citation or "none"]),
        f"Languages       {', '.join(card.languages) or 'not stated'}",
        *_several("Fetched by", [fetcher, *_params(params)]),
        *_several("Read by", [reader, *_params(options)]),
    ]
    needed = account_of(fetcher, params)
    if needed:
        from pilebuilder.fetch.credentials import PLACES

        lines.append(
            f"Credential      {PLACES[needed].variable} in the environment; sent to {PLACES[needed].host} only"
        )
    if card.pile:
        p = card.pile
        lines += [
            f"In the Pile     {p.raw_gib:.2f} GiB raw, {p.weight_percent:.2f} % of the mixture, {p.epochs:g} epochs",
            f"                {p.documents:,} documents, {p.bytes:,} bytes, mean {p.mean_kib:.2f} KiB",
        ]
    return "\n".join(lines)


def check(
    names: Iterable[str] = (),
    *,
    take: str = "50 MB",
    seed: int = 0,
    accept: bool = False,
    policy: Mapping[str, Any] | None = None,
) -> Iterator[Finding]:
    """Ask each card's upstream what it offers. Opt-in upstreams are asked only with `accept`. Nothing is fetched."""
    for row in rows(names):
        yield examine(row.card, row.file, parse_take(take), seed, accept=accept, policy=policy)


def preview(
    recipe: Path, *, seed: int = 0, policy: Mapping[str, Any] | None = None, ask: bool = True
) -> Iterator[Finding]:
    """As `check`, for the components of a recipe with its own changes, before anything moves.

    Unlike loading the recipe, this does not stop at the first term that is not accepted: it lists them all. With
    ``ask=False`` no upstream is asked.
    """
    source = yamlfile.load(recipe)
    entries = (source.data or {}).get("components") or []
    for index, data in enumerate(entries):
        entry: Entry = yamlfile.validate(Entry, source, ("components", index), data)
        given = entry.model_dump(exclude_unset=True, exclude={"card", "take", "accept_terms"})
        base = load_card(entry.card, recipe.parent).model_dump(exclude_unset=True) if entry.card else {}
        for key in ("fetch", "read"):
            if key in given and key in base:
                given[key] = _merged(base[key], given[key])
        card: Card = yamlfile.validate(Card, source, ("components", index), {**base, **given})
        yield examine(card, entry.card or "", entry.take, seed, accept=entry.accept_terms, policy=policy, ask=ask)


def examine(
    card: Card,
    file: str,
    take: Take | None,
    seed: int,
    *,
    accept: bool,
    policy: Mapping[str, Any] | None = None,
    ask: bool = True,
) -> Finding:
    """One card: what is missing, whether its upstream answers, what would be fetched."""
    kind, params = _named(card.fetch)
    try:
        fetcher: Fetcher = registry.make("fetcher", kind, params)
    except RecipeError as error:
        return Finding(name=card.name, file=file, access=card.access, answers=None, problem=str(error))
    missing = list(_missing(card, kind, params, accept))
    finding = Finding(name=card.name, file=file, access=card.access, answers=None, missing=tuple(missing))
    if missing or (fetcher.network and not ask):
        return finding
    from pilebuilder.fetch.web import Web

    size = int(card.pile.mean_kib * 1024) if card.pile else MEAN_DOCUMENT_BYTES
    try:
        with Web.open(policy) as web:
            items = select(fetcher.discover(web, want(take, seed, size)), take, seed, card.name, fetcher, size)
            if fetcher.network and items:
                _probe(web, fetcher, items[0])
    except FetchError as error:
        return replace(finding, answers=False if fetcher.network else None, problem=str(error))
    total = sum(item.size or 0 for item in items)
    return replace(finding, asked=True, answers=True if fetcher.network else None, items=len(items), bytes=total)


def account_of(fetcher: str, params: Mapping[str, Any]) -> str | None:
    """Name of the credential that a fetch with these parameters needs."""
    if params.get("account"):
        return str(params["account"])
    return "github" if fetcher == "github" else None


def _missing(card: Card, fetcher: str, params: Mapping[str, Any], accept: bool) -> Iterator[str]:
    from pilebuilder.fetch.credentials import PLACES, is_set

    if card.access == "opt_in" and not accept:
        whose = card.terms or card.licence.evidence or card.homepage or "see its card"
        yield f"your word (`accept_terms: true`) on the terms of {whose}"
    needed = account_of(fetcher, params)
    if needed and not is_set(needed):
        yield f"the key {PLACES[needed].variable} in the environment (from {PLACES[needed].apply})"
    if fetcher == "s3" and params.get("anonymous") is False:
        yield from _aws()
    if fetcher == "local" and not str(params.get("path", "")).startswith("python:"):
        if not params.get("acknowledge_rights", True):
            yield "your word (`acknowledge_rights: true`) that you may use these files"
        folder = Path(str(params.get("path", ""))).expanduser()
        if not folder.exists():
            yield f"a folder of your own (`path`; {folder} does not exist)"
    if fetcher == "openwebtext" and not params.get("dumps"):
        yield "a folder with Reddit submission dumps (`dumps`), fetched with a torrent client"
    if fetcher == "youtube-captions" and not params.get("ids") and not params.get("ids_file"):
        yield "ids of videos (`ids` or `ids_file`)"


def _aws() -> Iterator[str]:
    from pilebuilder.fetch.s3 import signer

    try:
        signer("us-east-1", True)
    except FetchError as error:
        yield f"an AWS account ({error.detail}; {error.remedy})"


def _probe(web: Any, fetcher: Fetcher, item: Item) -> None:
    """Ask for one byte of a file at a fixed address, where listing alone opened no connection."""
    from pilebuilder.fetch.failures import of_status
    from pilebuilder.fetch.harvests import OaiRecords

    if not isinstance(fetcher, Http | OaiRecords):
        return
    secret = fetcher._secret() if isinstance(fetcher, Http) else None
    url = f"{fetcher.url}?verb=Identify" if isinstance(fetcher, OaiRecords) else item.address

    def attempt() -> None:
        with web.send("GET", url, {"Range": "bytes=0-0"}, secret=secret) as (response, final):
            if response.status not in (200, 206):
                raise of_status(response, final, web.clock.now(), web.policy)

    web.persist(url, attempt)


def _named(value: Any) -> tuple[str, dict[str, Any]]:
    if isinstance(value, str):
        return value, {}
    ((name, params),) = value.items()
    return str(name), dict(params or {})


def _merged(base: Any, given: Any) -> Any:
    (old, old_params), (new, new_params) = _named(base), _named(given)
    return {new: {**old_params, **new_params}} if old == new else given


def _several(label: str, values: list[str]) -> list[str]:
    lines = [line for value in values for line in textwrap.wrap(value, 100, break_on_hyphens=False) or [""]]
    return [f"{label if i == 0 else '':<16}{line}" for i, line in enumerate(lines)] or [f"{label:<16}none"]


def _params(params: Mapping[str, Any], inside: str = "") -> list[str]:
    """Parameters as lines, nested ones with the names of what they stand in."""
    lines = []
    for key, value in params.items():
        if isinstance(value, Mapping):
            lines += _params(value, f"{inside}{key}.")
        elif value not in ("", None, []):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else value
            lines.append(f"  {inside}{key}: {shown}")
    return lines


def _access_note(card: Card) -> str:
    if card.access == "opt_in":
        return f": fetched only on your word, on the terms of {card.terms or card.licence.evidence}"
    return ": nothing is ever fetched from a network" if card.access == "local_only" else ""
