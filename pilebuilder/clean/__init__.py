"""The clean stage: steps that edit text, each with the bytes that it removed per reason."""

from pilebuilder.clean import characters, pii, stage, whitespace

__all__ = ["characters", "pii", "stage", "whitespace"]
