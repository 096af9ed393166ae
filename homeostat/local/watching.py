"""When a part is started, given up and started again. Pure: it sees facts and a clock, and says what to do."""

from __future__ import annotations

from dataclasses import dataclass
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

    def step(self, now: float, *, running: bool, answers: bool, needs_met: bool) -> Deed | None:
        """What to do now. `answers`: ready, while it starts; alive, once it was ready."""
        match self.phase:
            case "waiting":
                return self._launch(now) if needs_met and now >= self.start_at else None
            case "stopping":
                return self._stopping(now, running)
            case "gone":
                return None
        if not running:
            self._crashed(now)
            return None
        if answers:
            self._heard(now)
            return None
        return self._unanswered(now)

    def stop(self, now: float, seconds: float, *, leaving: bool) -> None:
        """It has been asked to end and may take `seconds`; then it starts again, unless it is `leaving`."""
        self._enter("stopping", now, "stopping")
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
            self.what = f"not ready after {START_SECONDS:.0f} s: killed"
            return "kill"
        if self.phase == "ready" and now - self.heard > SILENT_SECONDS:
            self.what = f"no answer for {SILENT_SECONDS:.0f} s: killed"
            return "kill"
        return None

    def _stopping(self, now: float, running: bool) -> Deed | None:
        if running:
            return "kill" if now > self.stop_by else None
        self.start_at = now
        self._enter("gone" if self.leaving else "waiting", now, "stopped")
        return None

    def _crashed(self, now: float) -> None:
        self.crashes += 1
        self.restarts += 1
        pause = min(FIRST_PAUSE * 2 ** (self.crashes - 1), LONGEST_PAUSE)
        self.start_at = now + pause
        self._enter("waiting", now, f"ended by itself (crash {self.crashes}): starts again in {pause:g} s")

    def _enter(self, phase: Phase, now: float, what: str) -> None:
        self.phase, self.since, self.what = phase, now, what
