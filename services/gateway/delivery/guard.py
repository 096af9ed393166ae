"""Which addresses a subscription may reach: public ones, and those an operator allowed by name."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

Resolve = Callable[[str, int], list[str]]


class Refused(Exception):
    """The target is not one that may be reached; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL resolved once: connect to `address`, speak to `host`. What DNS says later does not matter."""

    url: str
    scheme: str
    host: str
    port: int
    address: str


def resolve(host: str, port: int) -> list[str]:
    """The host's addresses, by the system's resolver."""
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except OSError as error:
        raise Refused(f"{host} cannot be resolved: {error}") from error


def target_of(url: str, allow: Sequence[str], resolver: Resolve = resolve) -> Target:
    """Where `url` leads. `Refused` unless every address of its host is public, or the host is allowed."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise Refused(f"{parts.scheme or 'no scheme'}: a webhook is an http or https URL")
    if not parts.hostname or parts.username or parts.password:
        raise Refused("a webhook names a host, and carries no user or password")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise Refused(f"{url}: {error}") from error
    address = check_host(parts.hostname, port, allow, resolver)
    return Target(url, parts.scheme, parts.hostname, port, address)


def check_host(host: str, port: int, allow: Sequence[str], resolver: Resolve = resolve) -> str:
    """The address to connect to; `Refused` where one of the host's addresses is not to be reached."""
    addresses = resolver(host, port)
    if not addresses:
        raise Refused(f"{host} has no address")
    if not allowed_by_name(host, port, allow):
        for text in addresses:
            if not _public(text) and not _allowed(text, allow):
                raise Refused(
                    f"{host} is {text}, which is not a public address; HOMEOSTAT_WEBHOOK_ALLOW={host} would allow it"
                )
    return addresses[0]


def allowed_by_name(host: str, port: int, allow: Sequence[str]) -> bool:
    """Whether an operator trusts this name, wherever it leads."""
    return host in allow or f"{host}:{port}" in allow


_reachable: ContextVar[tuple[str, ...] | None] = ContextVar("reachable", default=None)


@contextmanager
def guarded(allow: Sequence[str]) -> Iterator[None]:
    """Within it, this thread connects to public addresses and those of `allow` alone; else `Refused`.

    For libraries that resolve names themselves: what was checked before may have been answered
    otherwise since (DNS rebinding), so each address is checked when it is connected to. Threads that
    such a library starts are not bound.
    """
    _watch_connections()
    token = _reachable.set(tuple(allow))
    try:
        yield
    finally:
        _reachable.reset(token)


@cache
def _watch_connections() -> None:
    """By Python's audit events (PEP 578), which no library can go around; a hook stays for good."""
    sys.addaudithook(_at_connection)


def _at_connection(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in ("socket.connect", "socket.sendto"):
        return
    allow = _reachable.get()
    if allow is None:
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        raise Refused(f"{address!r} is a socket of this machine")
    if not _public(str(address[0])) and not _allowed(str(address[0]), allow):
        raise Refused(f"the connection would go to {address[0]}, which is not a public address")


def _public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or _translated(address) or address
        if address.version == 6 and address not in GLOBAL_UNICAST:
            return False
    return address.is_global and not address.is_multicast


def _translated(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address behind one of NAT64's well-known prefix (RFC 6052): a gateway on the way leads there."""
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else None


def _allowed(text: str, allow: Sequence[str]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    for entry in allow:
        try:
            if address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:  # a name, not a network
            continue
    return False
