"""One more process of a service, which nobody supervises: paused, killed and ended as a test wants it."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from homeostat.local.guard import Guard
from homeostat.local.process import Child
from homeostat.local.service import FRUGAL
from homeostat.local.waiting import wait_for
from tests.support.stack import Home

START_SECONDS = 90.0
END_SECONDS = 60.0


class Replica:
    """`instance` is its slot. Its log is its own, even beside another process in the same slot."""

    def __init__(self, home: Home, service: str, instance: str, log: Path, guard: Guard) -> None:
        own = {"HOMEOSTAT_INSTANCE": instance, "HOMEOSTAT_PREDICTOR_PORT": "0", "HOMEOSTAT_HEALTH_PORT": "0"}
        self._environ = {**home.stack.environ, **FRUGAL, **own}
        self._service = service
        self.child = Child(f"{service}-{instance}", log, guard)

    def start(self) -> None:
        self.child.start([sys.executable, "-P", "-m", f"services.{self._service}"], self._environ)

    def wait(self) -> None:
        """Returns when it has a task."""
        assert wait_for(lambda: self.says("task started") or not self.child.running, START_SECONDS), self.log
        assert self.child.running, self.log

    @property
    def log(self) -> str:
        return self.child.log.read_text()

    def says(self, words: str) -> bool:
        return words in self.log

    def end(self) -> None:
        """SIGTERM: it drains, and ends with status 0."""
        self.child.terminate()
        assert self.status() == 0, self.log

    def status(self) -> int | None:
        """How it ended, once it has; None where it goes on."""
        wait_for(lambda: not self.child.running, END_SECONDS, every=0.2)
        return self.child.exit_status

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        pid = self.child.pid
        assert pid is not None, self.log
        os.kill(pid, number)


class Replicas:
    """Makes them; `close` ends all."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._guard = Guard()
        self._made: list[Replica] = []

    def started(self, service: str, instance: str) -> Replica:
        """A new process in that slot; `wait` until it has a task."""
        log = self._home.data / "logs" / f"more-{len(self._made)}-{service}-{instance}.log"
        log.unlink(missing_ok=True)
        replica = Replica(self._home, service, instance, log, self._guard)
        self._made.append(replica)
        replica.start()
        return replica

    def close(self) -> None:
        for replica in self._made:
            replica.child.kill()
        self._guard.close()


@contextmanager
def replicas_of(home: Home) -> Iterator[Replicas]:
    """Whatever is started inside is gone afterwards."""
    made = Replicas(home)
    try:
        yield made
    finally:
        made.close()
