"""Text from a network, token by token: seeded, the same on every run of one PyTorch version on one device.

Keys and values of the context are kept, so each new token goes through the network alone. When the longest context
that the network knows is full, the text goes on from its later half.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from pilebuilder.errors import PilebuilderError
from pilebuilder.models import encoders
from pilebuilder.models.vocabulary import Tokenizer
from pilebuilder.train.subject import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen."""

    tokens: int = 128
    """New tokens at most; the end of the document ends a sample earlier."""
    temperature: float = 0.8
    """Divides the logits; 0 takes the likeliest token."""
    top_k: int = 50
    """Tokens that may be drawn, the likeliest; 0: all."""
    seed: int = 1

    def __post_init__(self) -> None:
        if self.temperature < 0 or self.tokens < 1 or self.top_k < 0:
            raise PilebuilderError("temperature and top-k must not be negative, and at least one token is generated")


def sample(subject: Subject, tokenizer: Tokenizer, prompt: str, how: Sampling) -> str:
    """The continuation of a prompt; the prompt itself is not repeated."""
    raw = prompt.encode()
    ids, _ = encoders.reference(tokenizer).encode(np.frombuffer(raw, np.uint8), np.array([0, len(raw)]))
    found = continue_ids(subject, tokenizer, [tokenizer.eod, *ids.tolist()], how)
    return encoders.decode(tokenizer, np.array(found))


@torch.no_grad()
def continue_ids(subject: Subject, tokenizer: Tokenizer, ids: list[int], how: Sampling) -> list[int]:
    """New ids after `ids`, without the end of document."""
    maker = torch.Generator().manual_seed(how.seed)
    device = next(subject.network.parameters()).device
    network, longest = subject.network, subject.sequence
    text, made = list(ids), 0
    past, new = network.no_past(longest), text[-longest:]
    while made < how.tokens:
        if past[0].length + len(new) > longest:
            past, new = network.no_past(longest), text[-max(1, longest // 2) :]
        hidden = network(torch.tensor([new], device=device), past=past)
        # Ids that only pad the matrix are never drawn.
        token = choose(network.head(hidden[:, -1])[0, : tokenizer.size].double().cpu(), how, maker)
        if token == tokenizer.eod:
            break
        new, made = [token], made + 1
        text.append(token)
    return text[len(ids) :]


def choose(logits_v: torch.Tensor, how: Sampling, maker: torch.Generator) -> int:
    """One id from the logits of a position."""
    if how.temperature == 0:
        return int(logits_v.argmax())
    logits = logits_v / how.temperature
    if 0 < how.top_k < len(logits):
        # By rank and not by value: equal logits at the border must not let more through.
        kept = torch.sort(logits, descending=True, stable=True).indices[: how.top_k]
        return int(kept[torch.multinomial(logits[kept].softmax(0), 1, generator=maker)])
    return int(torch.multinomial(logits.softmax(0), 1, generator=maker))
