"""One process, or several that share the rows of each step: DDP (every process holds all weights) or FSDP2 (a part).

``torchrun --nproc-per-node 8 -m pilebuilder train ...`` starts several; without it there is one and nothing here does
anything. Gradients are sums over the rows of all processes, so a step is the same for any number of them up to the
order of additions, and a checkpoint (always whole tensors) goes on with any number.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NoReturn

import torch
from torch import Tensor, distributed, nn

from pilebuilder.errors import PilebuilderError
from pilebuilder.train.model import GPT


def leave(code: int) -> NoReturn:
    """End one process of several, its work done.

    torch's threads for the network may outlive what they belong to while the interpreter takes itself apart: then a
    finished run ends with SIGABRT, "terminate called without an active exception".
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class World:
    """The processes of a run; `rank` 0 writes logbook and checkpoints."""

    def __init__(self) -> None:
        self.rank, self.size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        self.local_rank = int(os.environ.get("LOCAL_RANK", 0))

    def nothing(self) -> Any:
        """A context that does nothing."""
        return nullcontext()

    @contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Meet the other processes, and part from them."""
        cuda = device.type == "cuda"
        if cuda:
            torch.cuda.set_device(device)
        if self.size == 1 or distributed.is_initialized():
            yield
            return
        distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", device_id=device if cuda else None)
        try:
            yield
        finally:
            distributed.destroy_process_group()

    def sum(self, tensor: Tensor) -> Tensor:
        """Replace `tensor` by its sum over the processes."""
        if self.size > 1:
            distributed.all_reduce(tensor)
        return tensor

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in any process."""
        return bool(self.sum(torch.tensor(float(flag)))) if self.size > 1 else flag

    def share(self, rows: int) -> slice:
        """This process' rows of a step."""
        if rows % self.size:
            raise PilebuilderError(
                f"{rows} rows per step do not divide over {self.size} processes: set batch_tokens to a multiple of "
                f"{self.size} times data.sequence"
            )
        each = rows // self.size
        return slice(self.rank * each, (self.rank + 1) * each)


class Objective(nn.Module):  # type: ignore[misc]
    """The network with its loss as forward pass: what DDP and FSDP2 wrap, so that the head lies inside."""

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model

    def forward(self, ids: Tensor, targets: Tensor, documents: Tensor | None, scale: float, z_loss: float) -> Any:
        return self.model.loss(ids, targets, scale=scale, z_loss=z_loss, document_bt=documents)

    def loss(self, ids: Tensor, targets: Tensor, *, scale: float) -> Any:
        """As `model.GPT.loss`, for evaluation: through `forward`, where FSDP2 gathers the weights."""
        return self(ids, targets, None, scale, 0.0)


def wrap(model: GPT, world: World, mode: str) -> nn.Module:
    """The objective of a run in this world; `mode` is ``ddp`` or ``fsdp``."""
    objective = Objective(model)
    if world.size == 1:
        return objective
    if mode == "ddp":
        return nn.parallel.DistributedDataParallel(objective, gradient_as_bucket_view=True)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mesh = init_device_mesh(next(model.parameters()).device.type, (world.size,))
    low = model.compute if model.compute == torch.bfloat16 else None
    policy = MixedPrecisionPolicy(param_dtype=low, reduce_dtype=torch.float32 if low else None)
    for block in model.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    return fully_shard(objective, mesh=mesh, mp_policy=policy)


def accumulating(objective: nn.Module, last: bool) -> Any:
    """Context of a micro-batch: DDP exchanges gradients only after the `last` one."""
    if isinstance(objective, nn.parallel.DistributedDataParallel) and not last:
        return objective.no_sync()
    return nullcontext()


def local(tensor: Tensor) -> Tensor:
    """This process' part of a tensor that FSDP2 may have shared out."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def whole(part: Tensor, like: Tensor) -> Tensor:
    """The whole of a tensor of which each process holds a part as it does of `like`."""
    if not hasattr(like, "to_local"):
        return part
    from torch.distributed.tensor import DTensor

    shared = DTensor.from_local(
        part, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )
    return shared.full_tensor()


def part_of(tensor: Tensor, like: Tensor) -> Tensor:
    """The inverse of `whole`."""
    if not hasattr(like, "to_local"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None).to_local()
