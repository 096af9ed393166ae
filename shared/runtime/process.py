"""`run_service`: one service as a process on Kafka, from its start to its orderly end."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from types import FrameType
from typing import Protocol

import structlog
import tenacity

from shared.bus import connect
from shared.bus.base import Bus, Fenced
from shared.clock import monotonic, utc_now
from shared.errors import Misconfigured, Transient
from shared.runtime.arrival import wait_for_listener
from shared.runtime.garbage import collect_seldom
from shared.runtime.host import Make
from shared.runtime.installation import topic_specs
from shared.runtime.jobs import Jobs
from shared.runtime.loop import ServiceLoop
from shared.runtime.parts import loop_of
from shared.runtime.progress import Progress
from shared.runtime.watchdog import STATUS, Watchdog
from shared.runtime.workers import WorkerJobs
from shared.settings import CommonSettings
from shared.state import FileStore, RedisStore, Snapshots, SnapshotStore
from shared.telemetry.http import Health, HealthServer
from shared.telemetry.logging import configure_logging
from shared.telemetry.metrics import Meters
from shared.telemetry.spans import spans_of

_log = structlog.get_logger("homeostat.runtime")

WAIT_SECONDS = 0.1
"""How long one turn waits for a record: what comes outside the group is seen this much later at most."""

START_SECONDS = 120.0
"""How long to wait for a broker before giving up."""

ARRIVAL_SECONDS = 15.0
"""A broker that starts at the same time may take so long before anything is said of it."""

PROGRESS_SECONDS = 15.0


class Companion(Protocol):
    """Something that runs beside the loop, as a web server in a thread."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


def run_service(
    name: str,
    make: Make,
    settings: CommonSettings,
    jobs: Jobs | None = None,
    companions: Sequence[Companion] = (),
    warm: Callable[[], None] | None = None,
    meters: Meters | None = None,
) -> int:
    """Runs service `name` until SIGTERM or SIGINT, then drains; returns the exit status.

    `warm` does the imports that jobs need, in a process that is started at once and that every worker is forked from.
    `meters` are served at `/metrics` with the runtime's own: give them where a companion counts too.

    0: ended in order. 1: Kafka stayed away, or transactions kept failing. 2: a setting is wrong.
    3: another process took this one's slot. 70 is the watchdogs' (the process hung). After any of them
    it can be started again and goes on where it stopped.
    """
    configure_logging(name, settings.log_level)
    stop = _stop_on_signals()
    try:
        workers = WorkerJobs(jobs or {}, settings, warm)
        _Process(name, make, settings, workers, companions, stop, meters or Meters()).run()
    except Misconfigured as error:
        _log.error("cannot run", why=str(error))
        return 2
    except Fenced as error:
        _log.error("another process took over", why=str(error))
        return 3
    except Transient as error:
        _log.error("gave up", why=str(error))
        return 0 if stop.is_set() else 1
    return 0


class _Process:
    def __init__(
        self,
        name: str,
        make: Make,
        settings: CommonSettings,
        jobs: WorkerJobs,
        companions: Sequence[Companion],
        stop: threading.Event,
        meters: Meters,
    ) -> None:
        self._name, self._make, self._settings = name, make, settings
        self._companions, self._stop = companions, stop
        self._jobs = jobs
        self._watchdog = Watchdog(settings.transaction_deadline_seconds)
        self._progress = Progress(3 * settings.transaction_deadline_seconds)
        self._checked = monotonic()
        self._meters = meters
        self._spans = spans_of(name, settings)
        self._loop: ServiceLoop | None = None

    def run(self) -> None:
        settings = self._settings
        health = HealthServer(
            settings.health_host,
            settings.health_port,
            alive=lambda: self._watchdog.alive,
            parts=self._health,
            metrics=self._meters.text,
        )
        health.start()
        _log.info("starting", health=f"http://{settings.health_host}:{health.port}", data=str(settings.data_dir))
        bus = connect(settings)
        started: list[Companion] = []
        try:
            self._jobs.prepare()
            self._loop = self._prepare(bus)
            for companion in self._companions:
                companion.start()
                started.append(companion)
            self._watchdog.start()
            collect_seldom()
            self._turn_until_stopped(self._loop)
            self._loop.drain()
            _log.info("drained")
        finally:
            self._watchdog.stop()
            self._jobs.stop()
            for companion in reversed(started):
                companion.stop()
            self._spans.close()
            health.stop()
            bus.close()

    def _prepare(self, bus: Bus) -> ServiceLoop:
        """Waits for the broker, makes the topics, and takes this process's slot."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Transient),
            stop=tenacity.stop_after_delay(START_SECONDS) | tenacity.stop_when_event_set(self._stop),
            sleep=tenacity.sleep_using_event(self._stop),
            wait=tenacity.wait_exponential(0.2, max=5.0),
            before_sleep=lambda state: _log.warning(
                "waiting for Kafka", why=str(state.outcome and state.outcome.exception())
            ),
            reraise=True,
        )
        wait_for_listener(self._settings.bootstrap_servers, ARRIVAL_SECONDS, self._stop)
        attempts(bus.ping, 5.0)
        attempts(bus.ensure_topics, topic_specs(self._settings), 30.0)
        return attempts(self._make_loop, bus, attempts(bus.cluster_id, 5.0))

    def _make_loop(self, bus: Bus, cluster: str) -> ServiceLoop:
        settings = self._settings
        stores: list[SnapshotStore] = [FileStore(settings.data_dir / "state")]
        if settings.redis_url:
            stores.insert(0, RedisStore(settings.redis_url))
        return loop_of(
            self._name,
            self._make,
            bus=bus,
            settings=settings,
            jobs=self._jobs,
            snapshots=Snapshots(stores, f"{cluster}/{settings.topic_prefix}", self._count_failed_snapshot),
            clock=utc_now,
            meters=self._meters,
            guarded=self._watchdog.transaction,
            alive=self._watchdog.turned,
            spans=self._spans,
        )

    def _turn_until_stopped(self, loop: ServiceLoop) -> None:
        while not self._stop.is_set():
            self._watchdog.turned()
            loop.turn(WAIT_SECONDS)
            if monotonic() - self._checked > PROGRESS_SECONDS:
                self._checked = monotonic()
                self._check_progress(loop)

    def _check_progress(self, loop: ServiceLoop) -> None:
        """Ends the process where a partition has records and its consumer gives none."""
        positions = loop.positions()
        try:
            ends = {
                (topic, partition): end
                for topic in {topic for topic, _ in positions}
                for partition, end in loop.parts.reader.end_offsets(topic).items()
            }
            for topic, partition in self._progress.standing(monotonic(), positions, ends):
                position, end = positions[topic, partition], ends[topic, partition]
                if any(loop.parts.reader.read(topic, partition, position, end)):
                    _log.critical(
                        "ending this process: a partition stands still", topic=topic, partition=partition, at=position
                    )
                    os._exit(STATUS)
                self._progress.excuse((topic, partition), end, monotonic())
        except Transient as error:
            _log.warning("progress not checked", why=str(error))

    def _count_failed_snapshot(self) -> None:
        self._meters.count("homeostat_errors_total", 1, service=self._name, reaction="snapshot")

    def _health(self) -> Mapping[str, Health]:
        if self._loop is None:
            return {"kafka": Health(False, f"waiting for a broker at {self._settings.bootstrap_servers}")}
        return self._loop.health()


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)
    return stop
