"""The filter stage and its steps: each drops documents, with a reason."""

from pilebuilder.filter import c4, fineweb, gopher, lang, length, stage, toxicity

__all__ = ["c4", "fineweb", "gopher", "lang", "length", "stage", "toxicity"]
