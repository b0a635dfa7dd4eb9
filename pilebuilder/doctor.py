"""``doctor``: is this installation whole, and what room does this machine have?"""

from __future__ import annotations

import importlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pilebuilder import executors, registry
from pilebuilder.errors import PilebuilderError
from pilebuilder.units import show_bytes

LIBRARIES = {
    "pyarrow": "pyarrow",
    "numba": "numba",
    "zstandard": "zstandard",
    "ftfy": "ftfy",
    "fasttext-community": "fasttext",
    "datasketch": "datasketch",
    "datatrove": "datatrove",
    "datasets": "datasets",
    "ray": "ray",
    "trafilatura": "trafilatura",
    "resiliparse": "resiliparse",
    "tiktoken": "tiktoken",
}


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str


def checks() -> Iterator[Check]:
    """Libraries that import, fastText that can train, parts that register, and the machine's room."""
    for distribution, module in LIBRARIES.items():
        yield _library(distribution, module)
    yield _fasttext()
    for kind in ("fetcher", "reader", "step"):
        try:
            known = registry.names(kind)
            yield Check(f"{kind}s", bool(known), ", ".join(known))
        except PilebuilderError as error:
            yield Check(f"{kind}s", False, str(error))
    yield Check("cores", True, str(executors.cores()))
    yield Check("memory", True, _memory())
    yield Check("disk here", True, f"{show_bytes(shutil.disk_usage(Path.cwd()).free)} free")


def _library(distribution: str, module: str) -> Check:
    try:
        importlib.import_module(module)
        return Check(distribution, True, version(distribution))
    except (ImportError, PackageNotFoundError) as error:
        return Check(distribution, False, f"does not import ({error}); run `pip install {distribution}`")


def _fasttext() -> Check:
    """Several packages install a module named fasttext; one that only predicts shadows training."""
    try:
        module = importlib.import_module("fasttext")
    except ImportError as error:
        return Check("fasttext module", False, str(error))
    if hasattr(module, "train_supervised"):
        return Check("fasttext module", True, "predicts and trains")
    return Check(
        "fasttext module",
        False,
        "another package shadows it without training (often fasttext-predict):"
        " `pip uninstall fasttext-predict && pip install --force-reinstall fasttext-community`",
    )


def _memory() -> str:
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return "unknown"
    return show_bytes(pages * size)
