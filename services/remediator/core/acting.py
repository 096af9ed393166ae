"""Orders out, results in: every order has a deadline, and an order unanswered is one that failed."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from services.remediator.core import verification
from services.remediator.core.escalation import escalate, resolve, tell
from services.remediator.core.incidents import Action, Diagnosis, Incident, Role, with_action
from services.remediator.core.knowledge import (
    Hold,
    Spent,
    acquitting,
    condemning,
    fields_in,
    in_force,
    trained_on,
    training_ended,
    training_ordered,
    with_spent,
)
from services.remediator.core.late import after_its_alert
from services.remediator.core.orders import Impossible, Order, onset, quarantine_of
from services.remediator.core.triage import OF_BAD_ROWS, diagnosis_of
from services.remediator.core.turn import Turn
from services.remediator.core.undo import release_of, undo_of, withdrawal_of
from services.remediator.core.wording import called, done, sentence, subject
from shared.identity import stable_id
from shared.messages import Alert, Command, CommandResult, Expectation
from shared.pipeline.specification import Rung

UNDO_WITHIN = timedelta(minutes=5)
MODEL_ACTIONS = ("retrain", "rollback", "promote", "shift_traffic", "recalibrate")


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """What an order is to reach, with the loss it is measured against where that is known."""

    expects: Expectation | None = None
    baseline: float | None = None
    level: float | None = None


def aim_of(turn: Turn, incident: Incident, rung: Rung, *, whole: bool = False) -> Aim:
    """What `rung` is to reach. Where no loss can be told in its metric, the alert has to resolve. `whole`: of the loss
    since before the incident's trouble, where that is more than its alert tells of.
    """
    specification = turn.specification(incident.pipeline)
    known, lead = turn.known(incident.pipeline), incident.leading
    by = verification.until(rung, turn.now)
    metric = verification.metric_for(rung, lead, specification)
    if metric != verification.RESOLVED and lead is not None:
        loss = verification.loss_of(lead, metric, known)
        if loss is not None:
            loss = verification.before_trouble(loss, metric, known, incident.start_row) if whole else loss
            bound = verification.bound_of(loss, rung.recover)
            expects = verification.expectation(metric, bound, rung.verify_rows, by)
            return Aim(expects=expects, baseline=loss.baseline, level=loss.level)
    return Aim(expects=verification.expectation(verification.RESOLVED, 1.0, rung.verify_rows, by))


def aim_of_return(turn: Turn, incident: Incident, rung: Rung | None) -> Aim:
    """What must come back once a quarantine has ended: the performance from before the trouble."""
    specification = turn.specification(incident.pipeline)
    if specification is None or rung is None:
        return Aim()
    known = turn.known(incident.pipeline)
    metric = f"performance.{specification.main_metric}"
    by = verification.until(rung, turn.now)
    for alert in incident.alerts.values():
        if alert.kind in ("performance", "concept_drift"):
            loss = verification.loss_of(alert, metric, known)
            if loss is not None:
                loss = verification.before_trouble(loss, metric, known, incident.start_row)
                bound = verification.bound_of(loss, rung.recover)
                expects = verification.expectation(metric, bound, rung.verify_rows, by)
                return Aim(expects=expects, baseline=loss.baseline, level=loss.level)
    kept = verification.keeping(metric, known, specification, incident.start_row, doubt=True)
    if kept is None:
        return Aim()
    bound, loss = kept
    expects = verification.expectation(metric, bound, rung.verify_rows, by)
    return Aim(expects=expects, baseline=loss.baseline, level=None)


def issue(turn: Turn, incident_id: str, order: Order, role: Role, reason: str, aim: Aim, deadline: datetime) -> None:
    """Gives the order and puts the incident into the state in which its answer is waited for."""
    incident = turn.incident(incident_id)
    known, row = turn.known(incident.pipeline), turn.row(incident.pipeline)
    command = Command(
        id=stable_id("command", incident.id, len(incident.actions) + 1, order.action),
        incident=incident.id,
        pipeline=incident.pipeline,
        action=order.action,
        arguments=order.arguments,
        reason=reason,
        issued_by=turn.issuer(incident),
        at=turn.now,
        deadline=deadline,
        expects=aim.expects,
    )
    action = Action(
        command=command.id,
        name=order.action,
        arguments=order.arguments,
        role=role,
        rung=incident.rung,
        at=turn.now,
        row=row,
        deadline=deadline,
        reason=reason,
        issued_by=command.issued_by,
        expects=aim.expects,
        baseline=aim.baseline,
        level=aim.level,
        version=order.version,
        left=known.live,
        fresh=order.fresh,
        from_row=row,
    )
    turn.put(with_action(incident, action))
    turn.say(command)
    if role == "act" and order.action == "notify":
        turn.update(incident_id, told=True)
    elif role == "act":
        policy = "person" if incident.request is not None else incident.policy
        spent = Spent(policy=policy, action=order.action, at=turn.now, row=row, incident=incident.id)
        turn.learn(with_spent(training_ordered(known, turn.now) if order.action == "retrain" else known, spent))
    _wait_for_answer(turn, incident_id, action, reason)
    turn.record(
        "command_issued", incident.pipeline, f"{_called(order)}: {reason}", incident_id,
        command=command.id, action=command.action, arguments=told(command.arguments), reason=reason, role=role,
        issued_by=command.issued_by, deadline=deadline, expects=msgspec.to_builtins(aim.expects),
        baseline=aim.baseline, level=aim.level, approved_by=incident.approved_by,
    )  # fmt: skip


def withhold_everywhere(turn: Turn, incident_id: str, diagnosis: Diagnosis) -> None:
    """Extends a quarantine in force to every source that the diagnosis names and it does not cover yet."""
    incident = turn.incident(incident_id)
    covered = {source for source, action in incident.withheld_sources.items() if action.rung == incident.rung}
    if not covered or incident.state not in ("acting", "verifying"):
        return
    for source in diagnosis.sources:
        if source not in covered:
            arguments = quarantine_of(source, incident.diagnosis, incident.leading)
            why = f"{source} sends it wrong too"
            issue(turn, incident_id, Order("quarantine_source", arguments), "aside", why, Aim(), turn.now + UNDO_WITHIN)


def release_gone(turn: Turn, incident_id: str, diagnosis: Diagnosis) -> None:
    """Releases each source that the diagnosis names no longer, while others go on; nobody waits for it."""
    if diagnosis.name == "bad_field" and diagnosis.sources:
        why = "its rows are right again, or over"
        release_others(turn, incident_id, why, but=frozenset(diagnosis.sources))


def release_others(turn: Turn, incident_id: str, why: str, *, but: frozenset[str]) -> None:
    """Releases what this incident withheld of all sources `but` these; nobody waits for it."""
    incident = turn.incident(incident_id)
    quarantined = turn.known(incident.pipeline).quarantined
    for source, action in incident.withheld_sources.items():
        order = release_of(action)
        held = action.outcome == "sent" or (action.outcome != "failed" and source in quarantined)
        if order is not None and held and source not in but:
            issue(turn, incident_id, order, "aside", why, Aim(), turn.now + UNDO_WITHIN)


def told(arguments: dict[str, object]) -> dict[str, object]:
    """Arguments as the ledger holds them: a model brought from outside is named by its hash alone."""
    candidate = arguments.get("candidate")
    if not isinstance(candidate, dict):
        return arguments
    artifact = candidate.get("artifact")
    return {**arguments, "candidate": artifact.get("sha256") if isinstance(artifact, dict) else None}


def _called(order: Order) -> str:
    """The order in a word, with its object where that is a source."""
    if order.action not in ("quarantine_source", "release_source"):
        return order.action
    return f"{order.action}, {', '.join(fields_in(order.arguments))} from {order.arguments['source']}"


def _wait_for_answer(turn: Turn, incident_id: str, action: Action, reason: str) -> None:
    if action.role in ("aside", "tell"):
        return
    if action.role == "undo":
        turn.move(incident_id, "undoing", reason, action.deadline)
    elif action.name == "notify":
        by = action.expects.by if action.expects is not None else action.deadline
        turn.move(incident_id, "verifying", reason, by)
    else:
        turn.move(incident_id, "acting", reason, action.deadline)


def answered(turn: Turn, result: CommandResult) -> str | None:
    """Takes the answer to an order; the id of the incident that it concerns, or None if to none. An end counts once."""
    incident = turn.state.incidents.get(turn.state.commands.get(result.command, ""))
    if incident is None:
        return None
    action = next((a for a in incident.actions if a.command == result.command), None)
    if action is None or _end_of(result) in action.ends:
        return None
    turn.record(
        "command_result", incident.pipeline, _sentence(action, result), incident.id,
        command=result.command, action=action.name, state=result.state, service=result.service,
        detail=result.detail, model_version=result.model_version, cost_seconds=result.cost_seconds,
    )  # fmt: skip
    if result.state not in ("accepted", "running"):
        _ended(turn, incident.id, action, result)
    return incident.id


def _ended(turn: Turn, incident_id: str, action: Action, result: CommandResult) -> None:
    worked = result.state == "succeeded"
    incident = turn.incident(incident_id)
    if action.name == "retrain":
        turn.learn(training_ended(turn.known(incident.pipeline), turn.now))
    if worked:
        hold = Hold(since=turn.now, incident=incident_id, by=action.issued_by, why=action.reason)
        turn.learn(in_force(turn.known(incident.pipeline), action.name, action.arguments, hold))
    newest = incident.last is not None and incident.last.command == action.command
    current = action.outcome == "sent" and newest
    done = msgspec.structs.replace(
        action,
        outcome=("succeeded" if worked else "failed") if action.outcome in ("sent", "expired") else action.outcome,
        version=result.model_version or action.version or _made_by(turn, incident, action),
        from_row=turn.row(incident.pipeline),
        cost_seconds=result.cost_seconds,
        detail=result.detail,
        ends=(*action.ends, _end_of(result)),
    )
    turn.put(with_action(incident, done))
    if action.role in ("aside", "tell") or action.name == "notify":
        return
    if not worked and newest and action.outcome == "succeeded" and incident.state == "verifying":
        # The trainer released it, and then the predictor would not load it.
        _came_to_nothing(turn, incident_id, done, result.detail or result.state)
        return
    if not current or incident.state not in ("acting", "undoing"):
        if worked and action.name == "retrain":
            _came_late(turn, incident, action.outcome, done)
        return
    if worked:
        _took_effect(turn, incident_id, done)
    else:
        _came_to_nothing(turn, incident_id, done, result.detail or result.state)


def _end_of(result: CommandResult) -> str:
    return f"{result.service} {result.state} {result.model_version or ''}"


def _came_late(turn: Turn, incident: Incident, outcome: str, action: Action) -> None:
    """A version for which the incident no longer waits."""
    if outcome == "expired":
        take_back_late(turn, incident.id, action, "came after the deadline of its order")
    elif outcome == "superseded":
        by = turn.state.incidents.get(incident.paused_by, incident)
        take_back_spoilt(turn, incident.id, action, by.leading)


def _took_effect(turn: Turn, incident_id: str, action: Action) -> None:
    incident = turn.incident(incident_id)
    if action.role == "undo":
        undone(turn, incident_id, action)
        return
    _condemn(turn, incident, action)
    if action.name == "retrain" and action.version is not None and action.version == action.left:
        _came_to_nothing(turn, incident_id, action, "training made no better version")
        return
    action = after_its_alert(turn, incident, action)
    turn.put(with_action(turn.incident(incident_id), action))
    if action.role == "release" and incident.leading is not None and incident.leading.state == "firing":
        begin_again(turn, incident_id)
    elif action.expects is None:
        resolve(turn, incident_id, done(incident, action))
    else:
        within = action.expects.by - action.deadline
        turn.move(incident_id, "verifying", f"the {called(action)} is done; does it help?", turn.now + within)


def _came_to_nothing(turn: Turn, incident_id: str, action: Action, why: str) -> None:
    incident = turn.incident(incident_id)
    turn.put(with_action(incident, msgspec.structs.replace(action, outcome="failed", detail=why)))
    came = "made no version" if action.name == "retrain" else "could not be done"
    said = f"the {called(action)} {came}: {why}"
    turn.record("not_verified", incident.pipeline, said, incident_id, command=action.command)
    if action.role != "act":
        escalate(turn, incident_id, said)
    elif incident.request is None:
        next_rung(turn, incident_id, said)
    else:
        tell(turn, incident_id, f"{subject(incident.pipeline)}: {sentence(said)}", "warning", "request")
        resolve(turn, incident_id, said)


def overdue(turn: Turn, incident_id: str) -> None:
    """An order whose deadline has passed without an answer: it counts as failed, whatever comes later."""
    incident = turn.incident(incident_id)
    action = incident.last
    if action is None or incident.deadline is None or turn.now < incident.deadline:
        return
    why = f"no answer by its deadline, {action.deadline:%Y-%m-%d %H:%M:%S}"
    said = f"the {called(action)} got {why}"
    turn.put(with_action(incident, msgspec.structs.replace(action, outcome="expired", detail=why)))
    turn.record("not_verified", incident.pipeline, said, incident_id, command=action.command)
    if action.role == "act" and incident.request is None:
        next_rung(turn, incident_id, said)
    else:
        escalate(turn, incident_id, said)


def take_back(turn: Turn, incident_id: str, action: Action, why: str) -> None:
    """Undoes `action` where it can and should be, else goes on to the next rung. Says which and why."""
    incident = turn.incident(incident_id)
    rung = turn.rung(incident, action.rung)
    order: Order | Impossible = undo_of(action, turn.known(incident.pipeline))
    if rung is not None and not rung.undo:
        order = Impossible("its policy says so")
    if isinstance(order, Impossible):
        said = f"the {called(action)} is not taken back: {order.why}"
        turn.record("suppressed", incident.pipeline, said, incident_id, command=action.command)
        next_rung(turn, incident_id, why)
        return
    reason = f"the {called(action)} did not help: {why}"
    issue(turn, incident_id, order, "undo", reason, Aim(), turn.now + UNDO_WITHIN)


def take_back_late(turn: Turn, incident_id: str, action: Action, why: str) -> None:
    """Undoes a version that came too late or should not have been made, without leaving the state.

    One on trial ends its trial; one that does not answer any more stays as it is.
    """
    order = withdrawal_of(action, turn.known(turn.incident(incident_id).pipeline))
    if isinstance(order, Order):
        issue(turn, incident_id, order, "aside", f"version {action.version} {why}", Aim(), turn.now + UNDO_WITHIN)


def take_back_spoilt(turn: Turn, incident_id: str, action: Action, because: Alert | None) -> None:
    """Undoes a version that learned from rows which `because` shows to be bad. Those of a new concept are not:
    what learned from them is what is wanted.
    """
    if because is None or action.version is None:
        return
    known = turn.known(because.pipeline)
    diagnosis = diagnosis_of(because, known, turn.specification(because.pipeline))
    if diagnosis.name in OF_BAD_ROWS and trained_on(known, action.version, onset(because)):
        take_back_late(turn, incident_id, action, "was made before the true cause was known")


def undone(turn: Turn, incident_id: str, action: Action) -> None:
    """An action has been taken back. A version that is brought back since it did better was not the bad one."""
    incident = turn.incident(incident_id)
    turn.put(with_action(incident, msgspec.structs.replace(action, outcome="verified")))
    back = f"; version {action.version} answers again" if action.version else ""
    turn.record("undone", incident.pipeline, f"{action.reason}{back}", incident_id, command=action.command)
    known = turn.known(incident.pipeline)
    if action.name == "rollback" and action.left is not None:
        turn.learn(condemning(known, action.left))
    if action.name == "promote":
        turn.learn(acquitting(known, action.version))
    next_rung(turn, incident_id, action.reason)


def next_rung(turn: Turn, incident_id: str, why: str) -> None:
    """One rung up the ladder; whether there is one is for the decision to see."""
    incident = turn.incident(incident_id)
    turn.update(incident_id, rung=incident.rung + 1, approved_by="")
    turn.move(incident_id, "triaged", why, turn.now + turn.limits.wait_within)


def begin_again(turn: Turn, incident_id: str, why: str = "it fires again before it was over") -> None:
    """Back to the first rung."""
    turn.update(incident_id, rung=0, approved_by="")
    incident = turn.move(incident_id, "triaged", why, turn.now + turn.limits.wait_within)
    turn.record("triaged", incident.pipeline, f"{incident.diagnosis.name}: {why}", incident_id)


def _condemn(turn: Turn, incident: Incident, action: Action) -> None:
    bad = incident.diagnosis.version if incident.diagnosis.name == "bad_version" else ""
    if action.name == "rollback" and bad and bad == action.left:
        turn.learn(condemning(turn.known(incident.pipeline), bad))


def _made_by(turn: Turn, incident: Incident, action: Action) -> str | None:
    reigns = turn.known(incident.pipeline).reigns
    return next((reign.version for reign in reversed(reigns) if reign.command == action.command), None)


def _sentence(action: Action, result: CommandResult) -> str:
    detail = f": {result.detail}" if result.detail else ""
    return f"{action.name} {result.state} ({result.service}){detail}"
