"""AdamW, and Muon for the matrices of the blocks, with a step that can be skipped on the device.

`step` takes `keep`, a 0-or-1 tensor: at 0 neither weights nor moments change, bit for bit, and nothing is read by the
host. Muon (Jordan et al. 2024) replaces each matrix's momentum by the nearest semi-orthogonal matrix; its updates are
scaled by 0.2 sqrt(max(rows, columns)) to the size of AdamW's (Liu et al. 2025), so one learning rate serves both.
Under FSDP2 every process updates its part of each weight; Muon gathers the matrix it needs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from pilebuilder.train.config import Optimizer as Settings
from pilebuilder.train.parallel import World, local, part_of, whole

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the quintic iteration, chosen by Jordan et al. for the steepest slope at zero; five iterations."""

EPSILON = 1e-8


def orthogonalise(matrix: Tensor) -> Tensor:
    """A semi-orthogonal matrix near `matrix`: singular values come to about 0.7 to 1.2. bf16 on a GPU, else fp32."""
    x = matrix.to(torch.bfloat16 if matrix.is_cuda else matrix.dtype)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    a, b, c = NEWTON_SCHULZ
    for _ in range(5):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)


def uses_muon(name: str, weight: Tensor, settings: Settings) -> bool:
    """Whether Muon updates this weight: a matrix inside a block."""
    return settings.name == "muon" and weight.ndim == 2 and name.startswith("blocks.")


class Optimizer:
    """Updates a model in place. State tensors have readable names and live in `state`."""

    def __init__(self, model: nn.Module, settings: Settings, world: World | None = None) -> None:
        self.settings, self.world = settings, world or World()
        self.weights: dict[str, nn.Parameter] = dict(model.named_parameters())
        self.muon = {name for name, weight in self.weights.items() if uses_muon(name, weight, settings)}
        self.state: dict[str, Tensor] = {}
        for name, weight in self.weights.items():
            for moment in ("momentum",) if name in self.muon else ("first", "second"):
                self.state[f"{moment}.{name}"] = torch.zeros_like(local(weight))
        device = next(iter(self.weights.values())).device
        self.state["updates"] = torch.zeros((), dtype=torch.float64, device=device)

    def gradient_norm(self) -> Tensor:
        """Norm of all gradients together (fp32, on the device)."""
        gradients = [w.grad for w in self.weights.values() if w.grad is not None]
        square = torch.stack(torch._foreach_norm([local(g) for g in gradients])).square().sum()
        return (self.world.sum(square) if hasattr(gradients[0], "to_local") else square).sqrt()

    @torch.no_grad()
    def step(self, lr: float, norm: Tensor, keep: Tensor) -> None:
        """One update at rate `lr`, gradients clipped to their `norm`, undone where `keep` is 0."""
        settings = self.settings
        updates = self.state["updates"].add_(keep)
        # While nothing was ever accepted the corrections would divide by zero; then nothing is applied either.
        correct1, correct2 = (1 - beta ** updates.clamp(min=1) for beta in (settings.beta1, settings.beta2))
        clip = (settings.clip / (norm + 1e-6)).clamp(max=1.0)
        for name, weight in self.weights.items():
            if weight.grad is None:
                continue
            # Not a product with 0, which would keep NaN.
            grad = torch.where(keep > 0, local(weight.grad) * clip, 0.0)
            if name in self.muon:
                update = self._muon(name, grad, keep)
            else:
                update = self._adamw(name, grad, keep, correct1.to(grad.dtype), correct2.to(grad.dtype))
            held = local(weight)
            if weight.ndim == 2:
                held.mul_(1 - lr * settings.weight_decay * keep)
            held.addcmul_(update, (-lr * keep).to(update.dtype))

    def zero(self) -> None:
        """Drop the gradients."""
        for weight in self.weights.values():
            weight.grad = None

    def whole_state(self) -> Iterator[tuple[str, Tensor]]:
        """The state with whole tensors, one after another, on every process."""
        for key, tensor in self.state.items():
            yield key, whole(tensor, self._weight(key, tensor))

    def load(self, saved: dict[str, Tensor]) -> None:
        """Take over what `whole_state` gave."""
        for key, tensor in self.state.items():
            tensor.copy_(part_of(saved[key].to(tensor.device), self._weight(key, tensor)))

    def _weight(self, key: str, tensor: Tensor) -> Tensor:
        return self.weights.get(key.partition(".")[2], tensor)

    def _adamw(self, name: str, grad: Tensor, keep: Tensor, correct1: Tensor, correct2: Tensor) -> Tensor:
        first, second = self.state[f"first.{name}"], self.state[f"second.{name}"]
        first.lerp_(grad, (1 - self.settings.beta1) * keep)
        second.lerp_(grad.square_(), (1 - self.settings.beta2) * keep)
        return (first / correct1).div_((second / correct2).sqrt_().add_(EPSILON))

    def _muon(self, name: str, grad: Tensor, keep: Tensor) -> Tensor:
        momentum, weight = self.state[f"momentum.{name}"], self.weights[name]
        momentum.lerp_(grad, (1 - self.settings.momentum) * keep)
        ahead = whole(grad.lerp_(momentum, self.settings.momentum), weight)  # Nesterov
        return part_of(orthogonalise(ahead), weight) * (0.2 * max(ahead.shape) ** 0.5)
