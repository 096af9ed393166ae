"""The local stack as one object: start it, ask it where things are, stop it."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

from homeostat.local.control import Control
from homeostat.local.discovery import Claim
from homeostat.local.guard import Guard
from homeostat.local.keys import API_KEY, kept_secret
from homeostat.local.layout import Layout, settle
from homeostat.local.own_log import LOGGER
from homeostat.local.settings import StackSettings, stack_settings
from homeostat.local.supervisor import Event, Supervisor
from shared.bus.factory import connect
from shared.clock import monotonic
from shared.settings import common_settings

__all__ = ["Stack", "StackSettings", "stack_settings"]

Progress = Callable[[str], None]

_log = logging.getLogger(LOGGER)


_Handlers = dict[signal.Signals, Any]


def _unheard(_: object) -> None:
    """For whoever does not want to know."""


class Stack:
    """Kafka, Redis, MLflow and the services on this machine. Use it in a `with`, or stop it yourself.

    In a `with` in the main thread ctrl-C, SIGTERM and the end of the terminal end the block in order. Should this
    process be killed, everything it started is killed too.
    """

    def __init__(self, settings: StackSettings, on_event: Callable[[Event], None] | None = None) -> None:
        self.settings = settings
        self._on_event = on_event or _unheard
        self._progress: Progress = _unheard
        self._claim: Claim | None = None
        self._guard: Guard | None = None
        self._supervisor: Supervisor | None = None
        self._control: Control | None = None
        self._layout: Layout | None = None
        self._handlers: _Handlers = {}
        self._announcing = threading.Lock()
        self._ready = False

    def start(self, progress: Progress = _unheard) -> None:
        """Returns when Kafka, Redis and every service is ready; MLflow may follow.

        `StackInUse`, `PortInUse`, `NoSpace`, `Misconfigured` and `PartFailed` (which names the log)
        say why not; then nothing is left running.
        """
        began = monotonic()
        self._ready = False
        self._progress = progress
        try:
            self._start(progress)
        except BaseException:
            self.stop()
            raise
        progress(f"ready in {monotonic() - began:.1f} s")

    def _start(self, progress: Progress) -> None:
        settings = self.settings
        self._claim = Claim(settings.data_dir)
        self.api_key, fresh = kept_secret(settings.data_dir / API_KEY, "hs_")
        progress(f"API key (kept in {settings.data_dir / API_KEY})" + (f": {self.api_key}" if fresh else ""))
        self._guard = Guard()
        self._layout = settle(settings, self.api_key, self._guard)
        for line in self._layout.notes:
            progress(line)
        self._supervisor = Supervisor(self._layout.parts, self._heard)
        self._announce()
        self._supervisor.start()
        common = common_settings(self._layout.environ)
        self._control = Control(connect(common), common, self._supervisor, self._layout.service, progress)
        self._control.start()
        self._supervisor.wait_until_ready(settings.start_seconds)
        self._control.wait_until_following(settings.start_seconds)
        with self._announcing:
            self._ready = True
            self._claim.announce(self.urls, self._layout.public_environ)

    @property
    def urls(self) -> dict[str, str]:
        """Addresses by part: `gateway`, `predictor`, `kafka`, `redis`, `mlflow`."""
        return dict(self._laid_out.urls)

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which a service, or anything else, reaches this stack."""
        return dict(self._laid_out.environ)

    @property
    def status(self) -> dict[str, Event]:
        """Each part as it is now."""
        return self._supervised.status()

    def pid(self, part: str) -> int | None:
        """The process of a part, or None while it does not run."""
        return self._supervised.pid(part)

    def kill(self, part: str) -> None:
        """SIGKILL to a part: a fault put in on purpose. The supervisor starts it again."""
        self._supervised.kill(part)

    def restart(self, part: str) -> None:
        """Ends a part in order and starts it again. Returns at once."""
        self._supervised.restart(part)

    def stop(self) -> None:
        """Drains and ends everything. Afterwards nothing runs and the folder is free. May be called again."""
        if self._control:
            self._control.close()
        if self._supervisor:
            self._supervisor.stop()
        if self._guard:
            self._guard.close()
        if self._layout:
            self._layout.release()
        if self._claim:
            self._claim.release()
        self._control = self._supervisor = self._guard = self._claim = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._handlers = _handled(_interrupt)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with _undisturbed():
            self.stop()
        _put_back(self._handlers)
        self._handlers = {}

    def _heard(self, event: Event) -> None:
        _log.info("%s: %s", event.part, event.what)
        self._progress(f"{event.part}: {event.what}")
        self._announce()
        self._on_event(event)

    def _announce(self) -> None:
        """While it starts: where it will be, and what it waits for."""
        with self._announcing:
            if self._ready or self._claim is None or self._layout is None or self._supervisor is None:
                return
            late = [p.name for p in self._layout.parts if p.awaited and not self._supervisor.was_ready(p.name)]
            self._claim.announce(self.urls, self._layout.public_environ, late or ["the supervisor"])

    @property
    def _supervised(self) -> Supervisor:
        if self._supervisor is None:
            raise RuntimeError("the stack does not run: start it first")
        return self._supervisor

    @property
    def _laid_out(self) -> Layout:
        if self._layout is None:
            raise RuntimeError("the stack does not run: start it first")
        return self._layout


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextmanager
def _undisturbed() -> Iterator[None]:
    """A second ctrl-C does not tear the stop apart."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = _handled(signal.SIG_IGN)
    try:
        yield
    finally:
        _put_back(before)


def _handled(handler: Any) -> _Handlers:
    """Sets `handler` for what ends a stack, and returns those before it.

    SIGINT too where it is ignored: a shell's script does so for what it starts in the background. SIGHUP
    stays ignored where it is: that is what nohup is for.
    """
    stays = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    numbers = (signal.SIGINT, signal.SIGTERM) if stays else (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return {number: signal.signal(number, handler) for number in numbers}


def _put_back(handlers: _Handlers) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)
