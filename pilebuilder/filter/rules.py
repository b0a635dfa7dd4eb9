"""What all rule steps share: each rule may drop documents or only leave its measure as a signal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from pilebuilder.document import Docs, Rule

if TYPE_CHECKING:
    import numpy as np

Unspaced = Annotated[
    Literal["exempt", "apply"],
    Field(
        description="rules that count words leave alone ('exempt', with a note in the ledger) or judge ('apply')"
        " documents mostly in scripts without spaces between words, such as Chinese, Japanese, Thai"
    ),
]
UNSPACED_SHARE = 0.3
"""Share of letters in scripts without spaces from which a count of words says nothing about a document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleStep:
    """Base of filter steps made of rules: write `rules`; drop or signal, order and audit come with it.

    `measures` says for each parameter that is a rule's threshold what the rule measures; `source` is where the rules
    and their defaults come from. The reason of a drop is ``<step>.<parameter>``, and so is the name of its signal.
    """

    name: ClassVar[str]
    source: ClassVar[str] = ""
    fixed_rules: ClassVar[dict[str, str]] = {}
    """Rules without a threshold -> what they look for."""

    action: Annotated[
        Literal["drop", "signal"],
        Field(description="'signal': drop nothing, leave what each rule measures as columns signal.<step>.<rule>"),
    ] = "drop"
    signal: Annotated[
        tuple[str, ...], Field(description="rules that only signal, while the others drop (names without the step's)")
    ] = ()

    def __post_init__(self) -> None:
        known = rule_names(type(self))
        for rule in self.signal:
            if rule not in known:
                from pilebuilder.errors import nearest

                raise ValueError(f"{self.name} has no rule {rule!r}{nearest(rule, known)}; it has {', '.join(known)}")

    def rules(self, docs: Docs) -> list[Rule]:
        """All rules with their verdict on each document; none is skipped because another one failed."""
        raise NotImplementedError

    def __call__(self, docs: Docs) -> Docs:
        found = self.rules(docs)
        for rule in found:
            if not self.drops(rule):
                docs = docs.signal(rule.reason, rule.value if rule.value is not None else rule.failed)
        return docs.reject([rule for rule in found if self.drops(rule)])

    def drops(self, rule: Rule) -> bool:
        """Whether this rule drops, rather than only signals."""
        return self.action == "drop" and rule.reason.removeprefix(f"{self.name}.") not in self.signal


def rule_names(step: type[RuleStep]) -> list[str]:
    """The rules of a step class in order: its parameters with a lower or upper limit, and its fixed rules."""
    from dataclasses import fields

    return [*step.fixed_rules, *(f.name for f in fields(step) if f.name.startswith(("min_", "max_")))]


class Verdicts:
    """Collects the rules of a step for a table of documents.

    `exempt`, if given, marks documents that rules named with ``words=True`` do not judge.
    """

    def __init__(self, step: RuleStep, exempt: np.ndarray | None = None) -> None:
        self.step, self.exempt = step, exempt
        self.found: list[Rule] = []

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.found)

    def low(self, rule: str, values: Any, *, words: bool = False) -> None:
        """Documents with a value below the parameter `rule` fail; None turns the rule off."""
        limit = getattr(self.step, rule)
        if limit is not None:
            self.add(rule, values < limit, values, limit, words=words)

    def high(self, rule: str, values: Any, *, words: bool = False) -> None:
        """Documents with a value above the parameter `rule` fail; None turns the rule off."""
        limit = getattr(self.step, rule)
        if limit is not None:
            self.add(rule, values > limit, values, limit, words=words)

    def add(
        self, rule: str, failed: Any, values: Any = None, limit: float | None = None, *, words: bool = False
    ) -> None:
        """Documents where `failed` is true fail."""
        if words and self.exempt is not None:
            failed = failed & ~self.exempt
        self.found.append(Rule(reason=f"{self.step.name}.{rule}", failed=failed, value=values, threshold=limit))


def unspaced(docs: Docs, step: RuleStep, how: str) -> np.ndarray | None:
    """Documents that word rules leave alone (bool per document), each noted in the ledger; None if there are none."""
    import numpy as np

    if how == "apply":
        return None
    exempt = docs.stats().unspaced_fraction > UNSPACED_SHARE
    rows = np.flatnonzero(exempt)
    if not len(rows):
        return None
    docs.record(rows, "noted", f"{step.name}.unspaced", docs.stats().unspaced_fraction, UNSPACED_SHARE)
    return np.asarray(exempt)
