"""A peer's process in its own environment, asked line by line (`benchmarks.peers.serving`)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks.environments import CHECKOUT, python_of
from shared.errors import HomeostatError

QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "BENTOML_DO_NOT_TRACK": "True"}
"""No peer tells its makers of these runs."""


class Told(NamedTuple):
    """What a peer answered, and the seconds of its processor that it took."""

    result: Any
    seconds: float


class Peer:
    """One peer under measurement."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, do: str, **values: Any) -> Told:
        """Its answer; `HomeostatError` where it ended instead."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **values}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise HomeostatError(f"the peer ended while it was asked for {do!r}: see above")
        return Told(**json.loads(line))


def environ_of_peers() -> dict[str, str]:
    """What a peer's process is given: this one's, one thread for numeric libraries, and no telemetry."""
    return {**os.environ, **QUIET, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextmanager
def asked(group: str, module: str) -> Iterator[Peer]:
    """The module of this group's peers, running."""
    command = [str(python_of(group)), "-m", f"benchmarks.peers.{module}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=CHECKOUT, env=environ_of_peers(), stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield Peer(process)
        finally:
            process.kill()
