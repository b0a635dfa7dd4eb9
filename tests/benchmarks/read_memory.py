"""Peak memory of readers on a small and a large file, and on a record of half a gigabyte; part of `read`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.read.made import Made

ROOT = Path(__file__).resolve().parents[2]
SMALL, LARGE, HUGE = 8 << 20, 64 << 20, 500 << 20
ROOM = 24
"""MiB by which the peaks may differ: allocators do not give back all at once."""


def high_water(pid: str = "self") -> int:
    """Largest resident set of a program in MiB. ``ru_maxrss`` would do, but it begins with that of the parent."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) >> 10


def children() -> int:
    """The largest peak of a live child process in MiB."""
    found = [0]
    for task in Path("/proc/self/task").iterdir():
        for pid in (task / "children").read_text().split():
            found.append(high_water(pid))
    return max(found)


def one(reader: str, name: str, params: str, path: Path) -> dict[str, Any]:
    """Read a file; runs in a process of its own, which has loaded nothing but the reader."""
    from pilebuilder import registry
    from pilebuilder.read.base import Batch, Quarantined, Raw, Record

    documents, lost = 0, Counter[str]()
    raw = Raw(path=path, name=name, sha256="0" * 64, bytes=path.stat().st_size, component="bench")
    start = time.process_time()
    for item in registry.make("reader", reader, json.loads(params))(raw):
        documents += item.table.num_rows if isinstance(item, Batch) else isinstance(item, Record)
        if isinstance(item, Quarantined):
            lost[item.reason] += 1
    seconds = time.process_time() - start
    return {"documents": documents, "lost": lost, "own": high_water(), "child": children(), "seconds": seconds}


def measured(made: Made, size: int, huge: int = 0) -> dict[str, Any]:
    """Write the file, and read it in another process."""
    if made.name.endswith((".gz", ".bz2")):
        size //= 4  # what is written counts, and it is packed
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        wanted = made.write(path, size, huge) * made.per_unit
        command = [sys.executable, "-m", "tests.benchmarks.read_memory", "--one", made.reader, made.name]
        command += [json.dumps(made.params), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or ["killed"])[-1][:200], "code": done.returncode}
    return {**json.loads(done.stdout.splitlines()[-1]), "wanted": wanted}


def bounded(made: Made) -> dict[str, Any]:
    """Peaks at two sizes."""
    small, large = measured(made, SMALL * made.scale), measured(made, LARGE * made.scale)
    if "failed" in small or "failed" in large:
        return {"bounded": False, **small, **large}
    assert (small["documents"], large["documents"]) == (small["wanted"], large["wanted"]), (made, small, large)
    return {
        "mib_at_8": small["own"], "mib_at_64": large["own"], "child_mib": large["child"],
        "bounded": large["own"] <= small["own"] + ROOM,
    }  # fmt: skip


def enormous(made: Made) -> dict[str, Any]:
    """One record of 500 MB between others: it is a counted row, and the others are documents."""
    found = measured(made, 1, HUGE)
    if "failed" in found:
        return {"survived": False, **found}
    return {
        "mib": found["own"], "reasons": found["lost"], "others": found["documents"],
        "survived": bool(found["lost"]) and (found["documents"] >= found["wanted"] or "bomb" in found["lost"]),
    }  # fmt: skip


def main(names: list[str]) -> dict[str, Any]:
    """Both tables; `names` chooses readers."""
    from tests.read.made import MADE

    figures: dict[str, Any] = {"peaks": {}, "huge_record": {}}
    chosen = [made for made in MADE if not names or made.reader in names]
    print(f"\n{'peak MiB by size of the file':<42}{'8 MiB':>8}{'64 MiB':>8}{'child':>8}", flush=True)
    for made in chosen:
        row = figures["peaks"][f"{made} {made.name}"] = bounded(made)
        text = "".join(f"{row.get(name, '-'):>8}" for name in ("mib_at_8", "mib_at_64", "child_mib"))
        print(f"{made!s:<26}{made.name:<16.16}{text}  {'' if row['bounded'] else f'NOT BOUNDED {row}'}", flush=True)
    print(f"\n{'one record of 500 MB':<42}{'MiB':>8}  counted as", flush=True)
    for made in chosen:
        if not made.huge:
            continue
        row = figures["huge_record"][f"{made} {made.name}"] = enormous(made)
        text = (
            f"{row.get('mib', '-'):>8}  {row.get('reasons')}  {'' if row['survived'] else f'NOT AS IT SHOULD: {row}'}"
        )
        print(f"{made!s:<26}{made.name:<16.16}{text}", flush=True)
    return figures


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(one(*sys.argv[2:5], Path(sys.argv[5]))))
    else:
        print(json.dumps(main(sys.argv[1:])))
