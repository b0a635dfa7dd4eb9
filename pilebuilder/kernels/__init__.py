"""Compiled loops over UTF-8 buffers. Importing this package costs nothing; a kernel is loaded when first asked for."""

from __future__ import annotations

import importlib
from typing import Any

_PLACES = {
    "text_stats": "textstats",
    "TextStats": "textstats",
    "stop_words": "textstats",
    "short_lines": "textstats",
}


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
