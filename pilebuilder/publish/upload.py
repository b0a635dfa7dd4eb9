"""Publishing to a Hub: content first, unseen; then one commit that shows all of it; then the comparison.

Large files go to the Hub's storage ahead of the commit, where no listing shows them. The commit names its parent, so a
commit of somebody else in between is noticed (412) and looked at. Every step can be repeated: what is already there is
not sent again, and a commit whose answer was lost is recognised by the listing. So a run that was killed anywhere is
finished by the same command.
"""

from __future__ import annotations

import fnmatch
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pilebuilder.publish import manifest as manifests
from pilebuilder.publish import patience
from pilebuilder.publish.hub import Head, Hub
from pilebuilder.publish.manifest import Item, Manifest
from pilebuilder.publish.patience import passing, status
from pilebuilder.publish.problem import PublishError
from pilebuilder.units import show_bytes

KEPT = (".gitattributes",)
"""Files the Hub makes itself: neither ours nor stray."""
BATCH_FILES, BATCH_BYTES = 64, 2 << 30
DATA = ("train/*", "val*", "test*", "data/*", "parquet/*")
"""Patterns that the card's configs read: a stray file among them would become data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is to be published: files, and the manifest over them (which is a file too)."""

    manifest: Manifest
    files: dict[str, Item] = field(repr=False)


Finish = Callable[[Manifest | None, str], Snapshot]
"""The snapshot, given the manifest and changelog that are on the Hub now (changelogs grow)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one commit must do to make the revision equal to the snapshot."""

    send: list[Item]
    keep: list[str]
    remove: list[str]
    """Files of the version before, and stray ones if that was asked for."""
    stray: list[str]
    """Files that nobody's manifest knows, left alone."""

    @property
    def done(self) -> bool:
        return not self.send and not self.remove


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished publication."""

    url: str
    revision: str
    commit: str
    files: int
    bytes: int
    sent: int
    sent_bytes: int
    removed: int
    stray: list[str]
    tag: str | None
    manifest: Manifest = field(repr=False)
    earlier: str | None = None
    """The version that was there before and stays readable by its tag or commit; None when there was no other."""


def compare(snapshot: Snapshot, head: Head | None, before: Manifest | None, *, delete_stray: bool) -> Plan:
    """The difference between a revision and the snapshot."""
    held = head.files if head else {}
    send, keep = [], []
    for path, item in sorted(snapshot.files.items()):
        if path in held and held[path].same(item):
            keep.append(path)
        else:
            send.append(item)
    others = [p for p in sorted(held) if p not in snapshot.files and p not in KEPT]
    ours = set(before.files) if before else set()
    remove = [p for p in others if p in ours or delete_stray]
    return Plan(send=send, keep=keep, remove=remove, stray=[p for p in others if p not in remove])


def divergence(snapshot: Snapshot, head: Head, stray: Sequence[str]) -> list[str]:
    """How a revision differs from the manifest, file by file; empty when it does not."""
    found = []
    for path, item in sorted(snapshot.files.items()):
        held = head.files.get(path)
        if held is None:
            found.append(f"{path} is missing")
        elif not held.same(item):
            found.append(f"{path} has other content ({held.bytes:,} bytes, {item.size:,} expected)")
    known = {*snapshot.files, *stray, *KEPT}
    found += [f"{path} should not be there" for path in sorted(head.files.keys() - known)]
    return found


def remote_manifest(hub: Hub, head: Head | None) -> tuple[Manifest | None, str]:
    """The manifest and changelog of a revision; None and an empty text where there are none."""
    if head is None or manifests.NAME not in head.files:
        return None, ""
    where = f"{hub.repo}/{manifests.NAME}"
    found = Manifest.from_bytes(hub.read(manifests.NAME, head.commit), where)
    log = hub.read("CHANGELOG.md", head.commit).decode() if "CHANGELOG.md" in head.files else ""
    return found, log


def publish(hub: Hub, revision: str, finish: Finish, *, message: str, delete_stray: bool, tag: str | None) -> Done:
    """Make a branch (or a pull request's reference) hold the snapshot, verified; returns what was done."""
    sent, sent_bytes, removed, first = 0, 0, 0, True
    seen: str | None = None
    earlier: str | None = None
    again = _Again(hub)
    while again.more():
        head = hub.head(revision)
        if head is None:
            raise PublishError("not_found", f"{hub.repo} is not there, or the token may not see it")
        before, log = remote_manifest(hub, head)
        snapshot = finish(before, log)
        if before and before.lock != snapshot.manifest.lock:
            earlier = before.corpus["version"]
        if not first:
            _check_race(seen, before, snapshot)
        seen, first = (before.lock if before else None), False
        if tag:
            check_tag(hub, tag, snapshot)
        plan = compare(snapshot, head, before, delete_stray=delete_stray)
        refuse_stray_data(plan)
        if not plan.done:
            commit = _commit(hub, revision, head, plan, message, again)
            if commit is None:
                continue
            sent, removed = sent + len(plan.send), removed + len(plan.remove)
            sent_bytes += sum(item.size for item in plan.send)
            head = hub.head(commit)
            assert head is not None, "a commit of this repository"
        wrong = divergence(snapshot, head, plan.stray)
        if wrong:
            more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
            raise PublishError(
                "diverged",
                f"{hub.repo} at {head.commit[:12]} is not as the manifest says: {'; '.join(wrong[:8])}{more}."
                " Run the same command again to mend it",
            )
        if tag:
            set_tag(hub, tag, head.commit, snapshot)
        return Done(
            url=hub.url, revision=revision, commit=head.commit, files=len(snapshot.files),
            bytes=sum(i.size for i in snapshot.files.values()), sent=sent, sent_bytes=sent_bytes, removed=removed,
            stray=plan.stray, tag=tag, manifest=snapshot.manifest, earlier=earlier,
        )  # fmt: skip
    raise again.gave_up()


class _Again:
    """Commits that did not go through: lost races, and answers that did not arrive. Both call for another look."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.rounds = hub, 0
        self.last: Exception | None = None

    def more(self) -> bool:
        self.rounds += 1
        return self.rounds <= self.hub.patience.tries

    def lost(self, error: Exception) -> None:
        """Wait as long as the failure asks for."""
        self.last = error
        if status(error) == 412:
            self.hub.say("another commit came first; looking again")
            return
        if self.rounds < self.hub.patience.tries:
            seconds = self.hub.patience.wait(error, self.rounds)
            self.hub.say(f"the commit was not answered ({patience.brief(error)}); looking again in {seconds:.0f} s")
            patience.sleep(seconds)

    def gave_up(self) -> PublishError:
        assert self.last is not None
        if status(self.last) == 412:
            return PublishError(
                "race", f"somebody else kept committing to {self.hub.repo}; run the same command when they are done"
            )
        return patience.gave_up("the commit", self.last, self.rounds - 1)


def _check_race(seen: str | None, before: Manifest | None, snapshot: Snapshot) -> None:
    """Another commit came in between: go on unless it published another corpus."""
    now = before.lock if before else None
    if now not in (seen, snapshot.manifest.lock):
        raise PublishError(
            "race",
            "somebody else published another version at the same time (lock"
            f" {str(now)[:16]}); nothing of yours is visible. Look at it, then run the same command again",
        )


def refuse_stray_data(plan: Plan) -> None:
    """A file nobody published where the configs look for data would silently become data."""
    data = [p for p in plan.stray if any(fnmatch.fnmatch(p, pattern) for pattern in DATA)]
    if data:
        raise PublishError(
            "stray_data",
            f"the repository holds files that no manifest knows and that the card's configs would read:"
            f" {', '.join(data[:8])}. Remove them, or let this command do it with --delete-stray",
        )


def _commit(hub: Hub, revision: str, head: Head, plan: Plan, message: str, again: _Again) -> str | None:
    """Send what is missing, then commit. None when the state must be looked at again before anything else."""
    from huggingface_hub import CommitOperationDelete

    operations: list[Any] = []
    total, done = sum(i.size for i in plan.send), 0
    for batch in _batches(plan.send):
        operations += hub.call("uploading", functools.partial(hub.send, batch, revision))
        done += sum(i.size for i in batch)
        hub.say(f"sent {len(operations):,} of {len(plan.send):,} files, {show_bytes(done)} of {show_bytes(total)}")
    operations += [CommitOperationDelete(path_in_repo=path, is_folder=False) for path in plan.remove]
    try:
        info = hub.api.create_commit(
            hub.repo,
            operations,
            commit_message=message,
            repo_type="dataset",
            revision=revision,
            parent_commit=head.commit,
        )
    except Exception as error:
        if "Invalid metadata in README.md" in str(error):
            raise PublishError("bad_card", f"the Hub does not accept the card: {error}") from None
        if status(error) == 412 or passing(error):
            # Whether it happened or not, the listing will tell: a commit whose answer was lost must not come twice.
            again.lost(error)
            return None
        raise hub.explain("the commit", error) from None
    return str(info.oid)


def _batches(items: Sequence[Item]) -> list[list[Item]]:
    """Items in groups that are sent, reported and tried again together."""
    from pilebuilder.task import batches

    found = []
    for group in batches(list(items), BATCH_BYTES, lambda item: item.size):
        found += [group[i : i + BATCH_FILES] for i in range(0, len(group), BATCH_FILES)]
    return found


def check_tag(hub: Hub, tag: str, snapshot: Snapshot) -> str | None:
    """The commit that a tag names, if it holds this very corpus; refused if it holds another."""
    refs = hub.call("listing tags", lambda: hub.api.list_repo_refs(hub.repo, repo_type="dataset"))
    target = next((ref.target_commit for ref in refs.tags if ref.name == tag), None)
    if target is None:
        return None
    held, _ = remote_manifest(hub, hub.head(target))
    if held is None or held.lock != snapshot.manifest.lock:
        raise PublishError(
            "tag_taken",
            f"the tag {tag} already names another corpus ({held.lock[:16] if held else 'not ours'}); raise `version:`"
            " in the recipe and build, or give another --tag",
        )
    return str(target)


def set_tag(hub: Hub, tag: str, commit: str, snapshot: Snapshot) -> None:
    """Tag the commit; a tag of the same corpus is left where it is."""
    if check_tag(hub, tag, snapshot) is None:
        hub.call(
            f"tagging {tag}",
            lambda: hub.api.create_tag(
                hub.repo,
                tag=tag,
                revision=commit,
                repo_type="dataset",
                tag_message=f"{snapshot.manifest.corpus['name']}, lock {snapshot.manifest.lock}",
                exist_ok=True,
            ),
        )
