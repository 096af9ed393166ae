"""What a command comes to: pure functions from a pipeline and a command to a decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from services.trainer.core.orders import Order, Rows, typed
from services.trainer.core.quarantine import Quarantine, Stretches, ended, with_opened
from services.trainer.core.releases import (
    Candidate,
    Releases,
    Trial,
    on_trial,
    promoted,
    rolled_back,
    trial_ended,
)
from services.trainer.core.rollout import Move
from services.trainer.core.state import Pipeline, Work, excluded_stretches
from services.trainer.core.window import as_offsets
from shared.messages import Command, CommandState
from shared.pipeline.origins import needed
from shared.pipeline.specification import Specification


@dataclass(frozen=True, slots=True)
class Job:
    """Work to start: the job's name, its rows, for ``judge`` the candidate, for ``train`` the proof asked for."""

    name: str
    rows: Rows
    candidate: Candidate | None = None
    forced: bool = False
    proof: float | None = None
    search: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """`state` None: someone else answers this command. `moves` happen in their order."""

    state: CommandState | None
    detail: str = ""
    version: str | None = None
    pipeline: Pipeline | None = None
    moves: tuple[Move, ...] = ()
    job: Job | None = None


def decision_on(pipeline: Pipeline, command: Command) -> Decision | None:
    """What to do, or None where the action is not the trainer's."""
    decide = _ACTIONS.get(command.action)
    if decide is None:
        return None
    if pipeline.specification is None:
        answered_by_others = command.action in {"quarantine_source", "release_source"}
        return Decision(None if answered_by_others else "refused", f"there is no pipeline {pipeline.name!r}")
    try:
        return decide(pipeline, command)
    except (ValueError, msgspec.ValidationError) as error:
        return Decision("refused", f"{command.action}: {error}")


def order_of(pipeline: Pipeline, wanted: Job, code_revision: str, command: Command | None) -> Order:
    """What the job is asked, as things stand now. No command: it makes the first model."""
    stretches = excluded_stretches(pipeline)
    excluded = tuple(stretch[:3] for stretch in stretches)
    return Order(
        pipeline=pipeline.name,
        specification=pipeline.specification or {},
        specification_version=pipeline.specification_version,
        code_revision=code_revision,
        rows=msgspec.structs.replace(wanted.rows, excluded=excluded, sources=tuple(each[3] for each in stretches)),
        champion=pipeline.champion,
        candidate=wanted.candidate,
        forced=wanted.forced,
        proof=wanted.proof,
        search=wanted.search,
        reason="" if command is None else command.reason,
    )


def once_more(work: Work) -> Job:
    """The same work again, on rows as they are to be left out by then."""
    order = work.order
    rows = Rows(since=order.rows.since, until=order.rows.until)
    return Job(work.name, rows, order.candidate, proof=order.proof, search=order.search)


def _retrain(pipeline: Pipeline, command: Command) -> Decision:
    arguments = command.arguments
    search = arguments.get("search") is not False
    job = Job("train", _rows(arguments), proof=_proof(arguments), search=search)
    return _unless_busy(pipeline, command, pipeline.work) or Decision("running", job=job)


def _recalibrate(pipeline: Pipeline, command: Command) -> Decision:
    refusal = _unless_busy(pipeline, command, pipeline.work)
    if refusal is None and pipeline.releases.champion is None:
        return Decision("refused", "there is no champion to recalibrate")
    return refusal or Decision("running", job=Job("recalibrate", _rows(command.arguments)))


def _promote(pipeline: Pipeline, command: Command) -> Decision:
    arguments = command.arguments
    force = arguments.get("force") is True
    if arguments.get("candidate") is not None:
        return _promote_candidate(pipeline, command, force=force)
    if pipeline.releases.held:
        return _held("promote")
    number = str(arguments.get("version") or "")
    releases = pipeline.releases
    refusal = _unless_fit(pipeline, number, force=force)
    if refusal is not None:
        return refusal
    if number == releases.champion:
        return Decision("succeeded", f"version {number} is the champion already", version=number)
    after = promoted(releases, number)
    replaced = f" in place of {releases.champion}" if releases.champion else ""
    move = Move(after, number, "champion", 1.0, "promoted by command" + (" with force" if force else ""))
    return Decision("succeeded", f"version {number} is champion{replaced}", version=number, moves=(move,))


def _promote_candidate(pipeline: Pipeline, command: Command, *, force: bool) -> Decision:
    candidate = typed(command.arguments["candidate"], Candidate)
    wanted = (pipeline.specification or {}).get("kind")
    if candidate.kind != wanted:
        return Decision("refused", f"the candidate is of kind {candidate.kind}, the pipeline of kind {wanted}")
    job = Job("judge", _rows(command.arguments), candidate, force)
    return _unless_busy(pipeline, command, pipeline.judging) or Decision("running", job=job)


def _rollback(pipeline: Pipeline, command: Command) -> Decision:
    target = command.arguments.get("to_version")
    after = rolled_back(pipeline.releases, _definition(pipeline), None if target is None else str(target))
    if isinstance(after, str):
        return Decision("failed", after)
    left = pipeline.releases.champion
    version = after.champion or ""
    move = Move(after, version, "champion", 1.0, f"rolled back from {left}")
    return Decision("succeeded", f"rolled back from version {left} to {version}", version=version, moves=(move,))


def _shift_traffic(pipeline: Pipeline, command: Command) -> Decision:
    arguments = command.arguments
    number, weight = str(arguments.get("version") or ""), arguments.get("weight")
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
        raise ValueError(f"weight {weight!r} is not a share from 0 to 1")
    trial = pipeline.releases.trial
    present = trial.weight if trial is not None and trial.version == number else 0.0
    if pipeline.releases.held and weight > present:
        return _held("shift_traffic")
    if weight == 0:
        return _withdrawn(pipeline, number)
    if weight == 1:
        return _promote(pipeline, command)
    return _canary(pipeline, number, float(weight), force=arguments.get("force") is True)


def _canary(pipeline: Pipeline, number: str, weight: float, *, force: bool) -> Decision:
    releases = pipeline.releases
    refusal = _unless_fit(pipeline, number, force=force)
    if refusal is not None:
        return refusal
    if number == releases.champion:
        return Decision("refused", f"version {number} is the champion: it takes what no canary takes")
    others = _retired(releases) if releases.trial is not None and releases.trial.version != number else ()
    trial = Trial(version=number, stage="canary", weight=weight, step=_BY_HAND, since_row=pipeline.rows_seen)
    after = on_trial(others[-1].releases if others else releases, trial)
    move = Move(after, number, "canary", weight, "traffic shifted by command")
    detail = f"version {number} takes {weight:.0%} of the traffic"
    return Decision("succeeded", detail, version=number, moves=(*others, move))


def _withdrawn(pipeline: Pipeline, number: str) -> Decision:
    trial = pipeline.releases.trial
    if trial is None or trial.version != number:
        return Decision("failed", f"version {number or '(none named)'} takes no traffic beside the champion")
    moves = _retired(pipeline.releases)
    return Decision("succeeded", f"version {number} is withdrawn", version=number, moves=moves)


def _hold(pipeline: Pipeline, _: Command) -> Decision:
    return _holding(pipeline, held=True, detail="nothing is trained or promoted until release-hold")


def _release_hold(pipeline: Pipeline, _: Command) -> Decision:
    return _holding(pipeline, held=False, detail="training and promotion are allowed again")


def _holding(pipeline: Pipeline, *, held: bool, detail: str) -> Decision:
    releases = msgspec.structs.replace(pipeline.releases, held=held)
    return Decision("succeeded", detail, pipeline=msgspec.structs.replace(pipeline, releases=releases))


def _quarantine(pipeline: Pipeline, command: Command) -> Decision:
    """Records the stretch; without `since` it starts where the monitor last saw the stream.

    Fields that no input is made of teach a model nothing: a stretch of these alone is none.
    """
    named = _text_offsets(command.arguments, "since")
    since = pipeline.positions if named is None else named
    source, fields = _suspect(pipeline, command.arguments)
    fields = needed(fields, Specification.model_validate(pipeline.specification))
    opened = Quarantine(source=source, fields=fields, since=since, command=command.id)
    return _with_stretches(pipeline, with_opened(pipeline.quarantines, opened))


def _release_source(pipeline: Pipeline, command: Command) -> Decision:
    """Ends the open stretches of the source and fields; without `until`, where the monitor last saw the stream.

    Rows after that point which were still quarantined say so themselves (`withheld`) and are left out too.
    """
    named = _text_offsets(command.arguments, "until")
    until = pipeline.positions if named is None else named
    return _with_stretches(pipeline, ended(pipeline.quarantines, *_suspect(pipeline, command.arguments), until))


def _with_stretches(pipeline: Pipeline, quarantines: Stretches) -> Decision:
    return Decision(None, pipeline=msgspec.structs.replace(pipeline, quarantines=quarantines))


def _unless_busy(pipeline: Pipeline, command: Command, work: Work | None) -> Decision | None:
    if pipeline.releases.held:
        return _held(command.action)
    if work is None:
        return None
    what = f"command {work.command.id}" if work.command else "the first model"
    return Decision("refused", f"{command.action}: {work.name} for {what} is running; ask again when it has ended")


def _unless_fit(pipeline: Pipeline, number: str, *, force: bool) -> Decision | None:
    releases = pipeline.releases
    version = releases.versions.get(number)
    if version is None:
        known = ", ".join(releases.versions) or "none"
        return Decision("failed", f"there is no version {number or '(none named)'}; known are {known}")
    if version.candidate.definition != _definition(pipeline):
        return Decision("refused", f"version {number} takes features of another definition than the pipeline has now")
    if not version.gated and not force:
        return Decision("refused", f"version {number} did not pass the gate; only force promotes it")
    if version.withdrawn and not force:
        return Decision("refused", f"version {number} was taken down before; only force brings it back")
    return None


def _definition(pipeline: Pipeline) -> str:
    return Specification.model_validate(pipeline.specification).definition


def _retired(releases: Releases) -> tuple[Move, ...]:
    if releases.trial is None:
        return ()
    return (Move(trial_ended(releases), releases.trial.version, "retired", 0.0, "withdrawn by command"),)


def _held(action: str) -> Decision:
    return Decision("refused", f"{action}: the pipeline is held; release_hold lets it go on")


def _rows(arguments: dict[str, Any]) -> Rows:
    return Rows(since=_text_offsets(arguments, "since"), until=_text_offsets(arguments, "until"))


def _proof(arguments: dict[str, Any]) -> float | None:
    proof = arguments.get("proof")
    if proof is None:
        return None
    if isinstance(proof, bool) or not isinstance(proof, (int, float)) or not 0 < proof <= 1:
        raise ValueError(f"proof {proof!r} is not a chance above 0 and up to 1")
    return float(proof)


def _text_offsets(arguments: dict[str, Any], name: str) -> dict[str, int] | None:
    offsets = as_offsets(arguments.get(name))
    return None if not offsets else {str(partition): offset for partition, offset in offsets.items()}


def _suspect(pipeline: Pipeline, arguments: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The source and its fields; no fields named are all that can be withheld."""
    fields = arguments.get("fields") or Specification.model_validate(pipeline.specification).withholdable
    return str(arguments.get("source") or ""), tuple(sorted(str(each) for each in fields))


_BY_HAND = 1_000
"""The step of traffic shifted by hand: no step of a specification, so nothing moves it on but another command."""

_ACTIONS: dict[str, Callable[[Pipeline, Command], Decision]] = {
    "retrain": _retrain,
    "recalibrate": _recalibrate,
    "promote": _promote,
    "rollback": _rollback,
    "shift_traffic": _shift_traffic,
    "hold": _hold,
    "release_hold": _release_hold,
    "quarantine_source": _quarantine,
    "release_source": _release_source,
}
