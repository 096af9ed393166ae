"""The whole system on this machine, and its front doors: REST and the command line."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from homeostat.client import Client
from homeostat.local.stack import Stack, stack_settings


@dataclass(frozen=True, slots=True)
class Home:
    """A running stack, the folder it keeps everything in, and a client of its gateway."""

    stack: Stack
    data: Path
    client: Client

    @property
    def url(self) -> str:
        return self.stack.urls["gateway"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.stack.api_key}"}

    def full_name(self, topic: str) -> str:
        """The topic's name on the broker."""
        return self.stack.environ["HOMEOSTAT_TOPIC_PREFIX"] + topic

    def cli(self, *words: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        """`homeostat` with these words, as someone would call it who only knows the data folder."""
        return run_cli(*words, data=self.data, seconds=seconds)


@contextmanager
def running_home(data: Path, **settings: str) -> Iterator[Home]:
    """A stack on free ports; its topics have a prefix of their own, for a broker that others use too.

    `settings` are variables of the environment, above those that are there.
    """
    prefix = f"home-{hashlib.sha256(str(data).encode()).hexdigest()[:8]}."
    environ = {**os.environ, "HOMEOSTAT_TOPIC_PREFIX": prefix, **settings}
    with Stack(stack_settings(data, 0, environ)) as stack:
        stack.start()
        with Client(stack.urls["gateway"], stack.api_key) as client:
            yield Home(stack, data, client)


def run_cli(*words: str, data: Path, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """`homeostat` with these words, in a terminal of 100 columns."""
    return subprocess.run(
        [sys.executable, "-m", "homeostat", *words],
        env={**os.environ, "HOMEOSTAT_DATA": str(data), "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
