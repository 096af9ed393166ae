"""Starts the parts, watches them, starts them again, and ends them all."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from homeostat.local.errors import PartFailed
from homeostat.local.own_log import LOGGER, tell_safely
from homeostat.local.parts import Part
from homeostat.local.waiting import wait_for
from homeostat.local.watching import Watch
from shared.clock import monotonic
from shared.errors import HomeostatError, Misconfigured

TURN_SECONDS = 0.1
ALIVE_EVERY_SECONDS = 2.0
CRASHES_AT_START = 3
LOGS_EVERY_SECONDS = 60.0

_log = logging.getLogger(LOGGER)


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a part. `phase` is what it is in now, `what` says it to a person.

    `starts` counts its launches, `restarts` its crashes.
    """

    part: str
    phase: str
    what: str
    restarts: int = 0
    starts: int = 0


@dataclass(slots=True)
class Watched:
    """A part and what is known of it. `fault` is what last went wrong with watching it, logged once."""

    part: Part
    watch: Watch = field(default_factory=Watch)
    asked: float = 0.0
    cut: float = 0.0
    fault: str = ""


class Supervisor:
    """Keeps `parts` running from `start` to `stop`, in a thread of its own.

    Parts start in the given order as soon as what they need is ready, without waiting for each
    other otherwise. One that crashes starts again, each time after a longer pause. Logs are held to
    their limit every `logs_every` seconds. `on_event` is called in the supervisor's thread; whatever
    it, or a part's own functions, raise is logged, and all parts are watched on.
    """

    def __init__(
        self, parts: Iterable[Part], on_event: Callable[[Event], None], *, logs_every: float = LOGS_EVERY_SECONDS
    ) -> None:
        self._watched = {part.name: Watched(part) for part in parts}
        self._on_event = on_event
        self._logs_every = logs_every
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self._failure: HomeostatError | None = None

    def start(self) -> None:
        self._thread.start()

    def wait_until_ready(self, seconds: float) -> None:
        """Returns when all awaited parts are ready; raises what stands in the way."""
        done = wait_for(lambda: self._failure is not None or self._all_ready(), seconds)
        if self._failure:
            raise self._failure
        if not done:
            late = next(each for each in self._watched.values() if each.part.awaited and not each.watch.ever_ready)
            raise PartFailed(late.part.name, f"was not ready in {seconds:g} s", late.part.child.log)

    def stop(self) -> None:
        """Ends all: first the services, side by side, then the servers, Kafka last. Afterwards nothing runs."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        parts = [each.part for each in self._watched.values()]
        for group in ([p for p in parts if not p.is_server], *([p] for p in reversed(parts) if p.is_server)):
            for part in group:
                part.child.terminate()
            deadline = monotonic() + max((part.stop_seconds for part in group), default=0)
            for part in group:
                part.child.stop(max(deadline - monotonic(), 0.01))

    def restart(self, name: str, why: str = "asked to") -> None:
        """Ends the part in order and starts it again. Returns at once."""
        self._part(name)
        self._orders.put(lambda: self._stop_part(name, leaving=False, why=why))

    def add(self, part: Part) -> None:
        """Starts one more part. Returns at once."""
        self._orders.put(lambda: self._watched.update({part.name: Watched(part)}))

    def remove(self, name: str, why: str = "asked to") -> None:
        """Ends the part in order, for good. Returns at once."""
        self._part(name)
        self._orders.put(lambda: self._stop_part(name, leaving=True, why=why))

    def kill(self, name: str) -> None:
        """SIGKILL, as a fault put in on purpose: the part is started again like after any crash."""
        self._part(name).child.strike()

    def status(self) -> dict[str, Event]:
        """Each part as it is now."""
        return {name: self._event(each) for name, each in list(self._watched.items())}

    def instances(self, service: str) -> list[Part]:
        """The running parts of a service."""
        found = [each.part for each in list(self._watched.values()) if not each.watch.leaving]
        return [part for part in found if part.service == service]

    def pid(self, name: str) -> int | None:
        return self._part(name).child.pid

    def is_ready(self, name: str) -> bool:
        each = self._watched.get(name)
        return each is not None and each.watch.phase == "ready"

    def was_ready(self, name: str) -> bool:
        each = self._watched.get(name)
        return each is not None and each.watch.ever_ready

    def _part(self, name: str) -> Part:
        if name not in self._watched:
            raise Misconfigured(f"the stack has no part {name!r}; it has {', '.join(self._watched)}")
        return self._watched[name].part

    def _all_ready(self) -> bool:
        return all(each.watch.ever_ready for each in list(self._watched.values()) if each.part.awaited)

    def _run(self) -> None:
        while not self._ended.wait(TURN_SECONDS):
            self._take_orders()
            for name, each in list(self._watched.items()):
                if self._ended.is_set():
                    return
                try:
                    self._turn(each)
                except Exception as error:  # noqa: BLE001 - one part's fault leaves the others watched
                    self._fault(each, error)
                if each.watch.phase == "gone":
                    del self._watched[name]

    def _take_orders(self) -> None:
        while not self._orders.empty():
            try:
                self._orders.get()()
            except Exception:  # noqa: BLE001 - as with a part's turn
                _log.exception("an order failed")

    def _turn(self, each: Watched) -> None:
        before, now = each.watch.what, monotonic()
        running, status = each.part.child.running, each.part.child.exit_status
        answers, needs_met = self._answers(each, now), self._needs_met(each.part, now)
        deed = each.watch.step(now, running=running, answers=answers, needs_met=needs_met, status=status)
        if each.watch.what != before:
            self._tell(each)
        if deed == "kill":
            each.part.child.strike()
        elif deed == "launch":
            self._launch(each)
        self._give_up_early(each)
        if now - each.cut >= self._logs_every:
            each.cut = now
            each.part.child.keep_log_small()

    def _needs_met(self, part: Part, now: float) -> bool:
        needed = [self._watched[need].watch for need in part.needs if need in self._watched]
        return all(each.phase == "ready" and now - each.since >= part.after_seconds for each in needed)

    def _answers(self, each: Watched, now: float) -> bool:
        """Whether it is well. One that cannot be asked has not answered."""
        starting = each.watch.phase == "starting"
        if not starting and (each.watch.phase != "ready" or now - each.asked < ALIVE_EVERY_SECONDS):
            return False
        each.asked = now
        try:
            return each.part.ready() if starting else each.part.alive()
        except Exception as error:  # noqa: BLE001 - a probe may fail in any way
            self._fault(each, error)
            return False

    def _launch(self, each: Watched) -> None:
        try:
            each.part.launch()
        except HomeostatError as error:
            self._failed(each, error)
        except OSError as error:
            self._failed(each, PartFailed(each.part.name, f"cannot be started: {error}", each.part.child.log))

    def _failed(self, each: Watched, error: HomeostatError) -> None:
        each.watch.failed_to_launch(monotonic(), str(error))
        self._tell(each)
        if each.part.awaited and not each.watch.ever_ready:
            self._failure = self._failure or error

    def _give_up_early(self, each: Watched) -> None:
        """A part that never was ready and keeps ending is not worth waiting for."""
        if each.part.awaited and not each.watch.ever_ready and each.watch.crashes >= CRASHES_AT_START:
            what = f"ended by itself {each.watch.crashes} times before it was ready"
            self._failure = self._failure or PartFailed(each.part.name, what, each.part.child.log)

    def _stop_part(self, name: str, *, leaving: bool, why: str) -> None:
        each = self._watched.get(name)
        if each is None:
            return
        each.part.child.terminate()
        each.watch.stop(monotonic(), each.part.stop_seconds, leaving=leaving, why=why)
        self._tell(each)

    def _tell(self, each: Watched) -> None:
        tell_safely(self._on_event, self._event(each))

    def _fault(self, each: Watched, error: Exception) -> None:
        if each.fault != repr(error):
            each.fault = repr(error)
            _log.error("%s: %r", each.part.name, error, exc_info=error)

    def _event(self, each: Watched) -> Event:
        return Event(each.part.name, each.watch.phase, each.watch.what, each.watch.restarts, each.watch.starts)
