"""The filter stage and its steps: each drops documents, with a reason."""

from pilebuilder.filter import c4, decontaminate, fineweb, gopher, lang, length, optout, quality, stage, toxicity

__all__ = ["c4", "decontaminate", "fineweb", "gopher", "lang", "length", "optout", "quality", "stage", "toxicity"]
