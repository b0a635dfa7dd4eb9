"""How fetchers, readers, steps, sketches, stages and reports are found: built-ins and plug-ins by the same door.

A part registers itself with a decorator and a name. A recipe adds parts by naming Python files under ``plugins:``; a
distribution adds them by an entry point in the group ``pilebuilder.plugins`` that names a module to import. Parts are
frozen dataclasses: their fields are the recipe's parameters, validated by type and by
``Annotated[..., pydantic.Field(ge=..., le=..., description=...)]``.

>>> @step("shout", version=1)
... @dataclass(frozen=True, slots=True, kw_only=True)
... class Shout:
...     loud: bool = True
>>> make("step", "shout", {"loud": False})
Shout(loud=False)
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

from pilebuilder.errors import RecipeError, nearest

KINDS = ("stage", "fetcher", "reader", "step", "sketch", "report", "section")

BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "stage": tuple(
        f"pilebuilder.{name}.stage"
        for name in ("fetch", "read", "clean", "filter", "dedup", "mix", "shard", "tokenize", "report")
    ),
    "fetcher": ("pilebuilder.fetch",),
    "reader": ("pilebuilder.read",),
    "step": ("pilebuilder.clean", "pilebuilder.filter"),
    "sketch": ("pilebuilder.dedup.sketch",),
    "report": ("pilebuilder.report.measures.ride",),
    "section": ("pilebuilder.train.config",),
}
"""Modules that register built-in parts, and packages whose `PARTS` say which of their modules registers which names: a
run imports those that its recipe names. None of them imports anything heavy at top level."""
GROUP = "pilebuilder.plugins"
FILE = "pilebuilder_plugin_"
"""Module names of plug-in files: this and the digest of the file."""


@dataclass(frozen=True, slots=True)
class Part:
    """One registered part: what a recipe may name."""

    kind: str
    name: str
    version: int
    factory: type[Any]

    @property
    def code(self) -> str:
        """Name and version as they enter a task key; raise the version when the output for equal input changes.

        A part from a recipe's own plug-in file needs no version: the digest of the file stands for it.
        """
        module = self.factory.__module__
        return f"{self.name}/{self.version}" + (f"+{module.removeprefix(FILE)}" if module.startswith(FILE) else "")

    @property
    def summary(self) -> str:
        """First line of the part's docstring."""
        return (self.factory.__doc__ or "").strip().split("\n")[0]


_PARTS: dict[tuple[str, str], Part] = {}
T = TypeVar("T")


def register(kind: str, name: str, version: int = 1) -> Callable[[type[T]], type[T]]:
    """Class decorator that makes a part known under `name`; the same name twice in one kind is an error."""
    assert kind in KINDS, kind

    def add(factory: type[T]) -> type[T]:
        held = _PARTS.get((kind, name))
        again = held and all(f.__module__.startswith(FILE) for f in (held.factory, factory))
        if (
            held
            and not again
            and (held.factory.__module__, held.factory.__qualname__) != (factory.__module__, factory.__qualname__)
        ):
            raise RecipeError(
                f"two parts claim the {kind} name {name!r}: {held.factory.__module__} and {factory.__module__};"
                " uninstall one of the two distributions"
            )
        _PARTS[kind, name] = Part(kind, name, version, factory)
        return factory

    return add


stage = functools.partial(register, "stage")
fetcher = functools.partial(register, "fetcher")
reader = functools.partial(register, "reader")
step = functools.partial(register, "step")
sketch = functools.partial(register, "sketch")
report = functools.partial(register, "report")
section = functools.partial(register, "section")
"""A pydantic model: a section of a recipe that no stage reads, for what is done with a finished corpus."""


@functools.cache
def _load(kind: str, name: str | None = None) -> None:
    """Import what registers the part of that name, or all parts of a kind; plug-ins always."""
    for place in BUILT_IN[kind]:
        for module, registered in getattr(importlib.import_module(place), "PARTS", {}).items():
            if name is None or name in registered:
                importlib.import_module(f"{place}.{module}")
    _load_plugins()


@functools.cache
def _load_plugins() -> None:
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            raise RecipeError(
                f"the plug-in {entry.name} ({entry.value}) does not load: {error!r};"
                " upgrade or uninstall its distribution"
            ) from error


def load_file(path: str) -> None:
    """Import a recipe's plug-in file, once per content; its parts replace those of an earlier version of the file."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise RecipeError(f"the plug-in {path} cannot be read ({error.strerror})") from error
    name = FILE + hashlib.sha256(content).hexdigest()[:12]
    if name in sys.modules:
        return
    module = types.ModuleType(name)
    module.__file__ = path
    sys.modules[name] = module
    try:
        exec(compile(content, path, "exec"), vars(module))  # noqa: S102 - the user's own code, named in their recipe
    except Exception as error:
        del sys.modules[name]
        raise RecipeError(f"the plug-in {path} does not load: {error!r}") from error


def names(kind: str) -> list[str]:
    """Names of all parts of a kind, sorted."""
    _load(kind)
    return sorted(name for k, name in _PARTS if k == kind)


def part(kind: str, name: str) -> Part:
    """The part of that kind and name; raises `RecipeError` with the nearest known name."""
    _load(kind, name)
    try:
        return _PARTS[kind, name]
    except KeyError:
        known = names(kind)
        raise RecipeError(f"no {kind} is named {name!r}{nearest(name, known)}; known: {', '.join(known)}") from None


@functools.cache
def _adapter(factory: type[Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(factory)


def make(kind: str, name: str, params: Mapping[str, Any] | None = None) -> Any:
    """Build a part from recipe parameters; a `RecipeError` for an unknown key or bad value says what is allowed."""
    from pydantic import ValidationError

    found, params = part(kind, name), dict(params or {})
    assert is_dataclass(found.factory), found
    known = [f.name for f in fields(found.factory)]
    for key in params:
        if key not in known:
            allowed = f"it takes {', '.join(known)}" if known else "it takes no parameters"
            raise RecipeError(f"{kind} {name!r} has no parameter {key!r}{nearest(key, known)}; {allowed}")
    try:
        return _adapter(found.factory).validate_python(params)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(x) for x in first["loc"])
        raise RecipeError(f"{kind} {name!r}, parameter {where!r}: {first['msg']}, got {first['input']!r}") from error


def resolved(kind: str, name: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """All parameters of a part, defaults included, as plain JSON values: what enters a task key."""
    return dict(_jsonable(asdict(make(kind, name, params))))


def _jsonable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return value


def schema(kind: str, name: str) -> dict[str, Any]:
    """JSON Schema of a part's parameters."""
    factory: Any = part(kind, name).factory
    return dict(_adapter(factory).json_schema())
