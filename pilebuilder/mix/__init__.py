"""Mix: weights, holdout and a seeded global order, by partitioned files alone."""

from pilebuilder.mix.stage import Config, Holdout, Mix

__all__ = ["Config", "Holdout", "Mix"]
