"""YAML with line numbers: every complaint about a recipe or card names file, line and the nearest known name."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from pilebuilder.errors import RecipeError, nearest

Loc = tuple[str | int, ...]
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECRET_KEY = re.compile(r"(^|_)(token|secret|password|passwd|api_?key|access_?key|credential)s?$", re.IGNORECASE)
_COUNTED = re.compile(r"(batch_|micro_|evaluate_)?tokens")
"""Keys of a train section that count tokens."""
_SECRET_VALUE = re.compile(
    r"\b(hf_[A-Za-z0-9]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|sk-[A-Za-z0-9_-]{20,})\b"
)


class Strict(BaseModel):
    """Base of every section: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed YAML file: its plain value, and the line on which each key or item stands."""

    path: Path
    data: Any
    lines: Mapping[Loc, int]

    def line(self, loc: Loc) -> int:
        """Line of the closest enclosing node that is in the file (pydantic adds members of unions to locations)."""
        while loc and loc not in self.lines:
            loc = loc[:-1]
        return self.lines.get(loc, 1)

    def error(self, loc: Loc, message: str) -> RecipeError:
        return RecipeError(f"{self.path}:{self.line(loc)}: {message}")


class _Loader(yaml.SafeLoader):
    """Safe YAML whose dates stay text: what stands in a recipe must have one form in keys and in the lock."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def load(path: Path) -> Source:
    """Parse a YAML file; raises `RecipeError` with the line when it is missing, not YAML, or repeats a key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RecipeError(f"{path}: cannot be read ({reason})") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Source:
    """As `load`, from text; `path` is what messages name."""
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Loc, int] = {}
        if node is not None:
            _walk(node, (), lines, path)
        data = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise RecipeError(f"{path}:{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from error
    return Source(path, data, lines)


def _walk(node: yaml.Node, loc: Loc, lines: dict[Loc, int], path: Path) -> None:
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*loc, key.value)
            if inner in lines:
                raise RecipeError(f"{path}:{key.start_mark.line + 1}: {key.value!r} stands twice; keep one")
            lines[inner] = key.start_mark.line + 1
            _walk(value, inner, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _walk(value, (*loc, index), lines, path)


def validate(model: type[BaseModel], source: Source, loc: Loc, data: Any) -> Any:
    """Build `model` from part of a file; unknown keys and bad values are a `RecipeError` with line and remedy."""
    if data is None:
        data = {}
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise explain(error, model, source, loc) from None


def explain(error: ValidationError, model: type[BaseModel], source: Source, loc: Loc) -> RecipeError:
    """The first problem in words: what stands there, what is allowed."""
    first = error.errors()[0]
    inner = (*loc, *(x for x in first["loc"] if isinstance(x, str | int)))
    name = ".".join(str(x) for x in inner) or "the file"
    if first["type"] == "extra_forbidden":
        known = known_keys(model, first["loc"][:-1])
        key = str(first["loc"][-1])
        return source.error(inner, f"unknown key {key!r}{nearest(key, known)}; known here: {', '.join(sorted(known))}")
    message = first["msg"].removeprefix("Value error, ")
    got = "" if first["type"] == "missing" else f", got {_short(first['input'])}"
    return source.error(inner, f"{name}: {message}{got}")


def known_keys(model: type[BaseModel], path: Sequence[str | int]) -> list[str]:
    """Keys that the (nested) model at `path` accepts."""
    import typing

    found: Any = model
    for step in path:
        fields = getattr(found, "model_fields", None)
        if fields is None or step not in fields:
            continue
        stack = [fields[step].annotation]
        while stack:
            kind = stack.pop()
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                found = kind
                break
            stack.extend(typing.get_args(kind))
    return [f.alias or n for n, f in getattr(found, "model_fields", {}).items()]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def expand(value: Any, declared: Iterable[str], source: Source, loc: Loc) -> Any:
    """Replace ``${NAME}`` in strings by the environment, for names that the recipe's ``env:`` declares."""
    if isinstance(value, dict):
        return {k: expand(v, declared, source, (*loc, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [expand(v, declared, source, (*loc, i)) for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in declared:
            raise source.error(
                loc, f"${{{name}}} is used but not declared; add it to the recipe's list `env: [{name}]`"
            )
        if name not in os.environ:
            raise source.error(loc, f"the environment has no {name}; set it, for example `export {name}=...`")
        return os.environ[name]

    return _VARIABLE.sub(replace, value)


def refuse_secrets(value: Any, source: Source, loc: Loc = ()) -> None:
    """A recipe is published with the corpus: refuse anything in it that is, or is named like, a credential."""
    if isinstance(value, dict):
        for key, inner in value.items():
            named = _SECRET_KEY.search(str(key)) and not _COUNTED.fullmatch(str(key))
            if named and isinstance(inner, str) and inner and not _VARIABLE.fullmatch(inner):
                message = (
                    f"{key!r} looks like a credential; secrets never stand in a recipe: set it in the environment"
                )
                raise source.error((*loc, key), message)
            refuse_secrets(inner, source, (*loc, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            refuse_secrets(inner, source, (*loc, index))
    elif isinstance(value, str) and _SECRET_VALUE.search(value):
        raise source.error(
            loc, "this value looks like a token; secrets never stand in a recipe: set it in the environment"
        )
