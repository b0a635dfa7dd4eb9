"""A Hub as publishing needs it: the real client, kept from sending the token anywhere but to the Hub itself."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from pilebuilder.publish.manifest import Item
from pilebuilder.publish.patience import Patience, chain, stale_address, status
from pilebuilder.publish.problem import TOKEN_VARIABLES, PublishError, clean

DEFAULT = "https://huggingface.co"
THREADS = 4
READ_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A file on the Hub."""

    bytes: int
    sha256: str | None
    """For LFS files; others are known by git's name of their content."""
    blob: str

    def same(self, item: Item) -> bool:
        """Whether this is the item's content: its SHA-256, or for a small file git's SHA-1 of the whole of it."""
        if self.bytes != item.size:
            return False
        if self.sha256 is not None:
            return self.sha256 == item.sha256
        content = item.read()
        return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest() == self.blob


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """One revision of a repository."""

    commit: str
    private: bool
    gated: Any
    files: dict[str, Held] = field(repr=False)


def endpoint() -> str:
    """The Hub to speak to: HF_ENDPOINT, else the public one. Plain http only to this machine."""
    given = os.environ.get("HF_ENDPOINT", "").rstrip("/") or DEFAULT
    parts = urlsplit(given)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise PublishError("unreachable", f"HF_ENDPOINT is {given!r}: not an address")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise PublishError(
            "refused", f"HF_ENDPOINT is {given!r}: a token would travel unencrypted; use https for another machine"
        )
    return given


def token(address: str) -> str:
    """The token from the environment or the Hub's own store; the store's only for the public Hub, its issuer."""
    given = next((v for n in TOKEN_VARIABLES if (v := os.environ.get(n, "").strip())), None)
    if given:
        if not given.isascii() or not given.isprintable() or " " in given:
            raise PublishError("no_token", "HF_TOKEN holds characters that no token has; set it again")
        return given
    stored = _stored() if address == DEFAULT else None
    if stored:
        return stored
    if address != DEFAULT:
        raise PublishError(
            "no_token",
            f"no token for {address}: set HF_TOKEN in the environment (the stored token is for {DEFAULT} and is not"
            " sent elsewhere)",
        )
    raise PublishError(
        "no_token",
        f"no token: run `hf auth login`, or set HF_TOKEN in the environment; make one with write access at"
        f" {DEFAULT}/settings/tokens",
    )


def _stored() -> str | None:
    prepare()
    from huggingface_hub import get_token

    found: str | None = get_token()
    return found


def prepare() -> None:
    """Settings that the client reads when it is imported. LFS unless the user asks for Xet: its batch answer says what
    is there already, and the address of every byte sent can be checked."""
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import constants

    if os.environ["HF_HUB_DISABLE_XET"] in ("1", "true", "True", "ON", "YES"):
        constants.HF_HUB_DISABLE_XET = True


def guard(address: str) -> None:
    """Make the client's connections strip the token from requests to any host but `address`.

    The client follows redirects, and posts to addresses that answers name (the check after an upload): neither may
    carry the token away. A redirect of anything but a read to another host is refused.
    """
    from huggingface_hub import set_client_factory
    from huggingface_hub.utils._http import default_client_factory

    home = _origin(address)

    def on_request(request: Any) -> None:
        if _origin(str(request.url)) != home:
            request.headers.pop("authorization", None)

    def on_response(response: Any) -> None:
        if response.is_redirect and response.request.method not in ("GET", "HEAD"):
            target = str(response.request.url.join(response.headers.get("location", "")))
            if _origin(target) != _origin(str(response.request.url)):
                raise PublishError(
                    "redirected",
                    f"{response.request.method} {response.request.url} is redirected to {_origin(target)[1]}: refused,"
                    " nothing was sent there",
                )

    def factory() -> Any:
        client = default_client_factory()
        client.event_hooks["request"].append(on_request)
        client.event_hooks["response"].append(on_response)
        client.event_hooks = client.event_hooks
        client.timeout = READ_SECONDS
        return client

    set_client_factory(factory)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(address)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def relay(say: Callable[[str], None]) -> None:
    """The client's warnings (its own retries) go through `say`, without tokens or signed addresses."""
    from huggingface_hub.utils import disable_progress_bars

    class Relay(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            say(clean(record.getMessage()))

    logger = logging.getLogger("huggingface_hub")
    logger.handlers = [Relay(logging.WARNING)]
    logger.propagate = False
    disable_progress_bars()


class Hub:
    """One repository of datasets on a Hub. Every call is tried again as long as its failure may pass."""

    def __init__(
        self,
        repo: str,
        say: Callable[[str], None],
        *,
        patience: Patience | None = None,
        anonymous: bool = False,
    ) -> None:
        self.address = endpoint()
        try:
            secret: str | bool = token(self.address)
        except PublishError:
            if not anonymous:
                raise
            secret = False
        prepare()
        guard(self.address)
        relay(say)
        from huggingface_hub import HfApi

        self.api = HfApi(endpoint=self.address, token=secret)
        self.repo, self.say, self.patience = repo, say, patience or Patience()

    @property
    def url(self) -> str:
        return f"{self.address}/datasets/{self.repo}"

    def call(self, what: str, work: Callable[[], Any], tries: int | None = None) -> Any:
        """Do it, patiently; failures that do not pass come out in words."""
        patience = self.patience if tries is None else Patience(tries=tries, base=self.patience.base)
        try:
            return patience.run(what, work, self.say)
        except PublishError:
            raise
        except Exception as error:
            raise self.explain(what, error) from None

    def explain(self, what: str, error: Exception) -> PublishError:
        """A failure of the client in words, with a name."""
        from huggingface_hub.errors import HFValidationError

        named = next((cause for cause in chain(error) if isinstance(cause, PublishError)), None)
        if named is not None:
            return named
        code = status(error)
        text = clean(" ".join(str(cause).strip() for cause in chain(error) if str(cause).strip()))
        if isinstance(error, HFValidationError):
            return PublishError("bad_name", f"{self.repo!r} is not a name that the Hub allows: {text}")
        if code == 401:
            return PublishError(
                "bad_token",
                f"{what}: the Hub does not know the token, or it has expired; make another at"
                f" {self.address}/settings/tokens",
            )
        if code == 403:
            return PublishError(
                "no_right",
                f"{what}: the token has no right to write to {self.repo}; use a token with write access to that"
                " namespace, or propose the change with --pull-request",
            )
        if code == 404:
            return PublishError("not_found", f"{what}: {self.repo} is not there, or the token may not see it ({text})")
        if code == 413:
            return PublishError("over_limit", f"{what}: the Hub finds it too large ({text})")
        if code == 412:
            return PublishError("race", f"{what}: somebody else committed at the same time")
        if isinstance(error, OSError) and code is None:
            from pilebuilder.build.store import explain_os_error

            return PublishError("disk", str(explain_os_error(error, what)))
        return PublishError("hub_error", f"{what}: {f'HTTP {code}: ' if code else ''}{text or type(error).__name__}")

    def check_writer(self, *, pull_request: bool) -> None:
        """The token is known, may write, and its account owns the namespace; before anything is sent."""
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id

        try:
            validate_repo_id(self.repo)
        except HFValidationError as error:
            raise self.explain("the name", error) from None
        if "/" not in self.repo:
            raise PublishError("bad_name", f"give the repository as ORG/NAME, not {self.repo!r}")
        who = self.call("asking who the token belongs to", self.api.whoami, tries=2)
        role = ((who.get("auth") or {}).get("accessToken") or {}).get("role")
        if role == "read":
            raise PublishError(
                "no_right",
                f"the token of {who['name']} may only read; make one with write access at"
                f" {self.address}/settings/tokens",
            )
        owners = {who["name"], *(org.get("name") for org in who.get("orgs", []))}
        space = self.repo.split("/")[0]
        if space not in owners and not pull_request:
            raise PublishError(
                "other_owner",
                f"{space} is neither {who['name']} nor one of its organisations"
                f" ({', '.join(sorted(map(str, owners - {who['name']}))) or 'none'}); choose one of them, or propose"
                " the change with --pull-request",
            )

    def create(self) -> None:
        """The repository, privately, if it is not there."""
        self.call(
            f"creating {self.repo}",
            lambda: self.api.create_repo(self.repo, repo_type="dataset", private=True, exist_ok=True),
        )

    def head(self, revision: str) -> Head | None:
        """A revision with the listing of exactly its commit; None when the repository is not there."""
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        def look() -> Head | None:
            try:
                info = self.api.repo_info(self.repo, repo_type="dataset", revision=revision)
            except RevisionNotFoundError:
                raise PublishError("not_found", f"{self.repo} has no revision {revision!r}") from None
            except RepositoryNotFoundError as error:
                if status(error) == 401:
                    raise
                return None
            tree = self.api.list_repo_tree(self.repo, recursive=True, revision=info.sha, repo_type="dataset")
            files = {
                f.path: Held(bytes=f.size, sha256=f.lfs.sha256 if f.lfs else None, blob=f.blob_id)
                for f in tree
                if hasattr(f, "blob_id")
            }
            return Head(commit=str(info.sha), private=bool(info.private), gated=info.gated, files=files)

        found: Head | None = self.call(f"listing {self.repo}", look)
        return found

    def read(self, path: str, commit: str) -> bytes:
        """A small file of a commit."""
        from huggingface_hub import hf_hub_url
        from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

        url = hf_hub_url(self.repo, path, repo_type="dataset", revision=commit, endpoint=self.address)

        def get() -> bytes:
            response = get_session().get(url, headers=build_hf_headers(token=self.api.token), follow_redirects=True)
            hf_raise_for_status(response)
            return bytes(response.content)

        content: bytes = self.call(f"reading {path}", get)
        return content

    def operation(self, item: Item) -> Any:
        """The client's object for adding a file, with the digest we know already."""
        from huggingface_hub import CommitOperationAdd

        source: Any = item.source
        if item.of:
            source = item.open()
        elif not isinstance(source, bytes):
            source = str(source)
        operation = CommitOperationAdd(path_in_repo=item.path, path_or_fileobj=source)
        operation.upload_info.sha256 = bytes.fromhex(item.sha256)
        return operation

    def send(self, items: Sequence[Item], revision: str) -> list[Any]:
        """Upload what must go through LFS; nothing of it is visible before the commit."""
        operations = [self.operation(item) for item in items]
        try:
            self.api.preupload_lfs_files(
                self.repo,
                operations,
                repo_type="dataset",
                revision=revision,
                num_threads=THREADS,
                free_memory=False,
            )
        except Exception as error:
            if stale_address(error, self.address):
                raise ConnectionError("the address to upload to has expired") from None
            raise
        return operations
