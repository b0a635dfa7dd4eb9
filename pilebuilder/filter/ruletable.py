"""The rules of all filter steps and the parameters of all steps as Markdown, generated from the registry."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, get_args, get_origin, get_type_hints

from pilebuilder import registry
from pilebuilder.filter.rules import RuleStep

HEAD = """# The rules

Every heuristic rule that a recipe can name, with its default, what it measures and where it comes from. A rule drops a
document for the reason `<step>.<rule>`, or only leaves its measure as a signal (`action: signal` for the step,
`signal: [rule]` for one rule). `off` rules drop nothing until they get a limit.

Made from the code by `pilebuilder rules --parameters > pipelines/RULES.md`; a test holds the two equal.
"""


def document(parameters: bool = False) -> str:
    """The whole page: all rules and, if asked for, all parameters of all steps."""
    parts = [HEAD, rule_table()]
    if parameters:
        parts += ["# All steps and their parameters", "", parameter_table()]
    return "\n".join(parts).rstrip() + "\n"


def rule_table() -> str:
    """One table per filter step made of rules: rule, default, what it measures; with where the rules come from."""
    parts = []
    for name in registry.names("step"):
        step = registry.part("step", name).factory
        if not issubclass(step, RuleStep):
            continue
        parts += [f"## {name}", "", _summary(step), "", f"Source: {step.source}.", ""]
        parts += ["| rule | dropped if | measure |", "|---|---|---|"]
        parts += [f"| `{name}.{rule}` | so | {_cell(what)} |" for rule, what in step.fixed_rules.items()]
        for rule, default, what in _parameters(step):
            if rule.startswith(("min_", "max_")):
                sign = "<" if rule.startswith("min_") else ">"
                limit = default if default == "off" else f"{sign} {default.strip('`')}"
                parts.append(f"| `{name}.{rule}` | {limit} | {_cell(what)} |")
        parts.append("")
    return "\n".join(parts)


def parameter_table() -> str:
    """One table per step: all its parameters with default and description."""
    parts = []
    for name in registry.names("step"):
        step = registry.part("step", name).factory
        parts += [f"## {name}", "", _summary(step), ""]
        found = list(_parameters(step))
        if found:
            parts += ["| parameter | default | meaning |", "|---|---|---|"]
            parts += [f"| `{parameter}` | {default} | {_cell(what)} |" for parameter, default, what in found]
        parts.append("")
    return "\n".join(parts)


def _parameters(step: type[Any]) -> list[tuple[str, str, str]]:
    """Name, default and description of each parameter, in order."""
    hints = get_type_hints(step, include_extras=True)
    found = []
    for parameter in fields(step):
        default = parameter.default
        if default is MISSING:
            default = parameter.default_factory() if parameter.default_factory is not MISSING else "required"
        found.append((parameter.name, _value(default), _description(hints[parameter.name])))
    return found


def _description(hint: Any) -> str:
    """The description of an annotated parameter; of nested annotations the outer one."""
    for note in reversed(getattr(hint, "__metadata__", ())):
        if getattr(note, "description", None):
            return str(note.description)
    if get_origin(hint) is None:
        return ""
    return next((text for inner in get_args(hint) if (text := _description(inner))), "")


def _value(value: Any) -> str:
    if value is None:
        return "off"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | dict):
        shown = ", ".join(map(str, value))
        return _cell(f"`{shown}`" if len(shown) < 80 else f"`{shown[:77]}...`") if value else "none"
    return _cell(f"`{value}`")


def _summary(step: type[Any]) -> str:
    return (step.__doc__ or "").strip().split("\n")[0]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
