"""Which inputs moved where a loss begins: where a version that passed its gate collapses together with one of them,
the version is suspect second.
"""

from __future__ import annotations

from services.monitor.core.drift import Shift, shifts_in, significant
from services.monitor.core.state import Floats
from services.monitor.core.trouble import Trouble
from services.monitor.core.watch import Watch
from shared.messages import Cause

_FAR = 0.5
_MOST_ROWS = 500
_MOST = 3


def moved_with(pipeline: Watch, trouble: Trouble) -> list[Cause]:
    """Inputs of the model that moved far (KS of a half, or PSI of one) in the rows that show the loss, and were like
    the reference in as many rows before; the furthest first.
    """
    names, inputs = pipeline.inputs.fields.names, pipeline.inputs
    since, before = _around(pipeline, trouble)
    if not inputs.references or not len(since) or not len(before):
        return []
    level = inputs.sizes.drift_level
    already = {shift.column for shift in significant(shifts_in(before, inputs.references), level) if _far(shift)}
    found = [s for s in significant(shifts_in(since, inputs.references), level) if _far(s) and s.column not in already]
    harmful = [shift for shift in found if names[shift.column] not in pipeline.plan.idle]
    return [
        Cause(
            kind="feature",
            what=names[shift.column],
            score=0.96,
            detail=f"it moved where the loss begins (PSI {shift.psi:.2f}, KS {shift.ks:.2f})",
        )
        for shift in harmful[:_MOST]
    ]


def gate_speaks_for(pipeline: Watch, trouble: Trouble) -> bool:
    """Whether the version has just been shown to be as good as the one before it, on the newest labelled rows."""
    return trouble.release and not trouble.canary and trouble.version == pipeline.loss.live and pipeline.gated


def _around(pipeline: Watch, trouble: Trouble) -> tuple[Floats, Floats]:
    """The newest trusted rows from the loss's first to the newest that has its label, and as many before.

    Labels may come late: what moved in rows that nobody has judged yet is not what the judged ones suffered from.
    """
    recent = pipeline.inputs.recent
    ahead = pipeline.record.join.next_row - recent.seen
    judged = max(trouble.row, pipeline.loss.judged_up_to(trouble))
    begin, end = trouble.onset - ahead, judged + 1 - ahead
    since = recent.places(max(begin, end - _MOST_ROWS), end)
    before = recent.places(begin - max(1, len(since)), begin)
    return recent.trusted(since), recent.trusted(before)


def _far(shift: Shift) -> bool:
    return shift.strength >= _FAR
