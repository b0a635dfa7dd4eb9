"""``publish``: from a finished build to a verified publication on a Hub, in a bucket or in a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from pilebuilder import __version__
from pilebuilder.build.lockfile import STATE, RunLock
from pilebuilder.build.verify import Finding, group, verify
from pilebuilder.digest import digest_file
from pilebuilder.errors import PilebuilderError
from pilebuilder.publish import layout, papers, pieces
from pilebuilder.publish import manifest as manifests
from pilebuilder.publish.concerns import Concern, concerns, warnings
from pilebuilder.publish.corpus import Corpus
from pilebuilder.publish.hub import DEFAULT, Hub
from pilebuilder.publish.layout import Limits
from pilebuilder.publish.manifest import Item, Manifest, made
from pilebuilder.publish.patience import Patience
from pilebuilder.publish.problem import PublishError
from pilebuilder.publish.upload import Done, Snapshot, publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a person may choose about a publication."""

    components: bool = True
    """Files and a config per component beside the mixed shards."""
    parquet: bool = False
    """Those files, and the whole once more, as Parquet."""
    ledger: bool = False
    tokens: bool = False
    tokens_only: bool = False
    """A repository of its own for the tokens."""
    public: bool = False
    branch: str = "main"
    pull_request: bool = False
    gated: Literal["auto", "manual", "off"] | None = None
    gate: str = ""
    """What a person must agree to before a gated corpus is given to them."""
    tag: str | None = None
    """None: ``v`` and the corpus's version, on main only; empty: none."""
    delete_stray: bool = False
    yes: bool = False
    acknowledge_personal_data: bool = False
    cache: Path | None = None
    limits: Limits = field(default_factory=Limits)
    patience: Patience = field(default_factory=Patience)

    def groups(self) -> list[str]:
        return [name for name, wanted in (("ledger", self.ledger), ("tokens", self.tokens)) if wanted]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A corpus made ready: its files but the manifest and the changelog, and what a person should know."""

    corpus: Corpus
    items: list[Item]
    made: list[pieces.Made]
    concerns: list[Concern]
    warnings: list[str]
    accepted: list[str]
    label: str
    """What the changelog calls this version: the tag that was asked for, else the corpus's version."""

    def card(self) -> str:
        return next(i for i in self.items if i.path == "README.md").read().decode()

    def finish(self, before: Manifest | None, log: str) -> Snapshot:
        """The whole snapshot, with the changelog grown from the one that is published now."""
        files = {item.path: item for item in self.items}
        assert len(files) == len(self.items), "two files with one name"
        draft = Manifest(
            corpus={k: str(v) for k, v in self.corpus.lock["corpus"].items()},
            lock=self.corpus.digest,
            tool=f"pilebuilder {__version__}",
            components=self._components(),
            absent=layout.absent(self.corpus, self.items),
            accepted=self.accepted,
            files=files,
        )
        changes = made("CHANGELOG.md", papers.changelog(draft, self.label, before, log))
        manifest = replace(draft, files={**files, changes.path: changes})
        index = made(manifests.NAME, manifest.to_bytes())
        return Snapshot(manifest=manifest, files={**manifest.files, index.path: index})

    def _components(self) -> dict[str, dict[str, object]]:
        tally, found = self.corpus.tally("shard"), {}
        for name, slug in sorted(self.corpus.components.items()):
            splits: dict[str, int] = {}
            for one in self.made:
                if one.piece.component == name:
                    splits[one.piece.split] = splits.get(one.piece.split, 0) + one.documents
            found[name] = {"config": slug, "documents": tally[name].kept, "splits": splits}
        return found


def prepare(
    corpus: Corpus, name: str, url: str, options: Options, say: Callable[[str], None], *, dry: bool
) -> Prepared:
    """Verify the build, look for what speaks against it, write the files per component, the card and the papers.

    Raises `PublishError` ``refused`` when something speaks against it and nobody said yes, unless it is a dry run.
    """
    findings = verify(corpus.root, work=False)
    missing = [f for f in findings if f.kind == "missing" and _wanted(f.path, options)]
    if missing:
        raise PublishError("lock", f"{corpus.root}: {missing[0]} ({len(missing)} in all); build the corpus again")
    findings = [f for f in findings if f.kind != "missing"]
    corpus = as_it_is(corpus, findings)
    found = concerns(corpus, findings, options.acknowledge_personal_data)
    if not dry:
        refuse(corpus, found, options)
    accepted = sorted({c.kind for c in found} | ({"personal-data"} if options.acknowledge_personal_data else set()))
    cache = options.cache or corpus.root / STATE / "publish"
    planned = []
    if not options.tokens_only and (options.components or options.parquet):
        planned = pieces.plan(corpus, cache, components=options.components, parquet=options.parquet)
    done = pieces.make(corpus, planned, lambda shard: say(f"files per component: {shard}"))
    if planned and options.cache is None:
        pieces.collect(cache, planned)
    items = _items(corpus, name, url, options, done, [c.message for c in found])
    layout.check_limits([item.path for item in items], options.limits)
    return Prepared(
        corpus=corpus,
        items=items,
        made=done,
        concerns=found,
        warnings=warnings(corpus),
        accepted=accepted,
        label=options.tag or corpus.version,
    )


def as_it_is(corpus: Corpus, findings: Sequence[Finding]) -> Corpus:
    """The corpus with the digests that its files have, where those are not the lock's: the manifest never lies."""
    wrong = {f.path for f in findings if f.kind == "corrupt"} & set(corpus.outputs)
    if not wrong:
        return corpus
    outputs = []
    for entry in corpus.lock["outputs"]:
        if entry["path"] in wrong:
            digest, size = digest_file(corpus.root / entry["path"])
            entry = {**entry, "sha256": digest, "bytes": size}
        outputs.append(entry)
    return Corpus(corpus.root, {**corpus.lock, "outputs": outputs}, corpus.recipe)


def _wanted(path: str, options: Options) -> bool:
    own = group(path)
    return own not in layout.OPTIONAL or own in options.groups() or (options.tokens_only and own == "tokens")


def _items(
    corpus: Corpus, name: str, url: str, options: Options, done: list[pieces.Made], notes: Sequence[str]
) -> list[Item]:
    if options.tokens_only:
        items = layout.token_files(corpus, options.limits)
        return [*items, made("README.md", papers.tokens_readme(corpus, name))]
    items = layout.data_files(corpus, done, options.groups(), options.limits)
    card = papers.readme(corpus, name, done, tokens=options.tokens, gate=options.gate, accepted=notes)
    return [
        *items,
        made("README.md", card),
        made("CITATION.cff", papers.citation(corpus, url)),
        made("croissant.json", papers.croissant(corpus, url, items)),
    ]


def refuse(corpus: Corpus, found: Sequence[Concern], options: Options) -> None:
    """Stop when something speaks against publishing, unless a person said yes."""
    if not found or options.yes:
        return
    lines = "\n".join(f"  {c.kind}: {c.message}" for c in found)
    only = {c.kind for c in found}
    remedy = (
        "--acknowledge-personal-data says that you know and go on"
        if only == {"personal-data"}
        else "--yes says that you know all of it and go on"
    )
    raise PublishError("refused", f"this speaks against publishing {corpus.name}:\n{lines}\n{remedy}")


def to_hub(
    corpus: Corpus,
    repo: str,
    options: Options,
    say: Callable[[str], None],
    *,
    dry: Callable[[Prepared, Snapshot], None] | None = None,
) -> Done | None:
    """Publish to a Hub. With `dry` nothing is sent or created; it is given what would be."""
    url = f"{_address()}/datasets/{repo}"
    with ExitStack() as held:
        held.enter_context(RunLock(corpus.root))
        if dry is None:
            hub = Hub(repo, say, patience=options.patience)
            hub.check_writer(pull_request=options.pull_request)
        prepared = prepare(corpus, repo, url, options, say, dry=dry is not None)
        if dry is not None:
            dry(prepared, prepared.finish(None, ""))
            return None
        return _send(hub, prepared, options)


def _address() -> str:
    from pilebuilder.publish.hub import endpoint

    try:
        return endpoint()
    except PublishError:
        return DEFAULT


def _send(hub: Hub, prepared: Prepared, options: Options) -> Done:
    head = hub.head("main")
    if head is None:
        if options.pull_request:
            raise PublishError("not_found", f"{hub.repo} is not there: nothing to make a pull request to")
        hub.create()
        head = hub.head("main")
        assert head is not None, "it was created just now"
    if not head.private and not options.public and not options.pull_request:
        raise PublishError("refused", f"{hub.repo} is public: what is published there is seen by all. Say --public")
    corpus = prepared.corpus
    message = f"{corpus.name} {corpus.version}, lock {corpus.digest[:16]}"
    tag = options.tag if options.tag is not None else f"v{corpus.version}"
    if options.pull_request:
        revision, tag = _pull_request(hub, message), ""
    else:
        revision = _branch(hub, options.branch)
        if options.tag is None and options.branch != "main":
            tag = ""
        if options.gated is not None and options.gated != (head.gated or "off"):
            gated: Literal["auto", "manual", False] = False if options.gated == "off" else options.gated
            hub.call(
                "setting who may read",
                lambda: hub.api.update_repo_settings(hub.repo, gated=gated, repo_type="dataset"),
            )
    done = publish(hub, revision, prepared.finish, message=message, delete_stray=options.delete_stray, tag=tag or None)
    if options.public and head.private and not options.pull_request:
        hub.call(
            "making it public",
            lambda: hub.api.update_repo_settings(hub.repo, private=False, repo_type="dataset"),
        )
    if options.pull_request:
        _open(hub, revision)
    return done


def _branch(hub: Hub, branch: str) -> str:
    if branch != "main":
        hub.call(
            f"making the branch {branch}",
            lambda: hub.api.create_branch(hub.repo, branch=branch, repo_type="dataset", exist_ok=True),
        )
    return branch


def _pull_request(hub: Hub, title: str) -> str:
    """The reference of the pull request with this title, made if there is none: a killed run finds its own again."""
    listed = hub.call(
        "listing pull requests", lambda: list(hub.api.get_repo_discussions(hub.repo, repo_type="dataset"))
    )
    for one in listed:
        if one.is_pull_request and one.title == title and one.status in ("draft", "open"):
            return f"refs/pr/{one.num}"
    opened = hub.call(
        "opening a pull request", lambda: hub.api.create_pull_request(hub.repo, title=title, repo_type="dataset")
    )
    return f"refs/pr/{opened.num}"


def _open(hub: Hub, revision: str) -> None:
    number = int(revision.rpartition("/")[2])
    found = hub.call(
        "reading the pull request", lambda: hub.api.get_discussion_details(hub.repo, number, repo_type="dataset")
    )
    if found.status == "draft":
        hub.call(
            "opening the pull request",
            lambda: hub.api.change_discussion_status(hub.repo, number, "open", repo_type="dataset"),
        )


def to_shelf(
    corpus: Corpus,
    target: str,
    options: Options,
    say: Callable[[str], None],
    *,
    dry: Callable[[Prepared, Snapshot], None] | None = None,
) -> Done | None:
    """Publish to a bucket or folder."""
    from pilebuilder.publish import shelf

    for name, wrong in (("--gated", options.gated), ("--pull-request", options.pull_request)):
        if wrong:
            raise PilebuilderError(f"{name} is for a Hub; a bucket or folder has no such thing")
    with RunLock(corpus.root):
        prepared = prepare(corpus, target, "", options, say, dry=dry is not None)
        if dry is not None:
            dry(prepared, prepared.finish(None, ""))
            return None
        revision = options.tag or f"v{corpus.version}"
        return shelf.publish(
            target, revision, prepared.finish, patience=options.patience, say=say, delete_stray=options.delete_stray
        )
