"""Who may import whom: one direction, downward. A breach names the file and the import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "pilebuilder"
STAGES = {"fetch", "read", "clean", "filter", "dedup", "mix", "shard", "tokenize", "report", "publish", "train"}
SHARED = {
    "atomic", "card", "digest", "document", "frames", "ledger", "task", "partition", "registry", "recipe", "errors", "steps", "units", "yamlfile",
    "kernels", "models", "__init__", "__version__",
}  # fmt: skip
NEUTRAL_MAY = SHARED
HEAVY = {"numpy", "pyarrow", "numba", "ray", "datasets", "datatrove", "fasttext", "torch", "pandas", "tokenizers"}


def imports(path: Path) -> set[str]:
    """Names `a.b` of every `pilebuilder.a.b` imported anywhere in a file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "pilebuilder":
                found |= {a.name for a in node.names}
            elif node.module.startswith("pilebuilder."):
                found.add(node.module.removeprefix("pilebuilder."))
        elif isinstance(node, ast.Import):
            found |= {a.name.removeprefix("pilebuilder.") for a in node.names if a.name.startswith("pilebuilder.")}
    return found


def allowed(owner: str, target: str) -> bool:
    """Whether code in package `owner` may import top-level module `target`."""
    if owner == target:
        return True
    if owner == "kernels":
        return False
    if owner in {"publish", "train"}:  # they work on finished builds
        return target in SHARED | {"build"}
    if owner in STAGES or owner in SHARED:
        return target in SHARED
    if owner == "executors":
        return target in {"executors", "task", "errors", "ledger"}
    if owner == "build":
        return target in SHARED | {"executors"}
    return target not in STAGES or owner in {"command", "cli", "tools", "describe"}


def test_imports_go_downward() -> None:
    breaches = []
    for path in PACKAGE.rglob("*.py"):
        owner = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for name in imports(path):
            target = name.split(".")[0]
            if not allowed(owner, target):
                breaches.append(f"{path.relative_to(PACKAGE)} imports pilebuilder.{name}")
    assert not breaches, "\n".join(sorted(breaches))


def test_the_rule_itself_can_fail() -> None:
    assert not allowed("read", "filter")
    assert not allowed("kernels", "document")
    assert not allowed("build", "dedup")
    assert allowed("read", "kernels")


@pytest.mark.parametrize(
    "module", ["pilebuilder.cli", "pilebuilder.registry", "pilebuilder.recipe", "pilebuilder.task"]
)
def test_nothing_heavy_is_imported_at_the_top(module: str) -> None:
    code = f"import sys, {module}; print(*sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_registering_every_part_stays_light() -> None:
    code = (
        "import sys; from pilebuilder import registry; [registry.names(k) for k in registry.KINDS];"
        f"print(*sorted(set(sys.modules) & {HEAVY!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
