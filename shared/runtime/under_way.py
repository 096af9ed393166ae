"""A turn's transaction: committed in place, or in a thread of its own while the next turn reads and takes its steps."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime

from shared.bus.base import NewRecord
from shared.messages import JobFinished
from shared.runtime.host import Taken
from shared.runtime.tasks import Running

WORTH_RECORDS = 1_000
"""Turns that took fewer wait for their commit: what comes meanwhile then goes with the next one, and is not split."""


@dataclass(slots=True)
class UnderWay:
    """What a transaction holds, and its outcome: the seconds that it took, or what `Transaction.commit` raised."""

    taken: Sequence[tuple[Running, Taken]]
    ended: Sequence[JobFinished]
    records: Sequence[NewRecord]
    now: datetime
    outcome: Future[float] = field(default_factory=Future)

    def run(self, commit: Callable[[], float], *, aside: bool) -> None:
        """Commits, and returns at once where that goes on `aside`."""
        if aside:
            threading.Thread(target=self._run, args=(commit,), name="commit", daemon=True).start()
        else:
            self._run(commit)

    def _run(self, commit: Callable[[], float]) -> None:
        try:
            self.outcome.set_result(commit())
        except Exception as error:  # noqa: BLE001 - raised where the outcome is asked for
            self.outcome.set_exception(error)
