"""Child processes of the stack: own group, own log file of bounded size, sure end."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import psutil

from homeostat.local.errors import PortInUse, Taken
from homeostat.local.guard import Guard
from shared.errors import Misconfigured

_LOG_BYTES = 5_000_000

_WITHOUT_BYTECODE = "PYTHONDONTWRITEBYTECODE"
"""A container's usual setting, for processes that start once. These start often: each start would compile anew."""


class Child:
    """One program, started as often as needed. Its output goes to `log`."""

    def __init__(self, name: str, log: Path, guard: Guard) -> None:
        self.name = name
        self.log = log
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The number of the running process, or None."""
        return self._process.pid if self._process and self.running else None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How it ended; None while it runs or before it was started. Negative: the signal."""
        return self._process.poll() if self._process else None

    def start(self, argv: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Starts it in a process group of its own; what an earlier run left of the group is killed."""
        self.kill()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.keep_log_small()
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                list(argv),
                env={name: value for name, value in env.items() if name != _WITHOUT_BYTECODE},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._guard.enter(self._process.pid)

    def keep_log_small(self) -> None:
        """A log past its limit moves to ``<name>.old.log``; also while the program writes (O_APPEND: at the new end).

        What it writes just between copy and cut is lost. Where the disk is full all of it is: that ends the growth.
        """
        if not self.log.exists() or self.log.stat().st_size <= _LOG_BYTES:
            return
        with suppress(OSError):
            shutil.copyfile(self.log, self.log.with_suffix(".old.log"))
        os.truncate(self.log, 0)

    def listens_on(self, port: int) -> bool:
        """Whether it is this very program that listens on `port`, and not a stranger who was faster."""
        try:
            connections = psutil.Process(self.pid).net_connections("tcp") if self.pid else []
        except psutil.Error:
            return False
        return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in connections)

    def terminate(self) -> None:
        """Asks it to end (SIGTERM), without waiting."""
        if self._process and self.running:
            self._signal(signal.SIGTERM, whole_group=False)

    def strike(self) -> None:
        """SIGKILL to the whole group, without waiting."""
        self._signal(signal.SIGKILL, whole_group=True)

    def stop(self, grace: float = 10.0) -> None:
        """SIGTERM, then after `grace` seconds SIGKILL to the whole group. Afterwards nothing of it runs."""
        if self._process is None:
            return
        self.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(grace)
        self.kill()

    def kill(self) -> None:
        """SIGKILL to the whole group, at once."""
        if self._process is None:
            return
        self.strike()
        self._process.wait()
        self._guard.leave(self._process.pid)
        self._process = None

    def _signal(self, number: signal.Signals, *, whole_group: bool) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError, PermissionError):
            (os.killpg if whole_group else os.kill)(self._process.pid, number)


LAST_PORT = 65_535


def free_port() -> int:
    """A port of the loopback interface on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def claim_port(part: str, wanted: int, setting: str) -> int:
    """`wanted`, or any free port for 0. `PortInUse` where somebody listens on it, `Misconfigured` where it is none."""
    if wanted == 0:
        return free_port()
    if not 0 < wanted <= LAST_PORT:
        raise Misconfigured(
            f"{part} cannot listen on port {wanted}: there are 1 to {LAST_PORT}; choose one with {setting}"
        )
    if not is_free(wanted):
        raise PortInUse(Taken(part, wanted, setting))
    return wanted


def is_free(port: int) -> bool:
    """Whether nobody listens on this port of the loopback interface now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def reserve_port(port: int) -> TextIO | None:
    """Keeps `port` for this stack among all stacks of the machine while the file is open; None where it is kept.

    A broker that is down for a moment would otherwise find its port taken by another stack.
    """
    lock = (Path(tempfile.gettempdir()) / f"homeostat-port-{port}-{os.getuid()}.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock
