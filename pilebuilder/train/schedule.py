"""Learning rates: pure functions of the step, so that a resumed run needs no state for them."""

from __future__ import annotations

import math

from pilebuilder.train.config import Optimizer


def learning_rate(optimizer: Optimizer, step: int, steps: int) -> float:
    """Rate of update `step` (from 0) of `steps`.

    Both schedules rise linearly over the warm-up; its first step is above zero. ``wsd`` stays, then falls as one minus
    the square root of the way through the decay (Hägele et al. 2024); ``cosine`` falls from the end of the warm-up.
    """
    warmup = round(optimizer.warmup * steps)
    if step < warmup:
        return optimizer.lr * (step + 1) / warmup
    if optimizer.schedule == "wsd":
        length = min(round(optimizer.decay * steps), steps - warmup)
        share = 1 - math.sqrt(_progress(step - (steps - length), length))
    else:
        share = 0.5 * (1 + math.cos(math.pi * _progress(step - warmup, steps - warmup)))
    return optimizer.lr * (optimizer.floor + (1 - optimizer.floor) * share)


def _progress(done: int, length: int) -> float:
    """0 before a phase, 1 at the last step of it."""
    return min(1.0, max(0.0, (done + 1) / length)) if length else 0.0
