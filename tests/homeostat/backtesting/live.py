"""A history sent to the services' own loops on a real broker, under the wall clock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from homeostat.backtesting.history import History
from homeostat.backtesting.lanes import Arrivals
from homeostat.backtesting.loop import arrivals_of
from homeostat.simulation.assembly import OTHER_JOB_SECONDS, Knobs, jobs_of, services_of
from homeostat.simulation.simulation import definition_of, event_of, label_of
from services.remediator.settings import RemediatorSettings
from shared.bus import connect
from shared.bus.base import NewRecord
from shared.clock import monotonic, utc_now
from shared.codec import decode, encode
from shared.models.store import FileStore
from shared.pipeline.specification import Policy
from shared.runtime.installation import topic_specs
from shared.runtime.loop import ServiceLoop
from shared.runtime.memory import InlineJobs
from shared.runtime.parts import loop_of
from shared.settings import CommonSettings
from shared.state import MemoryStore, Snapshots
from shared.topics import PIPELINES, RAW_DATA, TELEMETRY, Topic

KEY = b"a key for tests"


class Live:
    """Five services on a broker, in this process. `say` sends rows and waits until all has been said about them."""

    def __init__(
        self,
        history: History,
        bootstrap: str,
        prefix: str,
        folder: Path,
        *,
        partitions: int,
        policies: tuple[Policy, ...],
    ) -> None:
        self.history = history
        self.settings = CommonSettings(
            bootstrap_servers=bootstrap,
            data_dir=folder,
            topic_prefix=prefix,
            signing_key=KEY,
            data_partitions=partitions,
            snapshot_seconds=3600.0,
            tick_seconds=0.05,
        )
        self._bus = connect(self.settings)
        self._bus.ensure_topics(topic_specs(self.settings), timeout=30.0)
        self._producer = self._bus.producer(prefix + "test")
        self._reader = self._bus.reader(prefix + "test")
        self.rows: dict[str, list[int]] = {}
        limits = Knobs().remediator.limits
        knobs = Knobs(remediator=RemediatorSettings(policies=policies, limits=limits))
        makers = services_of(knobs, FileStore(folder / "artifacts"), KEY)
        tables = jobs_of()
        self._loops: dict[str, ServiceLoop] = {
            name: loop_of(
                name,
                make,
                bus=self._bus,
                settings=self.settings,
                jobs=InlineJobs(tables.get(name, {}), self.settings, self._bus, lambda _: OTHER_JOB_SECONDS / 50),  # type: ignore[arg-type]
                snapshots=Snapshots([MemoryStore()], prefix),
                clock=utc_now,
            )
            for name, make in makers.items()
        }
        self._put(PIPELINES, [definition_of(history.specification, 1, utc_now())])
        self._rest()

    def play(self, batch: int, watched: tuple[Topic[Any], ...]) -> None:
        """The whole history; `rows[topic]` says, by message, how many rows had been sent by then."""
        for arrivals in arrivals_of(self.history, batch):
            self._put(RAW_DATA, self._records(arrivals))
            self._rest()
            for topic in watched:
                rows = self.rows.setdefault(topic.name, [])
                rows += [arrivals.until] * (len(self.of(topic)) - len(rows))

    def of(self, topic: Topic[Any]) -> list[Any]:
        """The topic's committed messages. Control topics have one partition."""
        name = self.settings.full_name(topic.name)
        stop = self._reader.end_offsets(name)[0]
        return [decode(topic, r.value) for chunk in self._reader.read(name, 0, 0, stop) for r in chunk]

    def close(self) -> None:
        for loop in self._loops.values():
            loop.drain()
        self._producer.close()
        self._reader.close()
        self._bus.close()

    def _records(self, arrivals: Arrivals) -> list[Any]:
        specification, columns, now = self.history.specification, self.history.columns, utc_now()
        events = [
            event_of(specification, columns.row(r), "history", now) for r in range(arrivals.first, arrivals.until)
        ]
        cells = columns.cells[str(specification.target)]
        return events + [label_of(specification, self.history.ids[r], cells[r], "history", now) for r in arrivals.due]

    def _put(self, topic: Topic[Any], messages: list[Any]) -> None:
        name = self.settings.full_name(topic.name)
        self._producer.send([NewRecord(name, topic.key(one).encode(), encode(one)) for one in messages], 30.0)

    def _rest(self, calm: float = 0.3) -> None:
        """Turns the services until nothing but pulses has moved for `calm` seconds: a commit is not seen at once."""
        place, since = self._place(), monotonic()
        while monotonic() - since < calm or len(place) < len(self._loops):
            for loop in self._loops.values():
                loop.turn(0.005)
            if (now_at := self._place()) != place:
                place, since = now_at, monotonic()

    def _place(self) -> dict[str, object]:
        """How far each service is that takes data, by name; without one that has not begun."""
        pulses = self.settings.full_name(TELEMETRY.name)
        places: dict[str, object] = {}
        for name, loop in self._loops.items():
            read = {at: offset for at, offset in loop.positions().items() if at[0] != pulses}
            followed = {task: dict(one.host.positions) for task, one in loop.tasks.running.items()}
            if read:
                places[name] = (
                    read,
                    {task: {at: o for at, o in p.items() if at[0] != TELEMETRY.name} for task, p in followed.items()},
                )
        return places
