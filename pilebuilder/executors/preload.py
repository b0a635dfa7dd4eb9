"""Imported once by the fork server, so that every worker starts with the slow imports done.

The collector rests meanwhile: libraries make objects by the hundred thousand and drop none of them. What is there at
the end it never looks at again, in any worker.
"""

import contextlib
import gc
import importlib

gc.disable()
for _name in (
    "numpy",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pilebuilder.kernels.digest",  # the first kernel makes numba load what all kernels need
):
    with contextlib.suppress(Exception):  # what fails here fails again in the task that needs it, and is said there
        importlib.import_module(_name)
with contextlib.suppress(Exception):
    importlib.import_module("pyarrow").array([0])  # the first array from a list makes Arrow look for pandas
gc.freeze()
gc.enable()
