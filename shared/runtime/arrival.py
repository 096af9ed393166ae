"""Waiting for a broker that is about to start, before the first client asks it anything.

A Kafka client that is refused once waits ever longer before it tries again, and says so each time.
"""

from __future__ import annotations

import socket
import threading

from shared.clock import monotonic

LOOK_SECONDS = 0.05
CONNECT_SECONDS = 1.0


def wait_for_listener(bootstrap_servers: str, seconds: float, stop: threading.Event) -> bool:
    """Whether any of the `host:port` takes connections within `seconds`. Returns early when `stop` is set."""
    deadline = monotonic() + seconds
    while not stop.is_set():
        if any(listens(address.strip()) for address in bootstrap_servers.split(",")):
            return True
        if monotonic() >= deadline:
            break
        stop.wait(LOOK_SECONDS)
    return False


def listens(address: str) -> bool:
    """Whether `host:port` takes connections just now."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS):
            return True
    except (OSError, ValueError, OverflowError):
        return False
