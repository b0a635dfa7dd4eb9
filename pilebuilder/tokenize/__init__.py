"""Tokenize: output shards as token files that trainers map into memory."""

from pilebuilder.tokenize.stage import Config, Tokenize

__all__ = ["Config", "Tokenize"]
