"""Releases: what a version must have shown before it is live, and where a rollback goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from homeostat.simulation.brought import BROUGHT
from homeostat.simulation.ran import Run
from shared.bus.base import Record
from shared.messages import Command, CommandResult, ModelPublished
from shared.topics import COMMAND_RESULTS, COMMANDS, JOB_RESULTS, MODEL_PUBLISHED, REQUESTS, STEPS

LOWER_IS_BETTER = ("log_loss", "mae", "rmse", "anomaly_share")
HOLDS = {"hold": True, "release_hold": False}
LEARNS = ("retrain", "recalibrate", "promote")
LETS_GO = ("rollback", "shift_traffic", "hold", "release_hold")
"""What a held pipeline may be ordered all the same."""


def numbered(run: Run) -> Iterator[str]:
    first: dict[str, str] = {}
    brought: dict[str, str] = {}
    for release in run.messages(MODEL_PUBLISHED):
        sha256 = release.artifact.sha256
        if release.lineage.code_revision == BROUGHT and brought.setdefault(sha256, release.version) != release.version:
            yield f"{sha256[:12]} was brought again, and is version {brought[sha256]} and version {release.version}"
        if first.setdefault(release.version, sha256) != sha256:
            yield f"version {release.version} was {first[release.version][:12]} and is {sha256[:12]}"


def gated(run: Run) -> Iterator[str]:
    """By the figures of the job that made it, whatever verdict the job gave."""
    made = {sha256: end for end in run.messages(JOB_RESULTS) if (sha256 := _made(end.result or {}))}
    commands = {one.id: one for one in run.messages(COMMANDS)}
    seen: set[str] = set()
    for release in run.messages(MODEL_PUBLISHED):
        if release.version in seen:
            continue
        seen.add(release.version)
        end, command = made.get(release.artifact.sha256), commands.get(release.command or "")
        if end is None:
            yield f"version {release.version} was released, and no job made or judged it"
        elif command is None or command.arguments.get("force") is not True:
            for worse in _not_better(run, release, end.result or {}):
                yield f"version {release.version} was released without force, {worse}"


def judged(run: Run) -> Iterator[str]:
    """By the order of the job that made or judged it, and what was live when it was first released."""
    asked = {one.job.id: one.job.arguments for one in run.begun}
    of = {_made(end.result or {}): asked.get(end.job, {}) for end in run.messages(JOB_RESULTS) if end.result}
    commands = {one.id: one for one in run.messages(COMMANDS)}
    champion: ModelPublished | None = None
    seen: set[str] = set()
    for release in run.messages(MODEL_PUBLISHED):
        command, order = commands.get(release.command or ""), of.get(release.artifact.sha256, {})
        by_name = command is not None and (command.action not in LEARNS or command.arguments.get("version"))
        if release.version not in seen and champion is not None and not by_name and not order.get("forced"):
            against = ((order.get("champion") or {}).get("artifact") or {}).get("sha256", "nobody")
            if against != champion.artifact.sha256:
                said = f"version {release.version} was judged against {against[:12]}"
                yield f"{said}, and version {champion.version} answers"
        seen.add(release.version)
        champion = release if release.stage == "champion" else champion


def _made(result: dict[str, Any]) -> str:
    artifact = (result.get("candidate") or {}).get("artifact") or {}
    return str(artifact.get("sha256", ""))


def _not_better(run: Run, release: ModelPublished, result: dict[str, Any]) -> Iterator[str]:
    gate, metric = run.world.specification.gate, str(result["verdict"]["metric"])
    value = release.metrics.get(metric)
    if value is None:
        yield f"and its {metric} is not known"
        return
    for whom, least in (("champion", gate.min_improvement), ("baseline", 0.0)):
        theirs = (result.get(whom) or {}).get(metric)
        gain = None if theirs is None else (theirs - value if metric in LOWER_IS_BETTER else value - theirs)
        if gain is not None and (gain <= 0.0 or gain < least) and (whom == "champion" or gate.must_beat_baseline):
            yield f"with a {metric} of {value:.4f} against the {whom}'s {theirs:.4f}"


def in_steps(run: Run) -> Iterator[str]:
    """Of what was trained here and takes a champion's place. What a person promotes or brings, and a rollback, need
    none; nor does who takes features that no champion takes.
    """
    release, commands = run.world.specification.release, {one.id: one for one in run.messages(COMMANDS)}
    wanted = ["shadow"] * (release.shadow_rows > 0) + [f"canary {step.weight:g}" for step in release.canary]
    taken: dict[str, list[str]] = {}
    champion: ModelPublished | None = None
    for one in run.messages(MODEL_PUBLISHED):
        steps = taken.setdefault(one.version, [])
        steps.append(f"canary {one.weight:g}" if one.stage == "canary" else one.stage)
        if one.stage != "champion":
            continue
        command = commands.get(one.command or "")
        trained = command is None or command.action in ("retrain", "recalibrate")
        follows = champion is not None and champion.definition == one.definition and steps.count("champion") == 1
        if trained and follows and steps[:-1] != wanted:
            yield f"version {one.version} became champion after {steps[:-1]}, its steps are {wanted}"
        champion = one


def taken_down(run: Run) -> Iterator[str]:
    """What a rollback left, or a trial that ended."""
    commands = {one.id: one for one in run.messages(COMMANDS)}
    down: set[str] = set()
    champion = ""
    for one in run.messages(MODEL_PUBLISHED):
        command = commands.get(one.command or "")
        by_name = command is not None and (command.arguments.get("force") is True or command.action == "rollback")
        if one.stage == "retired":
            down.add(one.version)
        elif one.version in down and command is not None and not by_name:
            yield f"version {one.version} was taken down and is {one.stage} again, without force"
        if one.stage == "champion":
            down |= {champion} if command is not None and command.action == "rollback" else set()
            champion = one.version
            down.discard(champion)


def held(run: Run) -> Iterator[str]:
    """In the order in which the trainer said it."""
    commands = {one.id: one for one in run.messages(COMMANDS)}
    both: list[tuple[Record, CommandResult | ModelPublished]] = [*run.of(COMMAND_RESULTS), *run.of(MODEL_PUBLISHED)]
    placed = [(_place(record, "trainer"), message) for record, message in both]
    said = [(place, message) for place, message in placed if place is not None]
    on_hold, ended = False, set[str]()
    for _, message in sorted(said, key=lambda one: one[0]):
        command = commands.get(message.command or "")
        action = "" if command is None else command.action
        if isinstance(message, ModelPublished):
            lets_go = message.stage == "retired" or action in LETS_GO or message.reason.startswith("goes on")
            if on_hold and not lets_go:
                yield f"version {message.version} became {message.stage} while the pipeline was held"
        elif message.state == "succeeded" and message.command not in ended:
            ended.add(message.command)
            on_hold = HOLDS.get(action, on_hold)
        elif message.state == "running" and on_hold:
            yield f"{action} {message.command} began while the pipeline was held"


def goes_back(run: Run) -> Iterator[str]:
    """Where the person names no version, by what the remediator had read of versions before it gave the order."""
    asked = {one.issued_by: one for one in run.messages(REQUESTS) if one.action == "rollback"}
    if any(one.arguments.get("to_version") for one in asked.values()):
        return
    commands = {one.id: one for one in run.messages(COMMANDS)}
    published = {record.offset: message for record, message in run.of(MODEL_PUBLISHED)}
    reads = {
        step.step: [range(start, until) for topic, _, start, until in step.inputs if topic == MODEL_PUBLISHED.name]
        for step in run.messages(STEPS)
        if step.task == "remediator"
    }
    for record, command in run.of(COMMANDS):
        place = _place(record, "remediator")
        if place is None or command.action != "rollback" or not command.issued_by.startswith("person:"):
            continue
        known = [at for step, ranges in reads.items() if step <= place[0] for spans in ranges for at in spans]
        below = _below([published[at] for at in known if at in published], commands)
        if command.arguments.get("to_version") not in (below, None):
            yield f"rollback {command.id} goes to version {command.arguments.get('to_version')}, below lies {below}"


def _below(releases: list[ModelPublished], commands: dict[str, Command]) -> str | None:
    """The version on which the champion lies. Who is gone back to leaves none above it."""
    stack: list[str] = []
    for one in releases:
        if one.stage != "champion" or stack[-1:] == [one.version]:
            continue
        command = commands.get(one.command or "")
        if one.version in stack and (command is None or command.action == "rollback"):
            del stack[stack.index(one.version) :]
        stack = [*(each for each in stack if each != one.version), one.version]
    return stack[-2] if len(stack) > 1 else None


def _place(record: Record, service: str) -> tuple[int, int] | None:
    """The step of this service that wrote the record, and where in it; None where another wrote it."""
    task, _, rest = dict(record.headers).get("ce_id", b"").decode().partition("/")
    if task != service:
        return None
    step, index = rest.split("/")
    return int(step), int(index)
