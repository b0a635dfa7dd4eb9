"""Where the command begins: what its workers load, and what it loads itself, load side by side.

Each takes most of a second. So the process that makes workers is started before the command line is even imported,
from a glance at the arguments; `pilebuilder.command.run` asks for it again when they are understood, and finds it
running. A wrong guess costs nothing but the glance.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence

from pilebuilder import executors

VERBS = ("build", "fetch", "read", "clean", "filter", "dedup", "mix", "shard", "tokenize", "report")
VALUED = (
    "--out", "-o", "--workers", "-w", "--executor", "--address", "--store", "--text",
    "--component", "--corpus", "--lexicon",
)  # fmt: skip
"""Options of these verbs that are followed by a value."""


def main() -> None:
    """Entry point of the command."""
    gc.set_threshold(*executors.COLLECTION)
    with contextlib.suppress(Exception):
        _foresee(sys.argv[1:])
    from pilebuilder.cli import main as run

    run()


def _foresee(arguments: Sequence[str]) -> None:
    """Start the fork server if something will be built on this machine into a folder that holds no finished build."""
    if not arguments or arguments[0] not in VERBS:
        return
    inputs, options = _split(arguments[1:])
    out = options.get("--out", options.get("-o"))
    if not inputs or out is None or "--help" in options:
        return
    if options.get("--executor", "local") != "local" or os.path.exists(os.path.join(out, "corpus.lock")):
        return
    if "--store" in options:  # workers learn of it by a variable, which is set when the arguments are understood
        return
    executors.get_ready("local")


def _split(arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Arguments that stand alone, and options with their values."""
    inputs, options = [], {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            inputs.append(argument)
            continue
        name, _, value = argument.partition("=")
        options[name] = value or (next(rest, "") if name in VALUED else "")
    return inputs, options
