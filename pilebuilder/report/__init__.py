"""Report: what the corpus is, where it came from, what left and why; tables, figures, pages."""

from pilebuilder.report.measures.ride import Measures
from pilebuilder.report.stage import Config, Report

__all__ = ["Config", "Measures", "Report"]
