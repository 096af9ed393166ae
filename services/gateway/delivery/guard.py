"""Which addresses a subscription may reach: public ones, and those an operator allowed by name."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

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
    if host not in allow and f"{host}:{port}" not in allow:
        for text in addresses:
            if not _public(text) and not _allowed(text, allow):
                raise Refused(
                    f"{host} is {text}, which is not a public address; HOMEOSTAT_WEBHOOK_ALLOW={host} would allow it"
                )
    return addresses[0]


def _public(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address.sixtofour or address
    return address.is_global and not address.is_multicast


def _allowed(text: str, allow: Sequence[str]) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    for entry in allow:
        try:
            if address in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:  # a name, not a network
            continue
    return False
