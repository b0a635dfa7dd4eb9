"""Connections that refuse private addresses. The check is made on the resolved address, at the moment of connecting.

So neither a redirect, nor an odd spelling of an address, nor a name that resolves differently the second time can
reach a machine behind the user's firewall.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import os
import socket
import threading
from typing import TYPE_CHECKING, Any

from pilebuilder.fetch.base import FetchError
from pilebuilder.fetch.policy import Policy

if TYPE_CHECKING:
    from urllib3 import PoolManager

ALLOW_PRIVATE = "PILEBUILDER_TEST_ALLOW_PRIVATE"
"""Environment variable for tests only: ``address:port`` pairs, comma between them, that may be private and plain."""


class ForbiddenAddressError(OSError):
    """A name resolved to an address that must not be asked."""


def allowed_for_tests() -> frozenset[str]:
    """Addresses that the test-only override lets through."""
    return frozenset(filter(None, os.environ.get(ALLOW_PRIVATE, "").split(",")))


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet; looks through IPv4 in IPv6 in all its forms.

    >>> is_public("93.184.216.34"), is_public("10.0.0.1"), is_public("::ffff:127.0.0.1"), is_public("100.64.0.1")
    (True, False, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
        if int(ip) >> 32 == 0:  # ::a.b.c.d, the deprecated compatible form, holds :: and ::1 too
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_link_local)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def proxy() -> str | None:
    """The user's proxy, by the usual variables (HTTPS_PROXY, ALL_PROXY); it may lie on a private network."""
    from urllib.request import getproxies

    found = getproxies()
    return found.get("https") or found.get("all")


def check_through_proxy(host: str) -> None:
    """Behind a proxy the proxy resolves names; what is left to check here is an address in an address' own form."""
    plain = host.strip("[]")
    try:
        literal = str(ipaddress.ip_address(plain))
    except ValueError:
        try:
            literal = socket.inet_ntoa(socket.inet_aton(plain))  # 2130706433, 0x7f.1 and their like
        except OSError:
            if plain.lower().rstrip(".") in ("localhost", "localhost.localdomain"):
                raise ForbiddenAddressError(f"{host} is this machine") from None
            return
    if not is_public(literal):
        raise ForbiddenAddressError(f"{host} is not on the public internet")


def guarded_socket(
    host: str, port: int, timeout: float, allowed: frozenset[str], trusted: tuple[str, int] | None = None
) -> socket.socket:
    """Connect to the first public address of a host. Raises ForbiddenAddressError when it has none, else OSError.

    `trusted` is the user's own proxy, which may be private.
    """
    found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    refused: list[str] = []
    failure: OSError | None = None
    for family, kind, protocol, _, address in found:
        where = str(address[0])
        if not is_public(where) and f"{where}:{port}" not in allowed and (host, port) != trusted:
            refused.append(where)
            continue
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(timeout)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.connect(address)
            return sock
        except OSError as error:
            sock.close()
            failure = error
    if failure is None:
        raise ForbiddenAddressError(
            f"{host} is {', '.join(refused) or 'no address'}, which is not on the public internet"
        )
    raise failure


class Watched(http.client.HTTPResponse):
    """A response that notices when the server sends more than the length it declared: then the length was a lie."""

    surplus = False

    def _close_conn(self) -> None:
        reader = self.fp
        if reader is not None and self.length == 0 and not self.chunked and self.status not in (204, 304):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sock = reader.raw._sock  # type: ignore[attr-defined]
                held = sock.gettimeout()
                sock.settimeout(0)
                try:
                    self.surplus = bool(reader.peek(1))  # type: ignore[attr-defined]
                finally:
                    sock.settimeout(held)
        super()._close_conn()  # type: ignore[misc]


def make_pool(policy: Policy) -> PoolManager:
    """A urllib3 pool whose connections are guarded and whose headers have a deadline."""
    import urllib3
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

    allowed = allowed_for_tests()
    through = proxy()
    at = urllib3.util.parse_url(through) if through else None
    trusted = (str(at.host), at.port or (443 if at.scheme == "https" else 80)) if at and at.host else None

    class Guarded(HTTPConnection):
        """Resolves, checks and connects; cuts the connection when the headers take too long."""

        response_class = Watched

        def _new_conn(self) -> socket.socket:
            try:
                port = self.port or self.default_port
                return guarded_socket(self._dns_host, port, policy.connect_timeout, allowed, trusted)
            except socket.gaierror as error:
                raise NameResolutionError(self.host, self, error) from error
            except TimeoutError as error:
                raise ConnectTimeoutError(self, f"no answer within {policy.connect_timeout:.0f} s") from error
            except OSError as error:
                raise NewConnectionError(self, str(error)) from error

        def getresponse(self) -> Any:
            sock = self.sock
            late = threading.Event()

            def cut() -> None:
                late.set()
                if sock is not None:
                    with contextlib.suppress(OSError):
                        sock.shutdown(socket.SHUT_RDWR)

            timer = threading.Timer(policy.header_timeout, cut)
            timer.daemon = True
            timer.start()
            try:
                response = super().getresponse()
            except Exception as error:
                if late.is_set():
                    raise TimeoutError(f"no complete headers within {policy.header_timeout:g} s") from error
                raise
            else:
                if late.is_set():  # http.client takes headers that were cut for complete ones
                    raise TimeoutError(f"no complete headers within {policy.header_timeout:g} s")
                return response
            finally:
                timer.cancel()

    class GuardedTLS(HTTPSConnection, Guarded):
        """The same over TLS."""

    class Plain(HTTPConnectionPool):
        ConnectionCls = Guarded

    class Secure(HTTPSConnectionPool):
        ConnectionCls = GuardedTLS

    options: dict[str, Any] = {
        "num_pools": 16,
        "maxsize": 4,
        "timeout": urllib3.Timeout(connect=policy.connect_timeout, read=policy.read_timeout),
        "retries": False,
        "ca_certs": _certificates(),
    }
    pool = urllib3.ProxyManager(through, **options) if through else urllib3.PoolManager(**options)
    pool.pool_classes_by_scheme = {"http": Plain, "https": Secure}
    return pool


def _certificates() -> str:
    """Trusted roots: the user's choice by the usual variables, else the bundle of certifi."""
    chosen = os.environ.get("SSL_CERT_FILE") or os.environ.get("REQUESTS_CA_BUNDLE")
    if chosen:
        if not os.path.isfile(chosen):
            raise FetchError("tls", f"the certificate bundle {chosen} does not exist", remedy="mend SSL_CERT_FILE")
        return chosen
    import certifi

    return str(certifi.where())
