"""Errors a user can act on. Each says what failed, where, why, and what to do; the command maps it to an exit code."""

from __future__ import annotations

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_QUARANTINE, EXIT_LOCKED, EXIT_NO_SPACE = 0, 1, 2, 3, 4, 5

EXIT_INTERRUPTED = 130
"""Ctrl-C, by the shell's convention."""


class PilebuilderError(Exception):
    """Base of every error meant for a person: the message alone must be enough to act."""

    exit_code = EXIT_FAILED


class RecipeError(PilebuilderError):
    """A recipe, card or parameter that cannot be accepted; the message names file, line and the nearest known name."""

    exit_code = EXIT_USAGE


class TaskError(PilebuilderError):
    """A task that failed for good; the message names the task and its input."""


class ConservationError(PilebuilderError):
    """Documents in and documents accounted for differ: a defect in a stage, never tolerated."""


class WipeOutError(PilebuilderError):
    """A component lost more documents than its card or recipe expects."""


class LockedError(PilebuilderError):
    """Another live run holds the output folder."""

    exit_code = EXIT_LOCKED


class NoSpaceError(PilebuilderError):
    """The disk is full; nothing half-written is visible and the same command goes on later."""

    exit_code = EXIT_NO_SPACE


def nearest(name: str, known: object) -> str:
    """``" (did you mean 'x'?)"`` for the known name closest to `name`, or an empty string."""
    import difflib

    close = difflib.get_close_matches(name, [str(k) for k in known], n=1, cutoff=0.6)  # type: ignore[attr-defined]
    return f" (did you mean {close[0]!r}?)" if close else ""
