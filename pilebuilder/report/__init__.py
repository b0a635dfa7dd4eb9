"""Report: what the corpus is, where it came from, what left and why; tables, figures, pages."""

from pilebuilder.report.stage import Config, Report

__all__ = ["Config", "Report"]
