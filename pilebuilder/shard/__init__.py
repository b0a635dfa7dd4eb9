"""Shard: the corpus as files, in the Pile's layout."""

from pilebuilder.shard.stage import Config, Shard

__all__ = ["Config", "Shard"]
