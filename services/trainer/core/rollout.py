"""How a version goes live: at once, or by shadow and canary steps that it must survive."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from services.trainer.core.gate import gain
from services.trainer.core.releases import Releases, Trial, on_trial, promoted, trial_ended
from shared.figures import figure
from shared.messages import Command, Metrics, Stage
from shared.pipeline.specification import Specification


@dataclass(frozen=True, slots=True)
class Move:
    """A change of what is live: the releases after it, and the stage that `version` takes."""

    releases: Releases
    version: str
    stage: Stage
    weight: float
    reason: str


def first_move(releases: Releases, specification: Specification, version: str, rows_seen: int, reason: str) -> Move:
    """What a version that passed the gate does first. Where no champion can answer, it is one at once."""
    number = releases.champion
    usable = number is not None and releases.versions[number].candidate.definition == specification.definition
    release = specification.release
    if not usable or (release.shadow_rows == 0 and not release.canary):
        return at_once(releases, version, reason)
    step = -1 if release.shadow_rows else 0
    return _step(releases, specification, version, step, rows_seen, reason)


def at_once(releases: Releases, version: str, reason: str) -> Move:
    """Champion without the release's steps: what a person means who promotes a version."""
    return Move(promoted(releases, version), version, "champion", 1.0, reason)


def settled(moves: tuple[Move, ...], command: Command | None) -> tuple[Move, ...]:
    """The moves; where a person made a version the champion, with the end of another one's trial: it was tried against
    the champion before, and is not to take over from what a person chose.
    """
    trial = moves[-1].releases.trial if moves else None
    by_a_person = command is not None and command.issued_by.startswith("person:")
    if trial is None or not by_a_person or moves[-1].stage != "champion":
        return moves
    why = f"a person made version {moves[-1].version} the champion"
    return (*moves, Move(trial_ended(moves[-1].releases), trial.version, "retired", 0.0, why))


def next_move(releases: Releases, specification: Specification, metrics: Metrics) -> tuple[Releases, Move | None]:
    """What the version on trial does now that `metrics` are known: nothing yet, its next step, champion, or away.

    It is withdrawn when, over the labelled rows since the trial began (at least `gate.min_rows` of
    both), it is worse than the champion by more than `monitor.tolerance`.
    """
    trial = releases.trial
    if trial is None:
        return releases, None
    trial = _with_shown(trial, specification, metrics, releases.champion)
    releases = on_trial(releases, trial)
    worse = _worse(trial, specification, releases.champion)
    if worse is not None:
        return releases, Move(trial_ended(releases), trial.version, "retired", 0.0, worse)
    needed = _rows_of(specification, trial.step)
    if needed is None or metrics.rows_seen - trial.since_row < needed:
        return releases, None
    following = trial.step + 1
    if following < len(specification.release.canary):
        reason = f"held for {needed} rows"
        return releases, _step(releases, specification, trial.version, following, metrics.rows_seen, reason, trial)
    reason = f"held through its last step of {needed} rows"
    return releases, Move(promoted(releases, trial.version), trial.version, "champion", 1.0, reason)


def _step(
    releases: Releases,
    specification: Specification,
    version: str,
    step: int,
    rows_seen: int,
    reason: str,
    before: Trial | None = None,
) -> Move:
    stage: Stage = "shadow" if step < 0 else "canary"
    weight = 0.0 if step < 0 else specification.release.canary[step].weight
    shown = {} if before is None else before.shown
    trial = Trial(version=version, stage=stage, weight=weight, step=step, since_row=rows_seen, shown=shown)
    return Move(on_trial(releases, trial), version, stage, weight, reason)


def _rows_of(specification: Specification, step: int) -> int | None:
    """The rows a step lasts; None for a step that the specification does not know (traffic shifted by hand)."""
    canary = specification.release.canary
    if step < 0:
        return specification.release.shadow_rows
    return canary[step].rows if step < len(canary) else None


def _with_shown(trial: Trial, specification: Specification, metrics: Metrics, champion: str | None) -> Trial:
    if metrics.family != "performance" or champion is None:
        return trial
    shown = {
        version: (values.get("rows", 0.0), values[specification.main_metric])
        for version, values in sorted(metrics.by_version.items())
        if version in {trial.version, champion} and specification.main_metric in values
    }
    if not shown:
        return trial
    return msgspec.structs.replace(trial, shown={**trial.shown, str(metrics.window.index): shown})


def _worse(trial: Trial, specification: Specification, champion: str | None) -> str | None:
    """Why the version on trial must go, or None."""
    rows, value = _mean(trial, trial.version)
    champion_rows, champion_value = _mean(trial, champion or "")
    if min(rows, champion_rows) < specification.gate.min_rows:
        return None
    metric = specification.main_metric
    allowed = specification.monitor.tolerance
    if specification.kind == "regression":
        allowed *= abs(champion_value)
    if gain(metric, value, champion_value) >= -allowed:
        return None
    ours, theirs = figure(value, champion_value), figure(champion_value, value)
    return f"{metric} {ours} over {rows:,.0f} rows against the champion's {theirs}"


def _mean(trial: Trial, version: str) -> tuple[float, float]:
    found = [shown[version] for shown in trial.shown.values() if version in shown]
    rows = sum(each[0] for each in found)
    return rows, sum(count * value for count, value in found) / rows if rows else 0.0
