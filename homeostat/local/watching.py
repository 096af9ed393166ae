"""When a part is started, given up and started again. Pure: it sees facts and a clock, and says what to do."""

from __future__ import annotations

from dataclasses import dataclass
from signal import Signals
from typing import Literal

Phase = Literal["waiting", "starting", "ready", "stopping", "gone"]
Deed = Literal["launch", "kill"]

START_SECONDS = 90.0
"""A part that was started and is not ready by then is killed and started again."""
SILENT_SECONDS = 30.0
"""A part that runs but has not answered for so long is taken to be stuck."""
STEADY_SECONDS = 60.0
"""Ready for so long, and its earlier crashes no longer count."""
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


@dataclass(slots=True)
class Watch:
    """What is known of one part. `crashes` counts those in a row, `restarts` all; `starts` counts launches.

    `what` is the last thing that happened to it, for people.
    """

    phase: Phase = "waiting"
    since: float = 0.0
    heard: float = 0.0
    start_at: float = 0.0
    stop_by: float = 0.0
    crashes: int = 0
    restarts: int = 0
    starts: int = 0
    ever_ready: bool = False
    leaving: bool = False
    what: str = ""
    killed_for: str = ""

    def step(
        self, now: float, *, running: bool, answers: bool, needs_met: bool, status: int | None = None
    ) -> Deed | None:
        """What to do now. `answers`: ready, while it starts; alive, once it was ready. `status`: how it ended."""
        match self.phase:
            case "waiting":
                return self._launch(now) if needs_met and now >= self.start_at else None
            case "stopping":
                return self._stopping(now, running)
            case "gone":
                return None
        if not running:
            self._crashed(now, status)
            return None
        if answers:
            self._heard(now)
            return None
        return self._unanswered(now)

    def stop(self, now: float, seconds: float, *, leaving: bool, why: str = "") -> None:
        """It has been asked to end and may take `seconds`; then it starts again, unless it is `leaving`."""
        self._enter("stopping", now, f"stopping: {why}" if why else "stopping")
        self.stop_by = now + seconds
        self.leaving = leaving

    def failed_to_launch(self, now: float, why: str) -> None:
        """The launch itself raised: as good as a crash."""
        self._crashed(now)
        self.what = why

    def _launch(self, now: float) -> Deed:
        self.starts += 1
        self._enter("starting", now, "started")
        return "launch"

    def _heard(self, now: float) -> None:
        self.heard = now
        if self.phase == "starting":
            self.ever_ready = True
            self._enter("ready", now, f"ready after {now - self.since:.1f} s")
        elif now - self.since > STEADY_SECONDS:
            self.crashes = 0

    def _unanswered(self, now: float) -> Deed | None:
        if self.phase == "starting" and now - self.since > START_SECONDS:
            return self._killed(f"not ready after {START_SECONDS:.0f} s")
        if self.phase == "ready" and now - self.heard > SILENT_SECONDS:
            return self._killed(f"no answer for {SILENT_SECONDS:.0f} s")
        return None

    def _killed(self, why: str) -> Deed:
        self.killed_for, self.what = why, f"{why}: killed"
        return "kill"

    def _stopping(self, now: float, running: bool) -> Deed | None:
        if running:
            return "kill" if now > self.stop_by else None
        self.start_at = now
        self._enter("gone" if self.leaving else "waiting", now, "stopped")
        return None

    def _crashed(self, now: float, status: int | None = None) -> None:
        self.crashes += 1
        self.restarts += 1
        pause = min(FIRST_PAUSE * 2 ** (self.crashes - 1), LONGEST_PAUSE)
        self.start_at = now + pause
        how = f"killed, {self.killed_for}" if self.killed_for else f"ended {_told(status)}"
        self.killed_for = ""
        self._enter("waiting", now, f"{how} (crash {self.crashes}): starts again in {pause:g} s")

    def _enter(self, phase: Phase, now: float, what: str) -> None:
        self.phase, self.since, self.what = phase, now, what


def _told(status: int | None) -> str:
    """How a process ended, for people.

    >>> _told(-9), _told(2)
    ('by SIGKILL', 'with status 2')
    """
    if status is None:
        return "by itself"
    return f"by {Signals(-status).name}" if -status in set(Signals) else f"with status {status}"
