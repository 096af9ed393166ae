"""Small programs that behave like parts of a stack: well, badly, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

from homeostat.local.guard import Guard
from homeostat.local.parts import Part
from homeostat.local.process import Child
from homeostat.local.waiting import wait_for

SLEEPS = "exec sleep 600"
"""Works until it is ended."""


def part(
    name: str,
    folder: Path,
    guard: Guard,
    script: str = SLEEPS,
    *,
    needs: tuple[str, ...] = (),
    after_seconds: float = 0.0,
    awaited: bool = True,
    service: str = "",
) -> Part:
    """A shell script as a part, ready as soon as it has written its `name`.ready file."""
    child, ready = Child(name, folder / f"{name}.log", guard), folder / f"{name}.ready"

    def launch() -> None:
        ready.unlink(missing_ok=True)
        child.start(["/bin/sh", "-c", f"echo started; touch {ready}; {script}"], os.environ)

    return Part(
        name,
        child,
        launch,
        ready=ready.exists,
        alive=lambda: child.running,
        service=service or name,
        needs=needs,
        after_seconds=after_seconds,
        awaited=awaited,
        stop_seconds=2,
    )


def given_to(part: Part) -> dict[str, str]:
    """The environment of a part's running process. For a moment after its start the system shows none."""
    process = psutil.Process(part.child.pid)
    assert wait_for(lambda: bool(process.environ()), 10, every=0.01)
    return process.environ()
