"""The clean stage: steps that edit text, each with the bytes that it removed per reason."""

from pilebuilder.clean import characters, lines, marks, pii, stage, whitespace

__all__ = ["characters", "lines", "marks", "pii", "stage", "whitespace"]
