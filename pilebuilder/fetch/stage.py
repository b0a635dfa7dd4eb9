"""The fetch stage: the only place where the world enters a build. From here on everything is keyed by content.

First each component is listed. A volatile listing (a local folder) is made in every run, in the planning process; any
other is a task, so that what was chosen is recorded and the same recipe fetches the same items again without asking.
Then batches of items are tasks: each leaves an inventory, and the raw files that it created.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from pilebuilder import registry
from pilebuilder.errors import RecipeError
from pilebuilder.fetch.base import FetchError, Item, LeftOut, safe_name
from pilebuilder.fetch.fetcher import Fetcher
from pilebuilder.fetch.policy import Policy
from pilebuilder.fetch.select import MEAN_DOCUMENT_BYTES, select, want
from pilebuilder.recipe import Size
from pilebuilder.task import Phases, Task, batches
from pilebuilder.units import Take
from pilebuilder.yamlfile import Strict

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web
    from pilebuilder.recipe import Component
    from pilebuilder.task import Manifest, View, Workspace

CODE = "2"
BATCH_BYTES = 64 << 20
BATCH_ITEMS = 1000
LISTING = "(listing)"


class Config(Strict):
    """How the recipe fetches. What each component fetches stands on its card."""

    contact: str = Field(
        "", max_length=200, description="mail or web address for the User-Agent; default: `maintainer`"
    )
    signals: Literal["respect", "record", "ignore"] = Field(
        "respect", description="what robots.txt, TDM reservations and noai signals do to crawled items"
    )
    refresh: str = Field(
        "", max_length=80, description="any label, such as a date; another label lists upstreams anew"
    )
    tries: int = Field(8, ge=1, le=20, description="most attempts at one file that bring less than 1 MiB")
    max_file: Size = Field(1 << 40, ge=1, description="largest file to fetch")
    mirrors: dict[str, str] = Field(default_factory=dict, description="host name: address to ask instead")
    allow_http: list[str] = Field(default_factory=list, description="hosts that may be asked without encryption")


def _inventory() -> Any:
    from pilebuilder.fetch import inventory

    return inventory


def open_web(policy: dict[str, Any]) -> Web:
    """Access to the network under a policy; opens nothing yet."""
    from pilebuilder.fetch.web import Web

    return Web.open(policy)


@registry.stage("fetch", version=1)
class Fetch:
    """List what each component's upstream offers, take what the recipe asks for, and bring it here."""

    Config: ClassVar[type[Config]] = Config

    def run(self, view: View) -> Phases:
        attempts = Attempts(view.scratch("fetch") / "attempts.json")
        config: Config = view.config("fetch")
        policy = _policy(config, view.recipe.head.maintainer)
        listed = [c for c in view.components if not _fetcher(c).volatile]
        tasks = [attempts.next(_listing_task(c, view.recipe.seed, config, policy)) for c in listed]
        manifests = yield tasks
        attempts.note(tasks, manifests)
        listings = {c.name: m for c, m in zip(listed, manifests, strict=True)}
        tasks = []
        for component in view.components:
            manifest = listings.get(component.name)
            items = _recorded(view, manifest) if manifest else _listed_now(component, view.recipe.seed, policy)
            tasks += [attempts.next(t) for t in _fetch_tasks(component, items, policy)]
        attempts.note(tasks, (yield tasks))


def _fetcher(component: Component) -> Fetcher:
    return registry.make("fetcher", *component.fetch)  # type: ignore[no-any-return]


def _policy(config: Config, maintainer: str) -> dict[str, Any]:
    """What decides how the network is asked, as task parameters: only what differs from the defaults."""
    given = {**config.model_dump(mode="json"), "contact": config.contact or maintainer}
    usual = {**dataclasses.asdict(Policy()), "allow_http": []}
    return {k: v for k, v in given.items() if v != usual[k]}


def _document_bytes(component: Component) -> int:
    pile = component.card.pile
    return int(pile.mean_kib * 1024) if pile else MEAN_DOCUMENT_BYTES


def _code(component: Component) -> str:
    return f"fetch/{CODE} {registry.part('fetcher', component.fetch[0]).code}"


def _listing_task(component: Component, seed: int, config: Config, policy: dict[str, Any]) -> Task:
    name, params = component.fetch
    take = component.take
    return Task(
        stage="fetch",
        name=f"{component.name}/listing",
        function=f"{__name__}:list_items",
        code=_code(component),
        component=component.name,
        params={
            "fetcher": name,
            "params": registry.resolved("fetcher", name, params),
            "take": [take.amount, take.unit] if take else None,
            "document_bytes": _document_bytes(component),
            "seed": seed,
            "refresh": config.refresh,
            "policy": policy,
        },
    )


def list_items(task: Task, work: Workspace) -> None:
    """Task: ask the upstream what it offers and record what the recipe takes of it."""
    fetcher: Fetcher = registry.make("fetcher", task.params["fetcher"], task.params["params"])
    amount = task.params["take"]
    take = Take(*amount) if amount else None
    seed, size = task.params["seed"], task.params["document_bytes"]
    items: list[Item] = []
    with open_web(task.params["policy"]) as web:
        try:
            offered = _checked(fetcher.discover(web, want(take, seed, size)))
            items = select(offered, take, seed, task.component, fetcher, size)
            if not items and not (take and take.amount == 0):
                raise FetchError("empty_listing", "the upstream's listing holds no item that fits the card")
        except FetchError as error:
            items = []
            _quarantine(task, work, LISTING, error)
    path = work.output("listing.parquet", "listing", component=task.component)
    _inventory().write_listing(items, path)
    work.output("listing.parquet", "listing", files=len(items), bytes=sum(i.size or 0 for i in items))


def _checked(items: Iterator[Item]) -> Iterator[Item]:
    """Items with safe and unique names; a listing that breaks this is refused as a whole."""
    seen: set[str] = set()
    for item in items:
        safe_name(item.name)
        if item.name in seen:
            raise FetchError("bad_listing", f"the listing names {item.name!r} twice")
        seen.add(item.name)
        yield item


def _recorded(view: View, manifest: Manifest) -> list[Item]:
    return [i for a in manifest.of("listing") for i in _inventory().read_listing(view.open(a))]


def _listed_now(component: Component, seed: int, policy: dict[str, Any]) -> list[Item]:
    """The listing of a volatile fetcher. What is missing here is the user's to mend, so it stops the run."""
    fetcher = _fetcher(component)
    size = _document_bytes(component)
    try:
        with open_web(policy) as web:
            offered = _checked(fetcher.discover(web, want(component.take, seed, size)))
            return select(offered, component.take, seed, component.name, fetcher, size)
    except FetchError as error:
        raise RecipeError(f"component {component.name!r}: {error}") from None


def _fetch_tasks(component: Component, items: list[Item], policy: dict[str, Any]) -> list[Task]:
    name, params = component.fetch
    limit = int(getattr(_fetcher(component), "batch_bytes", BATCH_BYTES))
    floor = limit // BATCH_ITEMS
    groups = batches(items, limit, lambda item: max(item.size or 0, floor))
    return [
        Task(
            stage="fetch",
            name=f"{component.name}/{index:05}",
            function=f"{__name__}:fetch_items",
            code=_code(component),
            component=component.name,
            params={
                "fetcher": name,
                "params": registry.resolved("fetcher", name, params),
                "items": [_inventory().as_params(item) for item in group],
                "policy": policy,
            },
        )
        for index, group in enumerate(groups)
    ]


def fetch_items(task: Task, work: Workspace) -> None:
    """Task: bring a batch of items; those that cannot be had become quarantine rows and the others go on."""
    fetcher: Fetcher = registry.make("fetcher", task.params["fetcher"], task.params["params"])
    rows: list[dict[str, Any]] = []
    with open_web(task.params["policy"]) as web:
        for item in map(_inventory().item_of, task.params["items"]):
            try:
                rows.append(_bring(fetcher, item, task, work, web))
            except LeftOut as error:
                _leave_out(task, work, item.name, error)
                continue
            except FetchError as error:
                _quarantine(task, work, item.name, error)
                continue
            count = work.tally.of(task.component)
            count.seen += 1
            count.kept += 1
            count.bytes_in += rows[-1]["bytes"]
            count.bytes_out += rows[-1]["bytes"]
    path = work.output("inventory.parquet", "inventory", component=task.component)
    _inventory().write_inventory(rows, path)
    work.output("inventory.parquet", "inventory", files=len(rows), bytes=sum(r["bytes"] for r in rows))
    _inventory().write_provenance(rows, task.component, work.output("provenance.parquet", "provenance"))


def _bring(fetcher: Fetcher, item: Item, task: Task, work: Workspace, web: Web) -> dict[str, Any]:
    """Fetch one item and describe it as an inventory row."""
    from pilebuilder.task import canonical

    name = f"raw/{safe_name(item.name)}"
    target = work.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        got = fetcher.fetch(item, target, web)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    if got.owned:
        if got.path != target:
            shutil.move(got.path, target)
        work.output(name, "raw", component=task.component)
    # What begins with _ is between listing and fetcher.
    known = {k: v for k, v in item.extra.items() if not k.startswith("_")}
    facts = dict(got.facts)
    licence = facts.pop("licence", None) or item.licence
    extra = {**known, **facts}
    return {
        "name": item.name,
        # where the commit will put the file: see `pilebuilder.build.store.Store.folder`
        "path": f"work/fetch/{task.key[:32]}/{name}" if got.owned else str(got.path),
        "sha256": got.sha256,
        "bytes": got.bytes,
        "url": item.address if item.address.startswith(("http://", "https://", "s3://")) else None,
        "licence": licence,
        "date": item.date,
        "extra": canonical(extra) if extra else None,
    }


def _leave_out(task: Task, work: Workspace, name: str, error: LeftOut) -> None:
    count = work.tally.of(task.component)
    count.seen += 1
    count.dropped[error.reason] += 1
    step = task.params["fetcher"]
    row = {"action": "dropped", "reason": error.reason, "file": name, "detail": error.detail}
    work.journal.add(component=task.component, step=step, **row)


def _quarantine(task: Task, work: Workspace, name: str, error: FetchError) -> None:
    count = work.tally.of(task.component)
    count.seen += 1
    count.quarantined[error.reason] += 1
    work.journal.add(
        component=task.component,
        step=task.params["fetcher"],
        action="quarantined",
        reason=error.reason,
        file=name,
        detail=f"{error.detail}" + (f"; {error.remedy}" if error.remedy else ""),
    )
    if not error.lasting:
        work.facts["retry"] = work.facts.get("retry", 0) + 1


class Attempts:
    """Which tasks left items that may succeed later: the next run gives them another key, and so tries again.

    What a task fetched is then found in the shared store, so only the missing items move. Losing the file costs one
    run in which nothing is tried again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.counts: dict[str, int] = json.loads(path.read_text())
        except (OSError, ValueError):
            self.counts = {}

    def next(self, task: Task) -> Task:
        """The task as this run should try it."""
        from dataclasses import replace

        attempt = self.counts.get(task.key, 0)
        return replace(task, params={**task.params, "attempt": attempt}) if attempt else task

    def note(self, tasks: list[Task], manifests: list[Manifest]) -> None:
        """Remember, for the next run, which tasks have items left to try."""
        from dataclasses import replace

        changed = False
        for task, manifest in zip(tasks, manifests, strict=True):
            if manifest.facts.get("retry"):
                plain = replace(task, params={k: v for k, v in task.params.items() if k != "attempt"})
                self.counts[plain.key] = int(task.params.get("attempt", 0)) + 1
                changed = True
        if changed:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self.counts, sort_keys=True))
            temporary.replace(self.path)
