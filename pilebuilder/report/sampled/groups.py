"""The terms by which the bias report finds sentences about groups of people, in the published presets.

Whole words, case folded. Gender uses two pronouns only, religion six nouns, race phrases such as "black man", because
"black" and "white" alone are mostly not about people (Gao et al. 2020, section 6.3; nouns after Elazar et al. 2024).
Singular "they" is not attempted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Preset = Literal["pile", "wimbd"]
Axes = Mapping[str, Mapping[str, tuple[str, ...]]]

PERSONS = ("person", "man", "woman", "boy", "girl", "child", "children", "people", "men", "women")
MORE_PERSONS = ("persons", "boys", "girls")


def _phrases(adjectives: tuple[str, ...], nouns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{adjective} {noun}" for adjective in adjectives for noun in nouns)


_RELIGION = {
    "Muslim": ("muslim", "muslims"),
    "Christian": ("christian", "christians"),
    "Atheist": ("atheist", "atheists"),
    "Buddhist": ("buddhist", "buddhists"),
    "Hindu": ("hindu", "hindus"),
    "Jew": ("jew", "jews"),
}
PRESETS: Mapping[str, Axes] = {
    "pile": {
        "gender": {"he": ("he",), "she": ("she",)},
        "religion": _RELIGION,
        "race": {
            "White": _phrases(("white",), PERSONS + MORE_PERSONS),
            "Black": _phrases(("black",), PERSONS + MORE_PERSONS),
            "Asian": _phrases(("asian",), PERSONS + MORE_PERSONS),
            "Hispanic": _phrases(("hispanic", "latino", "latina"), PERSONS + MORE_PERSONS),
        },
    },
    "wimbd": {
        "gender": {"he": ("he", "him", "his", "himself"), "she": ("she", "her", "hers", "herself")},
        "religion": _RELIGION,
        "race": {
            "White": _phrases(("white",), PERSONS),
            "Black": _phrases(("black",), PERSONS),
            "Asian": ("asian",),
            "Hispanic": ("hispanic", "latino"),
        },
    },
}


def flat(preset: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Axis, group and terms of every group, in a fixed order: the position is the group's bit."""
    return [(axis, group, terms) for axis, groups in PRESETS[preset].items() for group, terms in groups.items()]
