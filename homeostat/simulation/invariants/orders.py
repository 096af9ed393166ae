"""Commands: one effect each, and an end by a deadline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from homeostat.simulation.ran import Run
from shared.messages import CommandResult
from shared.topics import COMMAND_RESULTS, COMMANDS, MODEL_PUBLISHED

INGEST, TRAINER = "ingest", "trainer"
"""It answers a command as it obeys it, and never again."""
TERMINAL = ("succeeded", "failed", "refused", "expired")
SLACK = timedelta(seconds=3)
LONGEST = timedelta(hours=1)
"""What any order may take to be carried out: a word to a person."""
_NOBODY_KEEPS_TIME = (
    "away", "broker-paused", "slow-consumer", "clock-jump", "delay", "model-store-away", "rebalance"
)  # fmt: skip


def one_effect(run: Run) -> Iterator[str]:
    for id_, results in _by_command(run.given(COMMAND_RESULTS)).items():
        ends = [one for one in results if one.state in TERMINAL and one.service != "predictor"]
        if len({(one.state, one.detail) for one in ends}) > 1:
            yield f"command {id_} ended {len(ends)} times: {', '.join(one.state for one in ends)}"
        states = [one.state for one in results if one.service != "predictor"]
        if any(one in TERMINAL for one in states[:-1]) and states[-1] not in TERMINAL:
            yield f"command {id_} went on after its end: {', '.join(states)}"
        obeyed = sum(one.service == INGEST for one in results)
        if obeyed > 1:
            yield f"command {id_} was obeyed by ingest {obeyed} times"
    effects = Counter(
        (one.command, one.version, one.stage) for one in run.messages(MODEL_PUBLISHED) if one.command is not None
    )
    for (id_, version, stage), count in effects.items():
        if count > 1:
            yield f"command {id_} made version {version} {stage} {count} times"


def ended(run: Run) -> Iterator[str]:
    results = _by_command(run.messages(COMMAND_RESULTS))
    for command in run.messages(COMMANDS):
        if command.deadline - command.at > LONGEST:
            yield f"{command.action} {command.id} may take {command.deadline - command.at}"
        ends = [one for one in results.get(command.id, ()) if one.state in TERMINAL]
        if not ends:
            yield f"{command.action} {command.id} has no end; its deadline was {_second(command.deadline)}"
            continue
        if ends[0].at > command.deadline + SLACK and not disturbed(run):
            late = f"ended at {_second(ends[0].at)}, after its deadline {_second(command.deadline)}"
            yield f"{command.action} {command.id} {late}"
        for one in results.get(command.id, ()):
            if one.service == TRAINER and one.state == "accepted" and one.at > command.deadline:
                late = f"taken up at {_second(one.at)}, after its deadline {_second(command.deadline)}"
                yield f"{command.action} {command.id} was {late}"


def disturbed(run: Run) -> bool:
    """Whether something in the plan explains that nobody kept the time."""
    return any(fault.name in _NOBODY_KEEPS_TIME for fault in run.plan.faults)


def _by_command(results: Iterable[CommandResult]) -> dict[str, list[CommandResult]]:
    found: dict[str, list[CommandResult]] = defaultdict(list)
    for result in results:
        found[result.command].append(result)
    return found


def _second(at: datetime) -> str:
    return at.time().isoformat(timespec="seconds")
