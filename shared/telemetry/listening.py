"""A socket that listens, made before anything else is started: a port in use is an error that says so."""

from __future__ import annotations

import socket

from shared.errors import Misconfigured

_BACKLOG = 1024


def listening(host: str, port: int, *, what: str, variable: str) -> socket.socket:
    """A socket that listens on `host` (a name, IPv4 or IPv6) and `port` (0: any that is free).

    `Misconfigured` where the address cannot be had; it says that `what` cannot listen, and which
    `variable` sets the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"{what} cannot listen on {host}:{port} ({error.strerror}): set {variable} to a free port"
        ) from error
    return listener
