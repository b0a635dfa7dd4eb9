"""Rules of the Hub's card checker that can fail a publication: names from closed lists, shapes of configs."""

from __future__ import annotations

import re
from typing import Any

SIZES = re.compile(
    r"n<1K|1K<n<10K|10K<n<100K|100K<n<1M|1M<n<10M|10M<n<100M|100M<n<1B|1B<n<10B|10B<n<100B|100B<n<1T|n>1T"
)
LICENCES = {
    "cc0-1.0", "cc-by-4.0", "cc-by-3.0", "cc-by-sa-4.0", "cc-by-sa-3.0", "cc-by-nc-4.0", "mit", "apache-2.0", "pddl",
    "odc-by", "odbl", "gpl-3.0", "bsd-3-clause", "psfl-2.0", "unlicense", "other", "unknown",
}  # fmt: skip
TASKS = {"text-generation", "fill-mask"}


def problems(data: dict[str, Any]) -> list[str]:
    """What is wrong with the YAML of a card; empty when nothing is."""
    found = []
    if data.get("license") not in LICENCES:
        found.append(f'"license" must be one of the list, not {data.get("license")!r}')
    if data.get("license") == "other" and not data.get("license_name"):
        found.append('"license_name" is required with license: other')
    if unknown := set(data.get("task_categories", [])) - TASKS:
        found.append(f'"task_categories" holds {sorted(unknown)}')
    found += [f'"size_categories" holds {s!r}' for s in data.get("size_categories", []) if not SIZES.fullmatch(s)]
    found += [f'"language" holds {c!r}' for c in data.get("language", []) if not re.fullmatch("[a-z]{2,3}", str(c))]
    if not isinstance(data.get("pretty_name"), str):
        found.append('"pretty_name" must be a string')
    names = [c.get("config_name") for c in data.get("configs", [])]
    if len(set(names)) != len(names):
        found.append('"configs" has a name twice')
    if sum(bool(c.get("default")) for c in data.get("configs", [])) > 1:
        found.append('"configs" has more than one default')
    for config in data.get("configs", []):
        if not re.fullmatch(r"[\w.-]+(?: [\w.-]+)*", str(config.get("config_name"))):
            found.append(f'"config_name" {config.get("config_name")!r} is not allowed')
        for files in config.get("data_files", []):
            if not re.fullmatch(r"\w+(\.\w+)*", files.get("split", "")):
                found.append(f"split {files.get('split')!r} is not allowed")
    infos = data.get("dataset_info", [])
    stray = {i.get("config_name") for i in (infos if isinstance(infos, list) else [infos])} - set(names)
    if stray:
        found.append(f'"dataset_info" names configs that do not exist: {sorted(map(str, stray))}')
    return found
