"""One server for all worker processes of a test run: the first starts it, and ends it after the last."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Start = Callable[[], tuple[str, Callable[[], None]]]
"""Starts a server and returns its address and how to stop it."""


@contextmanager
def shared_server(folder: Path, name: str, start: Start, answers: Callable[[str], bool]) -> Iterator[str]:
    """The address of the one server called `name` that the processes with this `folder` share.

    Each user holds a shared lock for as long as it uses the server. Who started it waits for the
    exclusive lock before it stops it; a user that crashes gives its lock back by ending.
    """
    address_file = folder / f"{name}.address"
    stop: Callable[[], None] | None = None
    with (folder / f"{name}.users").open("w") as users, (folder / f"{name}.start").open("w") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)
        address = address_file.read_text() if address_file.exists() else ""
        if not address or not answers(address):
            address, stop = start()
            address_file.write_text(address)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield address
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)
            if stop:
                fcntl.flock(users, fcntl.LOCK_EX)
                stop()
