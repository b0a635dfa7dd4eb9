"""What the fork server imports: enough for a task to start warm, and nothing that no task needs."""

from __future__ import annotations

import subprocess
import sys

CODE = """
import sys
import pilebuilder.executors.preload
assert "numba" in sys.modules and "pyarrow.parquet" in sys.modules
assert not {"pandas", "scipy", "awkward"} & set(sys.modules), sorted({"pandas", "scipy", "awkward"} & set(sys.modules))
import pandas
import pyarrow as pa
assert pa.table({"a": [1]}).to_pandas()["a"].tolist() == [1]
assert pa.array(pandas.Series([1, 2])).to_pylist() == [1, 2]
"""


def test_heavy_libraries_stay_out_until_somebody_asks_for_them() -> None:
    subprocess.run([sys.executable, "-c", CODE], check=True)
