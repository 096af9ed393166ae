"""A version that answers again is measured before another is trained in its place."""

from __future__ import annotations

from services.remediator.core.acting import aim_of
from services.remediator.core.incidents import Incident, start_row
from services.remediator.core.knowledge import better
from services.remediator.core.turn import Turn
from services.remediator.core.verification import RESOLVED, Judgement, newest_of
from services.remediator.core.wording import figure, metric_in_words, wanted
from shared.pipeline.specification import Rung


def on_return(turn: Turn, incident: Incident, rung: Rung) -> Judgement | None:
    """What the live version shows since it was gone back to in the midst of this trouble.

    ``met``: it does what `rung` is to reach, and nothing needs to be done. ``waiting``: too few of its rows are
    measured, or an alert about it still fires. None: it was not gone back to since the trouble began, it would not
    load, it is bad too, or nobody can tell.
    """
    known, lead = turn.known(incident.pipeline), incident.leading
    reign = known.reigns[-1] if known.reigns else None
    if reign is None or lead is None or reign.action != "rollback" or start_row(lead) >= reign.since_row:
        return None
    if any(a.outcome == "failed" and (a.name, a.version) == ("rollback", reign.version) for a in incident.actions):
        return None
    expects = aim_of(turn, incident, rung, whole=True).expects
    if expects is None or expects.metric == RESOLVED:
        return None
    measure = newest_of(known, expects.metric, reign.version, reign.since_row, expects.rows)
    name, rows = metric_in_words(expects.metric), f"{measure.rows:,} of its rows"
    said = f"version {reign.version} answers again: {name} is {figure(measure.value, expects.bound)} over {rows}"
    said += f", {wanted(expects.direction, expects.bound, measure.value)}"
    enough = measure.rows >= expects.rows
    reached = enough and measure.value is not None and not better(expects.metric, expects.bound, measure.value)
    first = "is well; its alert still fires" if reached else f"is measured first, over {expects.rows:,} rows"
    awaited = not enough or (reached and _fires_of(incident, reign.version))
    if awaited and turn.now < incident.since + rung.verify_within:
        return Judgement("waiting", f"version {reign.version} answers again, and {first}", measure)
    return Judgement("met", said, measure) if reached else None


def _fires_of(incident: Incident, version: str) -> bool:
    """Whether an alert fires that is not about another version: one about a version that is gone may never end."""
    return any(alert.severity != "info" and alert.model_version in ("", version) for alert in incident.firing)
