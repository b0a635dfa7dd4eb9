"""pilebuilder: a training corpus is a build, from sources to verified shards, documented and ready to train on."""

__version__ = "0.1.0"
