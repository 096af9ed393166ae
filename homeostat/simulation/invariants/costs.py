"""What models cost: the time of the jobs behind an order, told with its end."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose

from homeostat.simulation.ran import Run
from shared.identity import stable_id
from shared.messages import Command
from shared.topics import COMMAND_RESULTS, COMMANDS, JOB_RESULTS, MODEL_PUBLISHED

JOBS = {"retrain": "train", "recalibrate": "recalibrate", "promote": "judge"}
"""Orders that take a job, and its name."""


def told(run: Run) -> Iterator[str]:
    """Of an order that was begun again, against a champion that answered by then, all the jobs count."""
    ends: dict[str, tuple[str, float | None]] = {}
    for one in run.given(COMMAND_RESULTS):
        if one.service == "trainer" and one.state in ("succeeded", "failed", "refused"):
            ends.setdefault(one.command, (one.state, one.cost_seconds))
    for command in run.given(COMMANDS):
        took = _took(run, command) if command.action in JOBS else []
        state, said = ends.get(command.id, ("", None))
        if took and state and not isclose(said or 0.0, sum(took), abs_tol=1e-6):
            yield f"{command.action} {command.id} {state}: its jobs took {sum(took):g} s, told are {said}"


def _took(run: Run, command: Command) -> list[float]:
    """The seconds of the order's jobs that have ended, in their order."""
    seconds = {end.job: end.seconds for end in run.messages(JOB_RESULTS)}
    versions = sorted({one.version for one in run.messages(MODEL_PUBLISHED)})
    found, job = [], stable_id(JOBS[command.action], command.id)
    while job in seconds:
        found.append(seconds[job])
        job = next((again for version in versions if (again := stable_id(job, version)) in seconds), "")
    return found
