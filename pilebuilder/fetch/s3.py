"""S3 buckets, anonymous or requester-pays. botocore finds the credentials and signs; the bytes take our own road.

So objects are resumed, verified, limited and shared like any other file, and keys never leave the signing library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import quote, urlencode

from pydantic import Field

from pilebuilder.fetch import tools
from pilebuilder.fetch.base import Fetched, FetchError, Item, Want, safe_name
from pilebuilder.fetch.http import Listing
from pilebuilder.fetch.policy import Manners, Secret
from pilebuilder.registry import fetcher

if TYPE_CHECKING:
    from pilebuilder.fetch.web import Web


@fetcher("s3", version=1)
@dataclass(frozen=True, slots=True, kw_only=True)
class S3:
    """Objects of an S3 bucket: listed by prefix, or by an XML manifest with checksums as arXiv keeps one."""

    volatile: ClassVar[bool] = False
    network: ClassVar[bool] = True
    sampled: ClassVar[bool] = False

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", description="name of the bucket")]
    prefix: Annotated[str, Field(description="only keys that begin so")] = ""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$", description="region of the bucket")] = "us-east-1"
    anonymous: Annotated[bool, Field(description="ask without credentials")] = True
    requester_pays: Annotated[bool, Field(description="the transfer is billed to your account")] = False
    manifest: Annotated[str, Field(description="key of an XML manifest of files (filename, size, md5sum)")] = ""
    include: Annotated[str, Field(description="expression that a key must fit; (?P<date>...) gives the date")] = ""
    partial: Annotated[bool, Field(description="the beginning of an object is useful alone")] = False
    connections: Annotated[int, Field(ge=1, le=16, description="requests at once")] = 4

    def discover(self, web: Web, want: Want) -> Iterator[Item]:
        """Objects by key, with size and digest."""
        wanted = re.compile(self.include) if self.include else None
        for item in self._manifest(web) if self.manifest else self._listed(web):
            match = wanted.search(item.name) if wanted else None
            if wanted is None or match:
                date = match.groupdict().get("date") if match else None
                yield Item(**{**{f: getattr(item, f) for f in Item.__slots__}, "date": date})

    def fetch(self, item: Item, target: Path, web: Web) -> Fetched:
        return tools.bring(web, item, target, secret=self._secret(), manners=self._manners())

    @property
    def host(self) -> str:
        return f"{self.bucket}.s3.{self.region}.amazonaws.com"

    def _manners(self) -> Manners:
        return Manners(delay=0.0, connections=self.connections)

    def _address(self, key: str) -> str:
        return f"https://{self.host}/{quote(key)}"

    def _listed(self, web: Web) -> Iterator[Item]:
        query = urlencode({"list-type": "2", "prefix": self.prefix})
        listing = Listing(kind="s3", url=f"https://{self.host}/?{query}")
        for entry in tools.entries(web, listing, self._manners(), self._secret()):
            if not entry.name.endswith("/"):
                yield Item(
                    name=safe_name(entry.name),
                    address=self._address(entry.name),
                    bytes=entry.bytes,
                    digest=entry.digest,
                    version=entry.version,
                )

    def _manifest(self, web: Web) -> Iterator[Item]:
        from lxml import etree

        page = web.page(self._address(self.manifest), manners=self._manners(), secret=self._secret())
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
        try:
            root = etree.fromstring(page.body, parser)
        except etree.XMLSyntaxError as error:
            raise FetchError("bad_listing", f"the manifest {self.manifest} is not XML: {error}") from None
        for node in root.iter("file"):
            key, size, md5 = (node.findtext(n) or "" for n in ("filename", "size", "md5sum"))
            if not key or not size.isdigit():
                raise FetchError("bad_listing", f"the manifest {self.manifest} has an entry without filename or size")
            if key.startswith(self.prefix):
                digest = f"md5:{md5}" if md5 else None
                yield Item(
                    name=safe_name(key), address=self._address(key), bytes=int(size), digest=digest, version=md5
                )

    def _secret(self) -> Secret | None:
        if self.anonymous and not self.requester_pays:
            return None
        return Secret(host=self.host, sign=signer(self.region, self.requester_pays))


def signer(region: str, requester_pays: bool) -> Callable[[str, str], Mapping[str, str]]:
    """A function that signs requests with the user's own credentials; raises `FetchError` when there are none."""
    try:
        import botocore.auth
        import botocore.awsrequest
        import botocore.exceptions
        import botocore.session
    except ImportError:
        remedy = "install it: pip install 'pilebuilder[s3]'"
        raise FetchError("not_installed", "S3 with credentials needs botocore", remedy=remedy) from None
    try:
        credentials = botocore.session.get_session().get_credentials()
    except botocore.exceptions.BotoCoreError as error:
        raise FetchError("no_credential", f"the AWS configuration cannot be used: {error}") from None
    if credentials is None:
        remedy = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or configure a profile (never in a recipe)"
        raise FetchError("no_credential", "this bucket wants an AWS account, and none is configured", remedy=remedy)

    def sign(method: str, url: str) -> Mapping[str, str]:
        headers = {"x-amz-request-payer": "requester"} if requester_pays else {}
        request = botocore.awsrequest.AWSRequest(method=method, url=url, headers=headers)
        botocore.auth.S3SigV4Auth(credentials, "s3", region).add_auth(request)
        return dict(request.headers.items())

    return sign
