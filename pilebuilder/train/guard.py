"""Decides on the device, without waiting for it, whether a step is taken.

A step is skipped when its loss or gradient norm is not finite, or lies more than `sigma` standard deviations above the
mean of the last `window` accepted steps. The second rule starts when the window is full: early losses fall fast.
"""

from __future__ import annotations

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
