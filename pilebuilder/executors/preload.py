"""Imported once by the fork server, so that every worker starts with the slow imports done."""

import numba  # noqa: F401
import numpy  # noqa: F401
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
