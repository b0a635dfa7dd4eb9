"""The cache of compiled kernels: made once, announced, and no need of a folder that can be written."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import logging, sys
logging.basicConfig(level=logging.INFO, stream=sys.stdout)
from pilebuilder.kernels.normal import not_normal
import numpy as np
text = np.frombuffer("e\\u0301 a".encode(), np.uint8)
print("rows", not_normal(text, np.array([0, 3, 5]), "NFC").tolist())
from numba.core import entrypoints
print("extensions of others", entrypoints._already_initialized)
"""


def run(cache: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"PILEBUILDER_CACHE": str(cache), "HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return done.stdout


def test_first_run_says_that_it_compiles_and_the_second_does_not(tmp_path: Path) -> None:
    first, second = run(tmp_path), run(tmp_path)
    assert first.count("compiling text kernels") == 1
    assert "compiling" not in second
    assert "rows [0]" in first
    assert "rows [0]" in second
    assert "extensions of others False" in first, "they are still to come when other code is compiled"
    assert list((tmp_path / "kernels").rglob("*.nbi"))


def test_a_cache_that_cannot_be_written_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that refuses files: its code is copied, not compiled again, and the copy goes with the process."""
    from pilebuilder.kernels import jit

    held = tmp_path / "kernels" / "0123456789abcdef"
    held.mkdir(parents=True)
    (held / "code.nbi").write_bytes(b"code")
    monkeypatch.setenv("PILEBUILDER_CACHE", str(tmp_path))
    monkeypatch.setattr(jit, "writable", lambda folder: False)
    jit._folder.cache_clear()
    try:
        folder = jit._folder(held.name)
    finally:
        jit._folder.cache_clear()
    assert folder is not None
    assert folder != held
    assert (folder / "code.nbi").read_bytes() == b"code"


def test_without_any_folder_kernels_are_compiled_for_the_process(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    out = run(blocked)
    assert "rows [0]" in out
    assert blocked.read_text() == "not a folder"


def test_a_damaged_table_is_made_again(tmp_path: Path) -> None:
    run(tmp_path)
    (table,) = tmp_path.glob("normal-NFC-*.npy")
    table.write_bytes(table.read_bytes()[:100])
    assert "rows [0]" in run(tmp_path)
    assert table.stat().st_size > 1 << 20


def test_the_key_follows_the_sources_that_a_kernel_holds_code_of() -> None:
    from pilebuilder.kernels import edits, jit
    from pilebuilder.kernels.cache import imported

    names = imported(Path(edits.__file__).read_bytes())
    assert "lines" in names
    assert "jit" in names
    assert jit._digest(edits.__name__) != jit._digest("pilebuilder.kernels.jit")


CALLING = """
import sys
from numba import types
from pilebuilder.kernels.jit import kernel

@kernel(types.int64(types.int64))
def inner(x):
    return x + 1

if sys.argv[1:]:
    @kernel(types.int64(types.int64[::1]))
    def outer(values):
        total = 0
        for value in values:
            total += inner(value)
        return total

    import numpy as np
    print(outer(np.arange(4)), "compiled" if sum(outer.stats.cache_misses.values()) else "loaded")
    print("inner", "compiled" if sum(inner.stats.cache_misses.values()) else "loaded")
"""


def test_a_kernel_that_was_loaded_can_be_called_by_one_that_is_compiled(tmp_path: Path) -> None:
    """What a kernel needs to be linked into another is read from the cache only then."""
    script = tmp_path / "calling.py"
    script.write_text(CALLING)

    def told(*arguments: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, str(script), *arguments], capture_output=True, text=True, check=True,
            env=os.environ | {"PILEBUILDER_CACHE": str(tmp_path), "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        )  # fmt: skip
        return done.stdout.splitlines()

    told()
    assert told("outer") == ["10 compiled", "inner loaded"]
    assert told("outer") == ["10 loaded", "inner loaded"]


def early_releases(source: str) -> list[str]:
    """Arrays of numpy that a function makes, takes the address of, and does not use after that."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        made: set[str] = set()
        last: dict[str, int] = {}
        taken: dict[str, int] = {}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and "np." in ast.unparse(node.value):
                made |= {n.id for t in node.targets for n in ast.walk(t) if isinstance(n, ast.Name)}
            if isinstance(node, ast.Name):
                last[node.id] = max(last.get(node.id, 0), node.lineno)
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) == "address"
                and isinstance(node.args[0], ast.Name)
            ):
                taken[node.args[0].id] = node.lineno
        found += [f"{function.name}: {name}" for name, line in taken.items() if name in made and last[name] <= line]
    return found


def test_no_kernel_keeps_the_address_of_an_array_that_numba_has_let_go() -> None:
    assert early_releases("def f():\n    a = np.zeros(3)\n    b = address(a)\n    return g(b)") == ["f: a"]
    package = Path(__file__).resolve().parents[2] / "pilebuilder"
    found = {str(path): early_releases(path.read_text(encoding="utf-8")) for path in package.rglob("*.py")}
    assert {path: names for path, names in found.items() if names} == {}
