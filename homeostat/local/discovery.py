"""One stack per data folder, and how others find the one that runs."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from homeostat.local.errors import StackInUse
from shared.errors import Misconfigured

STATE = "stack.json"
LOCK = "lock"


class Claim:
    """The right to run a stack on a data folder. It ends with this process, in whatever way that ends."""

    def __init__(self, data: Path) -> None:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)  # it holds keys, events and models
        self._data = data
        self._lock: TextIO = (data / LOCK).open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            pid = _state(data).get("pid", "unknown")
            raise StackInUse(
                f"a stack already runs on {data} (process {pid}): stop that one, or start another beside it with "
                "--data FOLDER --port 0 (another folder, ports that are free)"
            ) from error
        (data / STATE).unlink(missing_ok=True)  # it told of the last one

    def announce(self, urls: Mapping[str, str], environment: Mapping[str, str], waiting: Sequence[str] = ()) -> None:
        """Says where the stack is to be found, and for which parts it waits while it starts. No secrets."""
        state = {"pid": os.getpid(), "urls": dict(urls), "environment": dict(environment), "waiting": list(waiting)}
        part = self._data / f"{STATE}.part"
        part.write_text(json.dumps(state, indent=2) + "\n")
        part.replace(self._data / STATE)

    def release(self) -> None:
        """The folder is free. Where the stack was stays written there, for whoever asks for it in vain."""
        self._lock.close()


def environment_of(data: Path) -> dict[str, str]:
    """The variables by which anything else reaches the stack that runs on `data`; empty where none does, or not yet."""
    return dict(_state(data).get("environment", {})) if is_running(data) and not starting_of(data) else {}


def starting_of(data: Path) -> str:
    """How far the stack on `data` is while it starts, as ``starting: waiting for monitor``; empty otherwise."""
    if not is_running(data):
        return ""
    state = _state(data)
    if not state:
        return "starting"
    return f"starting: waiting for {', '.join(state['waiting'])}" if state.get("waiting") else ""


def unreachable(data: Path) -> str:
    """Why nothing on `data` can be reached: the stack starts, or there is none."""
    starting = starting_of(data)
    return f"the stack on {data} is {starting}; ask again in some seconds" if starting else f"no stack runs on {data}"


def kafka_environment(data: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """As `environment_of`, those of `environ` going before; `Misconfigured` where neither says where Kafka is."""
    found = {**environment_of(data), **environ}
    if not found.get("KAFKA_BOOTSTRAP_SERVERS"):
        if starting_of(data):
            raise Misconfigured(unreachable(data))
        raise Misconfigured(
            f"{unreachable(data)}: `homeostat up --data {data}` starts one. Else say on which folder it runs with "
            "--data, or where Kafka is with KAFKA_BOOTSTRAP_SERVERS"
        )
    return found


def urls_of(data: Path) -> dict[str, str]:
    """The addresses of the stack that runs on `data`; empty where none does."""
    return dict(_state(data).get("urls", {})) if is_running(data) else {}


def last_urls_of(data: Path) -> dict[str, str]:
    """The addresses of the stack that runs on `data`, or of the one that ran there last."""
    return dict(_state(data).get("urls", {}))


def is_running(data: Path) -> bool:
    """Whether a stack runs on `data`."""
    if not (data / LOCK).exists():
        return False
    with (data / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _state(data: Path) -> dict[str, Any]:
    try:
        state = json.loads((data / STATE).read_text())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
