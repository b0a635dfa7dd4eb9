"""Weights of the mix: from what the recipe asks (epochs, shares, temperature, budget) to epochs per component.

Everything is arithmetic on the bytes of text that each component has left for training. No documents here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from pilebuilder.errors import RecipeError, nearest
from pilebuilder.units import show_bytes

By = Literal["epochs", "share", "temperature"]
Policy = Literal["refuse", "cap"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the recipe asks of the mix."""

    by: By
    weights: Mapping[str, float]
    """Epochs or shares by component, as `by` says; components that are not named keep what `epochs` has."""
    epochs: Mapping[str, float]
    """Epochs of every component as its card or recipe entry says."""
    temperature: float = 1.0
    budget: float | None = None
    """Training text wanted in all, in the unit of the amounts; None: what the epochs give, or the natural size."""
    show: Callable[[float], str] = show_bytes
    """Amounts in words, for messages."""
    max_epochs: float = 4.0
    policy: Policy = "refuse"


def check_names(weights: Mapping[str, float], known: list[str]) -> None:
    """Refuse a weight for a component that the recipe does not have."""
    for name in weights:
        if name not in known:
            raise RecipeError(f"mix.weights names {name!r}{nearest(name, known)}; components: {', '.join(known)}")


def shares(wish: Wish, amounts: Mapping[str, float]) -> dict[str, float]:
    """The share of the training text that each component with documents should have; they add to 1."""
    present = {name: amount for name, amount in amounts.items() if amount > 0}
    if wish.by == "share":
        raw = {name: wish.weights.get(name, 0.0) for name in present}
    elif wish.by == "temperature":
        # Devlin et al. 2018 (multilingual BERT), Xue et al. 2021 (mT5): share in proportion to size^(1/T).
        raw = {name: amount ** (1 / wish.temperature) for name, amount in present.items()}
    else:
        raw = {name: amount * wish.weights.get(name, wish.epochs[name]) for name, amount in present.items()}
    total = sum(raw.values())
    if not total:
        if not present:
            return {}
        raise RecipeError(
            "no component with a weight has a document left; see `pilebuilder status` for what removed them"
        )
    return {name: value / total for name, value in raw.items()}


def epochs(wish: Wish, amounts: Mapping[str, float]) -> dict[str, float]:
    """Epochs of each component. `amounts` is what each has for training, in bytes (or tokens, if the budget is).

    Raises `RecipeError` when a component would be repeated more than `max_epochs` times and the policy is to refuse;
    with the policy `cap` it stops there and its share of the mix is smaller than asked.
    """
    if wish.by == "epochs" and wish.budget is None:
        return {name: float(wish.weights.get(name, wish.epochs[name])) for name in amounts}
    part = shares(wish, amounts)
    _refuse_missing(wish, amounts)
    total = wish.budget if wish.budget is not None else sum(amounts.values())
    wanted = {name: part.get(name, 0.0) * total / amounts[name] if amounts[name] else 0.0 for name in amounts}
    over = {name: e for name, e in wanted.items() if e > wish.max_epochs * (1 + 1e-9)}
    if over and wish.policy == "refuse":
        raise RecipeError(_too_small(wish, over, part, total, amounts))
    return {name: min(e, wish.max_epochs) for name, e in wanted.items()}


def _refuse_missing(wish: Wish, amounts: Mapping[str, float]) -> None:
    """A component with a target share and no document at all cannot be met by any number of epochs."""
    empty = [n for n, w in wish.weights.items() if wish.by == "share" and w > 0 and not amounts.get(n)]
    if empty and wish.policy == "refuse":
        raise RecipeError(
            f"mix.weights asks for a share of {', '.join(map(repr, empty))}, which has no documents left for training;"
            " lower its weight to 0, fetch more of it, or set `policy: cap`"
        )


def _too_small(
    wish: Wish, over: Mapping[str, float], part: Mapping[str, float], total: float, amounts: Mapping[str, float]
) -> str:
    name = max(over, key=lambda n: (over[n], n))
    more = f" (and {len(over) - 1} more)" if len(over) > 1 else ""
    return (
        f"the mix cannot be met: {name!r}{more} has {wish.show(amounts[name])} for training, and"
        f" {part[name]:.2%} of {wish.show(total)} would take {over[name]:.2f} epochs, more than"
        f" `max_epochs: {wish.max_epochs:g}`. Raise max_epochs, lower its weight or the budget, fetch more of it,"
        " or set `policy: cap` to accept a smaller share"
    )
