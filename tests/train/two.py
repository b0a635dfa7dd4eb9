"""One process of several, for `test_parallel`: a step in double precision; its gradients and the state after it."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from pilebuilder.train import parallel
from pilebuilder.train.config import TrainConfig
from pilebuilder.train.loader import make_ready
from pilebuilder.train.loop import Trainer
from pilebuilder.train.shards import Corpus


def step(corpus: Path, out: Path, config: TrainConfig) -> dict[str, torch.Tensor]:
    """Gradients of the first step, weights and moments after two, all whole."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    world = parallel.World()
    out.mkdir(parents=True, exist_ok=True)
    with world.joined(torch.device("cpu")):
        trainer = Trainer(Corpus(corpus), out, config, world=world)
        trainer.model.compute = torch.float64
        found = {}
        for number in range(2):
            batch = make_ready(trainer.source.batch(number, trainer.share), config, trainer.device)
            numbers = trainer.update(batch, 1e-3)
            found[f"numbers.{number}"] = numbers
            if number == 0:
                for name, weight in trainer.optimizer.weights.items():
                    found[f"gradient.{name}"] = parallel.whole(parallel.local(weight.grad), weight.grad)
        for name, weight in trainer.optimizer.weights.items():
            found[f"weight.{name}"] = parallel.whole(parallel.local(weight), weight)
        found |= dict(trainer.optimizer.whole_state())
        trainer.save()
        trainer.saver.wait()
    return {name: tensor.detach().clone().contiguous() for name, tensor in found.items()}


if __name__ == "__main__":
    corpus, target, settings = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    result = step(corpus, target / "run", TrainConfig.model_validate_json(settings))
    if parallel.World().rank == 0:
        save_file(result, target / "result.safetensors")
    parallel.leave(0)
