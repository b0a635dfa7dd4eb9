"""The filter stage and its steps: each drops documents, with a reason."""

from pilebuilder.filter import lang, stage

__all__ = ["lang", "stage"]
