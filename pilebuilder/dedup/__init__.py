"""Dedup: exact, by address and near-duplicates, verified, bounded in memory. See `pilebuilder.dedup.stage`."""

from pilebuilder.dedup.sketch import DedupSketch
from pilebuilder.dedup.stage import Dedup

__all__ = ["Dedup", "DedupSketch"]
