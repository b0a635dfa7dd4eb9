"""The fastText package behind one door: the guard against forks that cannot train, the reference scorer, training."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pilebuilder.errors import PilebuilderError

if TYPE_CHECKING:
    import numpy as np

DISTRIBUTION = "fasttext-community"


class FastTextError(PilebuilderError):
    """The installed `fasttext` module cannot do what is asked; the message names the distribution to remove."""


def distributions() -> list[str]:
    """Installed distributions that provide a module named `fasttext`, with versions."""
    found = []
    for name in sorted(set(packages_distributions().get("fasttext", []))):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(name)
    return found


@functools.cache
def module() -> Any:
    """The `fasttext` module, imported quietly."""
    try:
        import fasttext
    except ImportError as error:
        raise FastTextError(f"fastText is not installed; run: pip install {DISTRIBUTION}") from error
    # the packages warn at every load about a change made in 2019
    if hasattr(fasttext, "FastText"):
        fasttext.FastText.eprint = lambda *_: None
    return fasttext


def for_training(allow_unsafe: bool = False) -> Any:
    """The module, if it can train reproducibly; else `FastTextError` with the remedy.

    Other distributions than fasttext-community fill only part of the embedding matrix when training runs on fewer
    than ten threads; the rest is whatever the memory held. `allow_unsafe` accepts them.
    """
    found = module()
    owners = distributions()
    others = [name for name in owners if name.split()[0].lower() != DISTRIBUTION]
    remedy = f"run: pip uninstall -y {' '.join(n.split()[0] for n in others) or 'fasttext'}"
    remedy += f" && pip install --force-reinstall --no-deps '{DISTRIBUTION}'"
    if not hasattr(found, "train_supervised"):
        where = ", ".join(owners) or str(getattr(found, "__file__", "an unknown place"))
        raise FastTextError(
            f"the installed fasttext module cannot train: it comes from {where}, which replaced"
            f" {DISTRIBUTION}; {remedy}"
        )
    if others and not allow_unsafe:
        raise FastTextError(
            f"the fasttext module comes from {', '.join(owners)}; with it, training on few threads leaves part of the"
            f" model uninitialised and is not reproducible; {remedy}"
        )
    return found


def reference(path: Path) -> Any:
    """The package's own model object: the reference that the kernels are held to."""
    with _quiet():
        return module().load_model(str(path))


def reference_best(model: Any, data: np.ndarray, offsets: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Best label (without prefix, '' for none) and probability (float32 [n]) of each text, by the package itself.

    Goes through the inner handle, which every fork answers alike and which needs no numpy array; line ends, which
    fastText refuses, become spaces.
    """
    import numpy as np

    raw = data.tobytes()
    labels, scores = [], np.zeros(len(offsets) - 1, np.float32)
    for row in range(len(offsets) - 1):
        text = raw[offsets[row] : offsets[row + 1]].decode("utf-8").replace("\n", " ")
        answer = model.f.predict(text + "\n", 1, 0.0, "strict")
        labels.append(answer[0][1].removeprefix("__label__") if answer else "")
        scores[row] = min(1.0, answer[0][0]) if answer else 0.0
    return labels, scores


def train(lines: Path, *, seed: int, options: Mapping[str, Any], allow_unsafe: bool = False) -> Any:
    """Train a classifier on a file of ``__label__x text`` lines: one thread, so that equal input gives equal bytes."""
    with _quiet():
        return for_training(allow_unsafe).train_supervised(input=str(lines), thread=1, seed=seed, verbose=0, **options)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
