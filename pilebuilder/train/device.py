"""What a run computes on: device, type of activations, kernels, what is compiled, and when memory is too small."""

from __future__ import annotations

from typing import Any

import torch

from pilebuilder.errors import PilebuilderError
from pilebuilder.train import attention
from pilebuilder.train.config import TrainConfig
from pilebuilder.train.model import GPT
from pilebuilder.train.parallel import World


def choose_device(config: TrainConfig) -> torch.device:
    """Where a run computes; raises `PilebuilderError` when a GPU is asked for and none is there."""
    cuda = torch.cuda.is_available() and config.control.device != "cpu"
    if config.control.device == "cuda" and not cuda:
        raise PilebuilderError("control.device is cuda, but PyTorch sees no GPU; set it to auto or cpu")
    return torch.device("cuda", World().local_rank) if cuda else torch.device("cpu")


def compute_type(config: TrainConfig, device: torch.device) -> torch.dtype:
    """Type of activations."""
    low = config.precision == "bf16" or (config.precision == "auto" and device.type == "cuda")
    return torch.bfloat16 if low else torch.float32


def prepare(model: GPT, config: TrainConfig, device: torch.device) -> tuple[Any, dict[str, Any]]:
    """Set how a network computes; the kernel of attention for `attention.preferring`, and facts for the logbook."""
    control, shape = config.control, config.model
    model.compute = compute_type(config, device)
    compiled = control.compile == "blocks" or (control.compile == "auto" and device.type == "cuda")
    asked = (device, model.compute, shape.heads, shape.head_width, config.data.sequence)
    kernel, refused = attention.select_kernel(*asked)
    facts = {"attention": kernel.name.lower() if kernel else device.type, "compiled": compiled}
    if config.data.attention == "document":
        model.layout, why = attention.select_layout(*asked, compiled=compiled)
        facts, refused = {**facts, "documents": model.layout}, refused | why
    if compiled:
        model.compile_parts()
    return kernel, facts | ({"refused_kernels": refused} if refused else {})


def no_memory(error: RuntimeError) -> bool:
    """PyTorch's own error of a GPU, the words of its CPU allocator, and of libraries that allocate by themselves."""
    words = ("allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error) for word in words)
