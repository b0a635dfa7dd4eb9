"""``why ID``: a document's whole history in plain words, from the ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pilebuilder.build.run import load_manifests
from pilebuilder.errors import PilebuilderError
from pilebuilder.ledger import schema
from pilebuilder.partition import read_table
from pilebuilder.recipe import STAGES

_ORDER = {name: index for index, name in enumerate(STAGES)}


def history(root: Path, document: str) -> list[dict[str, Any]]:
    """Every ledger row of a document (a full id, or a prefix of at least 8 digits), in the order of the stages."""
    document = document.strip().lower()
    if len(document) < 8:
        raise PilebuilderError(f"{document!r} is too short: give a document id, or at least its first 8 digits")
    files = ledger_files(root)
    if not files:
        raise PilebuilderError(f"{root} has no ledger; build the corpus first")
    rows = [row for path in files for row in _rows(path, document)] or _only_read(root, document)
    found = sorted({row["id"] for row in rows})
    if len(found) > 1:
        raise PilebuilderError(f"{document} fits {len(found)} documents: {', '.join(found[:5])}; give more digits")
    return sorted(rows, key=lambda r: _ORDER.get(r["stage"], 99))


def ledger_files(root: Path) -> list[Path]:
    """Ledger files of the last run: from its work folder, or, when that was deleted, the published ones."""
    manifests = load_manifests(root)
    files = [root / a.path for done in manifests.values() for m in done for a in m.of("ledger")]
    files = [p for p in files if p.exists()]
    return files or sorted(p for p in (root / "ledger").glob("*.parquet") if not p.name.startswith("inventory"))


def _rows(path: Path, document: str) -> list[dict[str, Any]]:
    import pyarrow.compute as pc

    ids = read_table(path, ["id"])["id"]
    mask = pc.fill_null(pc.starts_with(ids, document), False)
    if not pc.any(mask).as_py():
        return []
    return read_table(path).filter(mask).to_pylist()  # type: ignore[no-any-return]


def _only_read(root: Path, document: str) -> list[dict[str, Any]]:
    """A document that was read and that no stage has touched so far: found in the partitions themselves."""
    import pyarrow.compute as pc

    columns = ["id", "component", "origin_file", "origin_offset"]
    for manifest in load_manifests(root).get("read", ()):
        for artifact in manifest.of("partition"):
            table = read_table(root / artifact.path, columns)
            found = table.filter(pc.starts_with(table["id"], document)).to_pylist()
            if found:
                row = found[0]
                row = {**dict.fromkeys(schema().names), **row, "stage": "read", "step": "read", "action": "noted"}
                row |= {"file": row["origin_file"], "offset": row["origin_offset"]}
                return [row | {"reason": "no later stage of this unfinished build has removed or placed it"}]
    return []


def tell(rows: list[dict[str, Any]], document: str) -> list[str]:
    """The history in sentences, one per event."""
    if not rows:
        return [f"No row of the ledger names {document}: this build has not met that document."]
    first = rows[0]
    origin = f"{first['file']}, offset {first['offset']}" if first["file"] else "an unnamed file"
    lines = [f"{first['id']}", f"  read from {first['component']}: {origin}"]
    return lines + [f"  {sentence(row)}" for row in rows]


def sentence(row: dict[str, Any]) -> str:
    """One ledger row as a sentence."""
    where = f"{row['stage']}" + (f", step {row['step']}" if row["step"] and row["step"] != row["stage"] else "")
    reason = row["reason"] or "no stated reason"
    match row["action"]:
        case "edited":
            change = row["value"] or 0
            did = f"took out {change:,.0f} bytes" if change >= 0 else f"added {-change:,.0f} bytes"
            said = f"edited: {reason} {did}"
        case "dropped":
            said = f"dropped: {reason}{_measured(row)}"
        case "duplicate":
            said = f"removed as a duplicate of {row['duplicate_of']} ({reason}{_measured(row)})"
        case "quarantined":
            said = f"in quarantine: {reason}" + (f" ({row['detail']})" if row["detail"] else "")
        case "held_out":
            said = f"held out for {reason}"
        case "kept":
            line = "" if row["value"] is None else f", line {row['value'] + 1:.0f}"
            said = f"kept: {reason}{line}"
        case _:
            said = f"{row['action']}: {reason}" + (f" ({row['detail']})" if row["detail"] else "")
    return f"{where}: {said}"


def _measured(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return ""
    limit = "" if row["threshold"] is None else f", threshold {row['threshold']:g}"
    return f", measured {row['value']:.4g}{limit}"
