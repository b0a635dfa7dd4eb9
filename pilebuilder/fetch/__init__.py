"""The fetch stage, its fetchers by protocol, and the catalogue of sources."""

from pilebuilder.fetch import generated, installed, local, stage

__all__ = ["generated", "installed", "local", "stage"]
