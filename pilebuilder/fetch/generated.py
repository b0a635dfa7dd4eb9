"""Fetchers that make their raw files here: mathematics questions, documentation pages, message catalogues."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pilebuilder.fetch.base import Fetched, Item, Want
from pilebuilder.registry import fetcher

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web

MEAN_PAIR_BYTES = 61
"""Bytes of a question with its answer, measured over all modules and levels; only for planning."""


def written(item: Item, target: Path, content: bytes) -> Fetched:
    """A raw file made here."""
    target.write_bytes(content)
    return Fetched(item=item, path=target, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


@fetcher("generate-mathematics", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class Mathematics:
    """Questions and answers in the style of the DeepMind mathematics dataset, made here from a seed."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = False
    sampled: ClassVar[bool] = False
    partial: ClassVar[bool] = False
    batch_bytes: ClassVar[int] = 1 << 20

    levels: Annotated[tuple[str, ...], Field(min_length=1, description="train-easy, train-medium, train-hard")] = (
        "train-easy",
        "train-medium",
        "train-hard",
    )
    modules: Annotated[tuple[str, ...], Field(description="module names such as algebra__linear_1d; empty: all")] = ()
    pairs: Annotated[int, Field(ge=1, le=1_000_000, description="questions in one file")] = 5000
    parts: Annotated[int, Field(ge=1, le=10_000, description="files per module and level")] = 1
    seed: Annotated[int, Field(ge=0, description="another seed makes other questions")] = 0

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """One file per part, level and module, easy before medium before hard."""
        from pilebuilder.errors import RecipeError, nearest
        from pilebuilder.fetch.mathematics.draw import LEVELS
        from pilebuilder.fetch.mathematics.generator import MODULES

        for names, known in ((self.levels, LEVELS), (self.modules, MODULES)):
            for name in names:
                if name not in known:
                    hint = f"{nearest(name, known)}; known: {', '.join(known)}"
                    raise RecipeError(f"generate-mathematics knows no {name!r}{hint}")
        for part in range(self.parts):
            for level in self.levels:
                for module in self.modules or MODULES:
                    yield Item(
                        name=f"part-{part:04}/{level}/{module}.txt",
                        address=f"generator:mathematics/{self.seed}/{part}/{level}/{module}",
                        estimate=self.pairs * MEAN_PAIR_BYTES,
                    )

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        from pilebuilder.fetch.mathematics.generator import questions

        _, seed, part, level, module = item.address.split("/")
        return written(item, target, questions(module, level, f"{seed}/{part}", self.pairs).encode("ascii"))
