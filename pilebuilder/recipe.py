"""The typed recipe: what to build from which components (`pilebuilder.card`).

It is YAML. Unknown keys and bad values are refused with file, line, the nearest known name and what is allowed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, RootModel, WithJsonSchema

from pilebuilder import registry, yamlfile
from pilebuilder.card import Card, Expect, Licence, Named, data_folder, load_card
from pilebuilder.digest import canonical
from pilebuilder.errors import RecipeError, nearest
from pilebuilder.units import Take, parse_size, parse_take
from pilebuilder.yamlfile import Strict

STAGES = ("fetch", "read", "clean", "filter", "dedup", "mix", "shard", "tokenize", "report")
CAN_BE_OFF = ("dedup", "tokenize", "report")
# What people may write where a number of bytes or an amount is meant, for editors that check by schema.
WRITTEN = WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string"}]})
Size = Annotated[int, BeforeValidator(parse_size), WRITTEN]


class Entry(Strict):
    """A component in a recipe: a card by name or path, or a card's own fields inline; what is set here wins."""

    card: str | None = Field(None, description="name of a card in sources/, or path of a card file")
    take: Annotated[Take | None, BeforeValidator(lambda v: v if v is None else parse_take(v)), WRITTEN] = Field(
        None, description="how much to fetch: 2 GB, 10_000 docs or 3 files"
    )
    accept_terms: bool = Field(False, description="accept the terms of an opt-in component, named on its card")
    name: str | None = None
    title: str | None = None
    description: str | None = None
    homepage: str | None = None
    fetch: Named | None = None
    read: Named | None = None
    licence: Licence | None = None
    languages: list[str] | None = None
    epochs: float | None = Field(None, gt=0, le=100)
    expect: Expect | None = None


class Limits(Strict):
    """When a finished build still exits with code 3."""

    share: float = Field(0.001, ge=0, le=1, description="largest share of a component's documents in quarantine")
    files: int = Field(10, ge=0, description="most raw files of a component in quarantine")


class Head(Strict):
    """What stands in a recipe beside its stages."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$", description="name of the corpus")
    title: str = ""
    description: str = ""
    version: str = "1.0"
    maintainer: str = ""
    seed: int = Field(0, ge=0, lt=1 << 63, description="decides selection, holdout and order")
    memory: Size = Field(
        1 << 30, ge=128 << 20, description="memory budget of one worker; sets partition and bucket sizes"
    )
    env: list[str] = Field(default_factory=list, description="environment variables that fetch parameters may name")
    plugins: list[str] = Field(
        default_factory=list, description="Python files with parts of your own, beside the recipe"
    )
    quarantine: Limits = Field(default_factory=Limits)
    executor: Literal["local", "ray"] = "local"
    components: list[Entry] = Field(min_length=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A component as this recipe builds it: its card with the recipe's changes applied."""

    name: str
    slug: str
    card: Card
    fetch: tuple[str, dict[str, Any]]
    read: tuple[str, dict[str, Any]]
    take: Take | None
    epochs: float
    accept_terms: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole recipe, resolved and validated."""

    path: Path
    head: Head
    components: tuple[Component, ...]
    stages: Mapping[str, Any] = field(default_factory=dict)
    """Each stage's validated `Config`; None when the recipe turns the stage off."""
    sections: Mapping[str, Any] = field(default_factory=dict)
    """What the recipe says about uses of the finished corpus, validated; not part of the digest."""
    plugins: tuple[str, ...] = ()
    """Absolute paths of the recipe's plug-in files."""
    digest: str = ""

    @property
    def name(self) -> str:
        return self.head.name

    @property
    def seed(self) -> int:
        return self.head.seed

    @property
    def memory(self) -> int:
        return self.head.memory

    @property
    def partition_bytes(self) -> int:
        """Text in one partition: a sixteenth of the worker's budget, at most 64 MiB."""
        return min(64 << 20, self.head.memory // 16)


def find_recipe(name: str) -> Path:
    """A recipe by path, or by the name of one that ships in pipelines/."""
    path = Path(name)
    if path.suffix in (".yaml", ".yml") or path.exists():
        if path.is_file():
            return path
        shipped = data_folder("pipelines") / path.name
        if path.parent == Path("pipelines") and shipped.is_file():
            return shipped
        raise RecipeError(f"{path}: no such recipe")
    known = sorted(p.stem for p in data_folder("pipelines").glob("*.yaml"))
    if name in known:
        return data_folder("pipelines") / f"{name}.yaml"
    raise RecipeError(
        f"no recipe is named {name!r}{nearest(name, known)}; shipped: {', '.join(known)}; or give a path"
    )


def load_recipe(path: Path) -> Recipe:
    """Read, resolve and validate a recipe. Parameters of parts are checked here, before anything runs."""
    return resolve_recipe(yamlfile.load(path))


def resolve_recipe(source: yamlfile.Source) -> Recipe:
    """As `load_recipe`, from a parsed file."""
    if not isinstance(source.data, dict):
        raise source.error((), "a recipe is a mapping that begins with `name:`")
    yamlfile.refuse_secrets(source.data, source)
    after = [name for name in registry.names("section") if name in source.data]
    head_data = {k: v for k, v in source.data.items() if k not in STAGES and k not in after}
    for key in head_data:
        if key not in Head.model_fields:
            known = [*Head.model_fields, *STAGES, *registry.names("section")]
            raise source.error(
                (key,), f"unknown key {key!r}{nearest(str(key), known)}; known here: {', '.join(known)}"
            )
    head: Head = yamlfile.validate(Head, source, (), head_data)
    plugins = tuple(str(source.path.parent.absolute() / name) for name in head.plugins)
    for index, name in enumerate(plugins):
        try:
            registry.load_file(name)
        except RecipeError as error:
            raise source.error(("plugins", index), str(error)) from None
    components = tuple(_component(entry, i, head, source) for i, entry in enumerate(head.components))
    _refuse_twins(components, source)
    stages = {}
    for name in STAGES:
        stages[name] = _stage(name, source)
    _refuse_strangers(components, stages, source)
    sections = {
        name: yamlfile.validate(registry.part("section", name).factory, source, (name,), source.data[name])
        for name in after
    }
    digest = hashlib.sha256(canonical(_content(head, components, stages)).encode()).hexdigest()
    return Recipe(
        path=source.path,
        head=head,
        components=components,
        stages=stages,
        sections=sections,
        plugins=plugins,
        digest=digest,
    )


def _stage(name: str, source: yamlfile.Source) -> Any:
    """A stage's section: its defaults when absent, off when null or false (for lists of steps: no steps)."""
    config = registry.part("stage", name).factory.Config
    if name not in source.data:
        return config()
    value = source.data[name]
    if value is None or value is False:
        if issubclass(config, RootModel):
            return config([])
        if name not in CAN_BE_OFF:
            raise source.error(
                (name,), f"the stage {name} cannot be turned off; leave its section out for the defaults"
            )
        return None
    if hasattr(config, "check_item") and isinstance(value, list):
        for index, item in enumerate(value):
            try:
                config.check_item(item)
            except (RecipeError, ValueError) as error:
                inner = next(iter(item)) if isinstance(item, dict) and item else ""
                raise source.error((name, index, inner), f"{name}: {error}") from None
    return yamlfile.validate(config, source, (name,), value)


def _refuse_strangers(components: tuple[Component, ...], stages: Mapping[str, Any], source: yamlfile.Source) -> None:
    """`only` and `except` must name components of this recipe."""
    known = {c.name for c in components}
    for name, config in stages.items():
        for stranger in sorted(config.components_named() - known) if hasattr(config, "components_named") else ():
            hint = f"{nearest(stranger, known)}; components: {', '.join(sorted(known))}"
            raise source.error((name,), f"{name}: no component is named {stranger!r}{hint}")


def _content(head: Head, components: tuple[Component, ...], stages: Mapping[str, Any]) -> Any:
    return [
        head.model_dump(mode="json", exclude={"components"}),
        [[c.name, c.fetch, c.read, c.epochs, c.card.model_dump(mode="json")] for c in components],
        {k: v.model_dump(mode="json") if v is not None else None for k, v in stages.items()},
    ]


def _component(entry: Entry, index: int, head: Head, source: yamlfile.Source) -> Component:
    loc: yamlfile.Loc = ("components", index)
    given = entry.model_dump(exclude_unset=True, exclude={"card", "take", "accept_terms"})
    try:
        base = load_card(entry.card, source.path.parent).model_dump(exclude_unset=True) if entry.card else {}
    except RecipeError as error:
        raise source.error((*loc, "card"), str(error)) from None
    for key in ("fetch", "read"):
        if key in given:
            base[key] = _override(base.get(key), given.pop(key))
    card: Card = yamlfile.validate(Card, source, loc, {**base, **given})
    fetch, read = _named(card.fetch), _named(card.read)
    fetch = (fetch[0], yamlfile.expand(fetch[1], head.env, source, (*loc, "fetch")))
    for kind, (name, params) in (("fetcher", fetch), ("reader", read)):
        try:
            registry.make(kind, name, params)
        except RecipeError as error:
            where = (*loc, "fetch" if kind == "fetcher" else "read", name)
            raise source.error(where, f"component {card.name!r}: {error}") from None
    if card.access == "opt_in" and not entry.accept_terms:
        whose = card.terms or card.licence.evidence or card.homepage or "see its card"
        raise source.error(
            loc, f"{card.name!r} is fetched only on your word: read its terms ({whose}) and set `accept_terms: true`"
        )
    return Component(
        name=card.name,
        slug="".join(c if c.isalnum() else "-" for c in card.name.lower()).strip("-"),
        card=card,
        fetch=fetch,
        read=read,
        take=entry.take,
        epochs=card.epochs,
        accept_terms=entry.accept_terms,
    )


def _override(base: Named | None, given: Named) -> Named:
    """The same part with more parameters adds to them; another part replaces it."""
    if base is None:
        return given
    (old, old_params), (new, new_params) = _named(base), _named(given)
    return {new: {**old_params, **new_params}} if old == new else given


def _named(value: Named) -> tuple[str, dict[str, Any]]:
    if isinstance(value, str):
        return value, {}
    if len(value) != 1:
        raise RecipeError(f"name one part with its parameters, got {sorted(value)}")
    ((name, params),) = value.items()
    return name, dict(params or {})


def _refuse_twins(components: tuple[Component, ...], source: yamlfile.Source) -> None:
    for attribute in ("name", "slug"):
        seen: dict[str, int] = {}
        for index, component in enumerate(components):
            value = getattr(component, attribute)
            if value in seen:
                message = f"two components are named {component.name!r}; give one of them another `name:`"
                raise source.error(("components", index), message)
            seen[value] = index


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe, for editors: the head, every stage's section, every step's parameters."""
    schema = Head.model_json_schema()
    schema["title"] = "pilebuilder recipe"
    definitions = schema.setdefault("$defs", {})
    for kind in ("fetcher", "reader"):
        definitions[kind] = _choice(kind)
    definitions["Entry"]["properties"] |= {k: {"$ref": f"#/$defs/{k}er"} for k in ("fetch", "read")}
    definitions["step"] = _choice("step", only=_NAMES, **{"except": _NAMES})
    for name in STAGES:
        section = registry.part("stage", name).factory.Config.model_json_schema()
        if hasattr(registry.part("stage", name).factory.Config, "check_item"):
            section = {
                "type": "array",
                "items": {"$ref": "#/$defs/step"},
                "description": section.get("description", ""),
            }
        definitions.update(section.pop("$defs", {}))
        schema["properties"][name] = {"anyOf": [section, {"type": "null"}, {"const": False}]}
    for name in registry.names("section"):
        section = registry.part("section", name).factory.model_json_schema()
        definitions.update(section.pop("$defs", {}))
        schema["properties"][name] = section
    return schema


_NAMES = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}


def _choice(kind: str, **more: Any) -> dict[str, Any]:
    """Schema of one part of a kind: its name, or its name with its own parameters."""
    choices: list[dict[str, Any]] = [{"enum": registry.names(kind)}]
    for name in registry.names(kind):
        params = registry.schema(kind, name)
        params.pop("$defs", None)
        params["properties"] = {**params.get("properties", {}), **more}
        params["additionalProperties"] = False
        params["description"] = registry.part(kind, name).summary
        choices.append(
            {
                "type": "object",
                "properties": {name: {"anyOf": [params, {"type": "null"}]}},
                "required": [name],
                "additionalProperties": False,
            }
        )
    return {"anyOf": choices}
