"""What the verbs print: the plan of a dry run, what was published, what was pulled."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pilebuilder.errors import EXIT_DONE, PilebuilderError
from pilebuilder.publish import onward, run
from pilebuilder.publish.corpus import open_corpus
from pilebuilder.publish.problem import PublishError, clean
from pilebuilder.publish.run import Options, Prepared
from pilebuilder.publish.upload import Done, Snapshot
from pilebuilder.units import show_bytes

GROUPS = ("reports", "ledger", "tokens")


def say(line: str) -> None:
    """Progress, on standard error."""
    print(clean(line), file=sys.stderr, flush=True)


def publish(source: str, out: Path | None, repo: str | None, to: str | None, options: Options, dry: bool) -> int:
    """Publish, or show what would be; returns the exit code."""
    corpus = open_corpus(source, out)
    if repo is None and to is None:
        repo = (corpus.lock["recipe"]["stages"].get("report") or {}).get("repository")
    if (repo is None) == (to is None):
        raise PublishError("bad_name", "say where to: --repo ORG/NAME for a Hub, or --to for a folder or bucket")
    shown = _show_plan if dry else None
    if repo is not None:
        done = run.to_hub(corpus, repo, options, say, dry=shown)
    else:
        assert to is not None
        done = run.to_shelf(corpus, to, options, say, dry=shown)
    if done is not None:
        _show_done(done)
    return EXIT_DONE


def _show_plan(prepared: Prepared, snapshot: Snapshot) -> None:
    width = max(len(path) for path in snapshot.files)
    for path, item in sorted(snapshot.files.items()):
        print(f"{path:<{width}}  {item.size:>15,}  {item.sha256[:16]}")
    total = sum(item.size for item in snapshot.files.values())
    print(f"{len(snapshot.files):,} files, {show_bytes(total)}")
    for warning in prepared.warnings:
        print(f"licence: {warning}")
    for concern in prepared.concerns:
        print(f"refused without --yes: {concern.kind}: {concern.message}")
    print("\nREADME.md:\n")
    print(prepared.card())


def _show_done(done: Done) -> None:
    print(f"{done.url} at {done.revision}, commit {done.commit[:12]}" + (f", tag {done.tag}" if done.tag else ""))
    print(
        f"{done.files:,} files, {show_bytes(done.bytes)}, all as the manifest says;"
        f" sent {done.sent:,} files, {show_bytes(done.sent_bytes)}; removed {done.removed:,}"
    )
    if done.earlier is not None:
        print(
            f"version {done.earlier} stays readable there by its tag or commit; if documents were taken out, delete it"
            " where it is kept (on a Hub: its tag, then squash the history)"
        )
    for path in done.stray:
        print(f"stray, left alone: {path} (--delete-stray removes it)")


def pull(source: str, out: Path | None, revision: str | None, components: bool, skip: list[str]) -> int:
    """Pull; returns the exit code."""
    from pilebuilder.publish import pull as pulls
    from pilebuilder.publish.patience import Patience
    from pilebuilder.publish.shelf import ShelfSource

    for name in skip:
        if name not in GROUPS:
            raise PilebuilderError(f"--skip {name}: give {', '.join(GROUPS)}")
    found: pulls.Source
    if re.fullmatch(r"[\w.-]+/[\w.-]+", source) and not Path(source).exists():
        found = pulls.HubSource(source, revision or "main", say, Patience())
    else:
        found = ShelfSource(source, revision, say, Patience())
    folder = out or Path("corpus") / source.rstrip("/").rpartition("/")[2]
    done = pulls.pull(found, folder, say=say, components=components, skip=skip)
    print(f"{done.folder}: {done.files:,} files, {show_bytes(done.bytes)}, as the manifest and the lock say", end="")
    print(f"; fetched {done.fetched:,}, {show_bytes(done.fetched_bytes)}")
    if done.absent:
        print(f"not here: {', '.join(done.absent)}")
    print(f"  verify    pilebuilder verify {done.folder}")
    print(f"  tokenize  pilebuilder tokenize {done.folder}/train/*.jsonl.zst -o out/")
    if (done.folder / "tokens").is_dir():
        print(f"  train     pilebuilder train run {done.folder}")
    if (done.folder / onward.NAME).is_file():
        print(f"  go on     pilebuilder build {done.folder / onward.NAME} -o corpus/next")
    return EXIT_DONE
