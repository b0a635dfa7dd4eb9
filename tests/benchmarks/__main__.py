"""What can be measured: ``python -m tests.benchmarks`` lists the benchmarks."""

from __future__ import annotations

import ast
from pathlib import Path


def main() -> None:
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if "python -m tests.benchmarks." in said:
            print(f"{path.stem:<20}{said.splitlines()[0].split(': ``')[0]}")


if __name__ == "__main__":
    main()
