"""The clean stage and its steps: they edit text and count every byte that they remove."""

from pilebuilder.clean import stage

__all__ = ["stage"]
