"""Imported once by the fork server, so that every worker starts with the slow imports done.

The collector rests meanwhile: libraries make objects by the hundred thousand and drop none of them. What is there at
the end it never looks at again, in any worker.
"""

import contextlib
import gc
import importlib
import importlib.abc
import sys


class Absent(importlib.abc.MetaPathFinder):
    """Modules that cannot be imported while this stands in ``sys.meta_path``.

    Arrow looks for pandas at the first array that it makes from a list, and numba for scipy: each takes as long to
    load as all the rest, for types and functions that no worker meets. Who imports them later finds them.
    """

    def __init__(self, *names: str) -> None:
        self.names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)


gc.disable()
_absent = Absent("pandas", "scipy")
sys.meta_path.insert(0, _absent)
for _name in (
    "numpy",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pilebuilder.build.worker",
    "pilebuilder.kernels.digest",  # the first kernel makes numba load what all kernels need
):
    with contextlib.suppress(Exception):  # what fails here fails again in the task that needs it, and is said there
        importlib.import_module(_name)
with contextlib.suppress(Exception):
    importlib.import_module("pyarrow").array([0])
sys.meta_path.remove(_absent)
gc.freeze()
gc.enable()
