"""Training: a GPT on the corpus that was just built, and bits per UTF-8 byte of each component.

Importing this package loads neither torch nor numpy; each function loads what it needs when it is called. Install the
extra with ``pip install 'pilebuilder[train]'``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.train.config import TrainConfig as TrainConfig

if TYPE_CHECKING:
    from pilebuilder.train.loop import Outcome
    from pilebuilder.train.planning import Plan
    from pilebuilder.train.scoring import Score
    from pilebuilder.train.shards import Traced

Progress = Callable[[Mapping[str, Any]], None]
"""Called with each record of the logbook as it is written."""


def run(corpus: Path, out: Path, config: TrainConfig, *, progress: Progress | None = None) -> Outcome:
    """Train on the ``train`` tokens of a built corpus; goes on from the newest whole checkpoint in `out`."""
    need_torch()
    from pilebuilder.train.loop import train

    return train(corpus, out, config, progress=progress)


def evaluate(
    corpus: Path, out: Path, *, split: str = "val", stride: int | None = None, tokens: int | None = None
) -> list[Score]:
    """Bits per UTF-8 byte of the newest checkpoint in `out`, per component and overall (the last row).

    `stride` (tokens) below the sequence length scores with overlapping context; `tokens` limits each component.
    """
    need_torch()
    from pilebuilder.train.scoring import evaluate_run

    return evaluate_run(corpus, out, split=split, stride=stride, tokens=tokens)


def plan(corpus: Path, config: TrainConfig) -> Plan:
    """What the run would take: parameters, FLOPs, memory, hours. Needs no torch."""
    from pilebuilder.train.planning import make_plan

    return make_plan(corpus, config)


def trace(corpus: Path, config: TrainConfig, batch: int) -> list[Traced]:
    """The documents of a batch, in the order of its rows; step s takes batch s unless the run jumped over some
    (`batch_of`). Needs no torch."""
    from pilebuilder.train.loader import trace_batch

    return trace_batch(corpus, config, batch)


def batch_of(out: Path, step: int) -> int:
    """The batch that a step of a run takes: those that the guard jumped over do not count."""
    from pilebuilder.train import logbook

    for row in reversed(logbook.read(out / logbook.NAME)):
        if row.get("event") in ("rollback", "start", "resume"):
            for first, last in row.get("jumps", ()):
                step += (last - first + 1) if step >= first else 0
            break
    return step


def corpus_of(out: Path) -> Path:
    """The corpus that a run last trained on, as its logbook says."""
    from pilebuilder.errors import PilebuilderError
    from pilebuilder.train import logbook

    path = out / "logbook.jsonl"
    rows = logbook.read(path) if path.is_file() else []
    found = [row["corpus"] for row in rows if row.get("event") in ("start", "resume") and "corpus" in row]
    if not found:
        raise PilebuilderError(f"{out} is not the folder of a training run")
    return Path(found[-1])


def need_torch() -> None:
    """Say how to install what training needs, where it is missing."""
    from importlib.util import find_spec

    from pilebuilder.errors import PilebuilderError

    missing = [name for name in ("torch", "safetensors") if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        raise PilebuilderError(f"training needs {names}; install with: pip install 'pilebuilder[train]'")
