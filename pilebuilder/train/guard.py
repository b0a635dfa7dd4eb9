"""Skips bad steps on the device without waiting for it, and tells when skipping is not enough.

A step is skipped when its loss or gradient norm is not finite, or lies more than `sigma` standard deviations above the
mean of the last `window` accepted steps. The second rule starts when the window is full: early losses fall fast. When
skips come close together, or the mean loss has risen, `Watch` names the steps to jump over (PaLM restarted before a
spike and skipped 200 to 500 batches); the loop goes back to a checkpoint before them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pilebuilder.train.config import Guard as Settings


class Guard:
    """Rings of the last accepted losses and gradient norms."""

    def __init__(self, settings: Settings, device: torch.device) -> None:
        self.settings = settings
        self.state = {
            "ring": torch.zeros(2, settings.window, dtype=torch.float64, device=device),
            "accepted": torch.zeros((), dtype=torch.int64, device=device),
        }

    @torch.no_grad()
    def judge(self, loss: Tensor, norm: Tensor) -> Tensor:
        """1 to take the step, 0 to skip it (fp32, on the device); accepted values enter the rings."""
        ring, accepted = self.state["ring"], self.state["accepted"]
        values = torch.stack((loss.double(), norm.double()))
        spread = ring.std(1).clamp(min=1e-12)
        high = ((values - ring.mean(1)) > self.settings.sigma * spread).any() & (accepted >= self.settings.window)
        keep = values.isfinite().all() & ~high
        slot = (torch.arange(self.settings.window, device=ring.device) == accepted % self.settings.window) & keep
        ring.copy_(torch.where(slot, values[:, None], ring))
        accepted.add_(keep)
        return keep.float()


class Watch:
    """The last `span` steps as the host sees them, some steps late; each is judged in turn: late changes nothing."""

    def __init__(self, settings: Settings, saved: dict[str, Any] | None = None) -> None:
        self.settings = settings
        saved = saved or {"skipped": [], "losses": [], "lowest": None}
        self.skipped: list[int] = list(saved["skipped"])
        self.losses: list[float] = list(saved["losses"])
        self.lowest: float | None = saved["lowest"]

    def as_json(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"skipped": self.skipped, "losses": self.losses, "lowest": self.lowest}

    def see(self, step: int, loss: float, keep: bool) -> tuple[int, str] | None:
        """Take the next step; when patience ends, the first step to jump over (this one is the last) and why."""
        span, limit = self.settings.span, self.settings.skips
        self.skipped = [s for s in self.skipped if s > step - span] + ([] if keep else [step])
        if len(self.skipped) >= limit:
            return self.skipped[0], f"{len(self.skipped)} of the last {span} steps were skipped"
        if not keep:
            return None
        self.losses = [*self.losses, loss][-span:]
        if len(self.losses) == span:
            mean = sum(self.losses) / span
            self.lowest = mean if self.lowest is None else min(mean, self.lowest)
            if mean > self.lowest + self.settings.rise:
                return step - span + 1, f"the mean loss of {span} steps rose by {mean - self.lowest:.3f}"
        return None
