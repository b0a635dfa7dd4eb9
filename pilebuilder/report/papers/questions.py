"""The 59 questions of the datasheet (after Gebru et al., Datasheets for Datasets), in our wording, and who may answer.

Fill: "A" automatic from the build; "B" evidence from the build and a sentence that a person must confirm; "C" a person
must answer; "cfg" from the recipe, else a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Fill = Literal["A", "B", "C", "cfg"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question."""

    number: int
    part: str
    text: str
    fill: Fill
    evidence: str = ""
    """Name of the method of `datasheet.Answers` that gathers what the build knows."""
    by_source: bool = False
    """Whether the Pile's profile answers it for each component."""


_ROWS: tuple[tuple[str, str, Fill, str, bool], ...] = (
    ("Motivation", "For what purpose was the corpus made, for which task, to fill which gap?", "C", "", False),
    ("Motivation", "Who made it, and on whose behalf?", "cfg", "maintainer", False),
    ("Motivation", "Who paid for it?", "C", "", False),
    ("Motivation", "Anything else about the motivation?", "C", "", False),
    ("Composition", "What is an instance, and of which types?", "A", "instance", True),
    ("Composition", "How many instances are there, by type?", "A", "number", False),
    (
        "Composition",
        "Is it complete or a sample of a larger set, and is the sample representative?",
        "B",
        "sample",
        True,
    ),
    ("Composition", "What does each instance hold?", "A", "fields", False),
    ("Composition", "Is there a label or target?", "A", "label", False),
    ("Composition", "Is information missing from instances?", "A", "missing", False),
    ("Composition", "Are relations between instances made explicit?", "B", "relations", False),
    ("Composition", "Are there recommended splits, and why these?", "A", "splits", False),
    ("Composition", "Are there errors, noise or redundancies?", "A", "errors", False),
    ("Composition", "Is it self-contained, or does it rest on external resources?", "A", "contained", False),
    ("Composition", "Does it hold confidential material?", "B", "confidential", True),
    ("Composition", "Does it hold what might offend, threaten or distress?", "B", "offensive", False),
    ("Composition", "Does it relate to people?", "B", "people", False),
    ("Composition", "Does it identify subpopulations?", "B", "subpopulations", False),
    ("Composition", "Can individuals be identified?", "B", "identifiable", False),
    (
        "Composition",
        "Does it hold sensitive matters (health, belief, origin, finances, ...)?",
        "B",
        "sensitive",
        False,
    ),
    ("Composition", "Anything else about the composition?", "C", "", False),
    ("Collection", "How was the data of each instance acquired and validated?", "A", "acquired", True),
    ("Collection", "Which mechanisms collected it, and how were they validated?", "A", "mechanisms", False),
    ("Collection", "If it is a sample, by which strategy?", "A", "strategy", True),
    ("Collection", "Who took part in the collection, and how were they paid?", "C", "", False),
    ("Collection", "Over which time was it collected, and from which time are the texts?", "A", "timeframe", True),
    ("Collection", "Was there an ethical review?", "C", "", False),
    ("Collection", "Does the collection relate to people?", "B", "people", False),
    ("Collection", "Was it obtained from individuals directly, or through others?", "B", "acquired", True),
    ("Collection", "Were the individuals told?", "C", "", False),
    ("Collection", "Did the individuals consent?", "B", "consent", True),
    ("Collection", "If they did, can they revoke it?", "B", "revocation", False),
    ("Collection", "Was the impact on the people concerned analysed?", "C", "", False),
    ("Collection", "Anything else about the collection?", "C", "", False),
    ("Preprocessing", "Was the data preprocessed, cleaned or labelled?", "A", "preprocessing", False),
    ("Preprocessing", "Was the raw data kept?", "A", "raw", False),
    ("Preprocessing", "Is the software available?", "A", "software", False),
    ("Preprocessing", "Anything else about preprocessing?", "C", "", False),
    ("Uses", "Has it been used for tasks already?", "C", "", False),
    ("Uses", "Is there a list of papers or systems that use it?", "C", "", False),
    ("Uses", "For which other tasks could it be used?", "cfg", "", False),
    ("Uses", "Does its composition or preparation limit future uses?", "B", "limits", False),
    ("Uses", "For which tasks should it not be used?", "C", "", False),
    ("Uses", "Anything else about uses?", "C", "", False),
    ("Distribution", "Will third parties receive it?", "cfg", "repository", False),
    ("Distribution", "How will it be distributed, and is there a DOI?", "A", "distribution", False),
    ("Distribution", "When will it be distributed?", "A", "when", False),
    ("Distribution", "Under which licence or terms?", "B", "licence", False),
    ("Distribution", "Do third parties hold rights in the data?", "B", "rights", True),
    ("Distribution", "Do export controls or other rules apply?", "C", "", False),
    ("Distribution", "Anything else about distribution?", "C", "", False),
    ("Maintenance", "Who supports, hosts and maintains it?", "cfg", "maintainer", False),
    ("Maintenance", "How can they be reached?", "cfg", "", False),
    ("Maintenance", "Is there an erratum?", "A", "erratum", False),
    ("Maintenance", "Will it be updated?", "cfg", "", False),
    ("Maintenance", "Are there limits on how long data about people is kept?", "C", "", False),
    ("Maintenance", "Will older versions stay available?", "A", "versions", False),
    ("Maintenance", "Can others extend it or contribute?", "cfg", "", False),
    ("Maintenance", "Anything else about maintenance?", "C", "", False),
)
QUESTIONS = tuple(Question(i, *row) for i, row in enumerate(_ROWS, 1))
