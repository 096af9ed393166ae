"""Who is to blame, in order: ranked suspects for an alert."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.monitor.core.distributions import correlation, median_of, order_of
from services.monitor.core.drift import Shift
from services.monitor.core.state import Floats, Ints
from shared.messages import Cause

_MOST = 5
_LEAST = 50


def of_fault(field: str, sources: Sequence[tuple[str, float]], detail: str) -> tuple[Cause, ...]:
    """A field at fault, then the sources that send it, by their share of the faulty rows."""
    return (
        Cause(kind="feature", what=field, score=1.0, detail=detail),
        *(Cause(kind="source", what=name, score=round(0.9 * share, 4)) for name, share in sources[:_MOST]),
    )


def of_drift(shifts: Sequence[Shift], names: Sequence[str], links: dict[str, float]) -> tuple[Cause, ...]:
    """Moved fields by how far they moved times how much the errors go with them (`links`, in [0, 1])."""
    scored = [(shift.strength * (0.5 + 0.5 * links.get(names[shift.column], 0.0)), shift) for shift in shifts]
    scored.sort(key=lambda item: (-item[0], item[1].column))
    return tuple(
        Cause(
            kind="feature",
            what=names[shift.column],
            score=round(score, 4),
            detail=f"PSI {shift.psi:.2f}, KS {shift.ks:.2f}",
        )
        for score, shift in scored[:_MOST]
    )


def links_to_loss(values: Floats, errors: Floats, names: Sequence[str]) -> dict[str, float]:
    """How much the error goes with each field: rank correlation of the error with the field's distance
    from its median and with the field itself, the larger of the two. NaN cells are left out."""
    found = {}
    for column, name in enumerate(names):
        cells = values[:, column]
        there = ~np.isnan(cells)
        own, wrong = cells[there], errors[there]
        if len(own) < _LEAST or not _varies(own) or not _varies(wrong):
            continue
        order = order_of(own)
        far = np.abs(own - median_of(own[order]))
        pairs = [correlation(_places(order), wrong), correlation(_places(order_of(far)), wrong)]
        found[name] = max(abs(value) for value in pairs)
    return found


def _varies(values: Floats) -> bool:
    return float(values.max() - values.min()) != 0.0


def _places(order: Ints) -> Floats:
    """The place of each value in its order."""
    places = np.empty(len(order))
    places[order] = np.arange(len(order))
    return places
