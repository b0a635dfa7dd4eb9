"""Arithmetic of the weights."""

from __future__ import annotations

import pytest

from pilebuilder.errors import RecipeError
from pilebuilder.mix.weights import Wish, check_names, epochs, shares

AMOUNTS = {"web": 8_000_000, "books": 1_000_000, "code": 1_000_000}
CARDS = {"web": 1.0, "books": 2.0, "code": 1.5}


def wish(**fields: object) -> Wish:
    return Wish(**{"by": "epochs", "weights": {}, "epochs": CARDS, **fields})  # type: ignore[arg-type]


def test_epochs_are_the_cards_unless_the_recipe_says_otherwise() -> None:
    assert epochs(wish(weights={"code": 0.25}), AMOUNTS) == {"web": 1.0, "books": 2.0, "code": 0.25}


def test_the_pile_weights_follow_from_raw_size_and_epochs() -> None:
    """Weights of the Pile's table 1 (three rows) come out of size and epochs."""
    raw = {"Pile-CC": 227.12, "PubMed Central": 90.27, "Books3": 100.96, "rest": 1254.20 - 227.12 - 180.55 - 151.44}
    cards = {"Pile-CC": 1.0, "PubMed Central": 2.0, "Books3": 1.5, "rest": 1.0}
    found = shares(wish(epochs=cards), raw)
    told = {"Pile-CC": 0.1811, "PubMed Central": 0.1440, "Books3": 0.1207}
    assert {n: found[n] for n in told} == pytest.approx(told, abs=1.1e-4)


def test_shares_keep_the_natural_size_and_meet_the_target() -> None:
    found = epochs(wish(by="share", weights={"web": 6, "books": 2, "code": 2}), AMOUNTS)
    placed = {n: AMOUNTS[n] * e for n, e in found.items()}
    assert sum(placed.values()) == pytest.approx(10_000_000)
    assert placed["books"] == pytest.approx(2_000_000)
    assert placed["web"] == pytest.approx(6_000_000)


def test_temperature_evens_out() -> None:
    natural = shares(wish(by="temperature", temperature=1.0), AMOUNTS)
    assert natural == pytest.approx({"web": 0.8, "books": 0.1, "code": 0.1})
    warm = shares(wish(by="temperature", temperature=3.0), AMOUNTS)
    assert warm["web"] == pytest.approx(0.5)
    assert warm["books"] == pytest.approx(0.25)


def test_a_budget_scales_everything_alike() -> None:
    found = epochs(wish(budget=5_750_000), AMOUNTS)  # the cards give 11.5 MB
    assert found == pytest.approx({"web": 0.5, "books": 1.0, "code": 0.75})


def test_a_weight_that_cannot_be_met_is_refused_with_the_epochs_it_takes() -> None:
    with pytest.raises(RecipeError, match=r"'books'.*976\.6 KiB.*50\.00%.*5\.00 epochs.*max_epochs: 4"):
        epochs(wish(by="share", weights={"books": 1, "web": 1}), AMOUNTS)


def test_or_capped() -> None:
    found = epochs(wish(by="share", weights={"books": 1, "web": 1}, policy="cap"), AMOUNTS)
    assert found == {"books": 4.0, "web": 0.625, "code": 0.0}


def test_a_share_of_nothing_is_refused() -> None:
    amounts = {**AMOUNTS, "code": 0}
    with pytest.raises(RecipeError, match="share of 'code', which has no documents"):
        epochs(wish(by="share", weights={"web": 1, "code": 1}), amounts)
    assert epochs(wish(by="share", weights={"web": 1, "code": 1}, policy="cap"), amounts)["code"] == 0


def test_unknown_component_names_the_nearest() -> None:
    with pytest.raises(RecipeError, match="did you mean 'books'"):
        check_names({"boks": 1.0}, list(AMOUNTS))
