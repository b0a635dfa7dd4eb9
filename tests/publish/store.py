"""What a Hub keeps: repositories with commits, branches, tags, pull requests; blobs by git and by LFS digest."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass, field
from typing import Any

LFS_SUFFIXES = (".zst", ".parquet", ".bin", ".gz", ".zip", ".npy", ".arrow")
LFS_SIZE = 10 << 20
"""Larger files are LFS whatever they are called; so are files with a zero byte in their first 512."""
ATTRIBUTES = "".join(f"*{s} filter=lfs diff=lfs merge=lfs -text\n" for s in LFS_SUFFIXES).encode()


def git_oid(content: bytes) -> str:
    """git's name of a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True)
class Entry:
    """A file of a commit: small content inline, or an LFS object by digest."""

    size: int
    content: bytes | None = None
    sha256: str | None = None

    @property
    def oid(self) -> str:
        if self.content is not None:
            return git_oid(self.content)
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{self.sha256}\nsize {self.size}\n"
        return git_oid(pointer.encode())

    def digest(self) -> str:
        """SHA-256 of the file's content."""
        return self.sha256 or hashlib.sha256(self.content or b"").hexdigest()


@dataclass
class Commit:
    oid: str
    parent: str | None
    title: str
    files: dict[str, Entry]


@dataclass
class Repo:
    name: str
    private: bool
    gated: str | bool = False
    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    """``refs/heads/main`` and so on: full name -> commit."""
    discussions: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        first = self.commit_files({".gitattributes": Entry(len(ATTRIBUTES), ATTRIBUTES)}, None, "initial commit")
        self.refs["refs/heads/main"] = first.oid

    def commit_files(self, files: dict[str, Entry], parent: str | None, title: str) -> Commit:
        listing = "".join(f"{p}\0{e.oid}\n" for p, e in sorted(files.items()))
        oid = hashlib.sha1(f"{parent}\0{title}\0{listing}".encode()).hexdigest()
        commit = self.commits[oid] = Commit(oid, parent, title, dict(files))
        return commit

    def resolve(self, revision: str) -> Commit | None:
        """A branch, tag, full ref or commit."""
        for name in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if name in self.refs:
                return self.commits[self.refs[name]]
        return self.commits.get(revision)

    def ref_of(self, revision: str) -> str | None:
        """Full name of a ref that can be committed to."""
        for name in (revision, f"refs/heads/{revision}"):
            if name in self.refs and not name.startswith("refs/tags/"):
                return name
        return None

    def listing(self, revision: str = "main") -> dict[str, tuple[int, str]]:
        """Path -> (size, sha256), as a test wants to compare it."""
        commit = self.resolve(revision)
        assert commit is not None, revision
        return {p: (e.size, e.digest()) for p, e in sorted(commit.files.items())}


@dataclass
class Account:
    name: str
    token: str
    role: str = "write"
    orgs: tuple[str, ...] = ()


@dataclass
class State:
    """Everything the server knows; one lock around it."""

    accounts: dict[str, Account] = field(default_factory=dict)
    repos: dict[str, Repo] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """LFS objects by sha256."""
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def account(self, authorization: str | None) -> Account | None:
        token = (authorization or "").removeprefix("Bearer ")
        return next((a for a in self.accounts.values() if a.token == token), None)
