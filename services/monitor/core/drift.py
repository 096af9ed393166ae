"""Have the inputs moved? Each field's window against the reference, at a level that holds as a family.

Kolmogorov-Smirnov and Pearson's chi-square on ten bins for numbers, chi-square for categories. The
laws these statistics follow hold for independent rows; real rows are not. So the reference is tested
against itself first, block by block, and each statistic is divided by how much more it varies there
than independent rows would make it (a variance inflation, as in survey statistics: Rao and Scott
1981). On independent rows the factor is 1 and the p-values are the textbook's; on seasonal data such
as electricity prices they stay honest. Bonferroni over fields and tests keeps the family's level.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np
from scipy.special import chdtrc, kolmogi, kolmogorov

from services.monitor.core.state import Bools, Floats, Ints

_BINS = 10
_LEAST_EXPECTED = 8.0
_KOLMOGOROV_MEAN = 0.8687
_EFFECT_KS = 0.1
_EFFECT_PSI = 0.1
_LEAST_ROWS = 50
_FIRST = np.array([True])
_ZERO = np.zeros(1, np.int64)


class FieldReference(msgspec.Struct):
    """One field of the reference: its sorted values, bins with their shares, and its own variation.

    `edges` separate the bins of a number (a value goes to the bin right of the last edge <= it);
    `codes` are the categories with a bin of their own, all others share the last bin.
    """

    ordered: Floats
    edges: Floats
    codes: Floats
    shares: Floats
    scale: float
    inflation_ks: float = 1.0
    inflation_chi: float = 1.0


class Shift(msgspec.Struct, frozen=True):
    """How far one field has moved. `ks` and `wasserstein` (in reference scales) are NaN for categories."""

    column: int
    p_value: float
    ks: float
    psi: float
    js: float
    wasserstein: float
    rows: int

    @property
    def strength(self) -> float:
        """How far, in [0, 1), whichever statistic says so."""
        return float(np.fmax(self.ks, self.psi / (1.0 + self.psi)))

    @property
    def matters(self) -> bool:
        """Large enough to speak of, whatever the p-value."""
        return self.psi >= _EFFECT_PSI or self.ks >= _EFFECT_KS


def references_of(values: Floats, categorical: Bools, clock: Bools, window: int) -> list[FieldReference | None]:
    """Learns each field's reference from rows in order; None where too few values are known, for clocks, and for
    texts none of which comes often enough to have a share that could move.
    """
    return [
        None if clock[column] else _reference(values[:, column], bool(categorical[column]), window)
        for column in range(values.shape[1])
    ]


def shifts_in(window: Floats, references: list[FieldReference | None]) -> list[Shift]:
    """The shift of every field that has a reference and at least 50 values in the window."""
    found = []
    for column, reference in enumerate(references):
        cells = window[:, column]
        cells = cells[~np.isnan(cells)]
        if reference is not None and len(cells) >= _LEAST_ROWS:
            found.append(_shift(column, cells, reference))
    return found


def significant(shifts: list[Shift], level: float) -> list[Shift]:
    """The shifts that stand out at this level over the whole family, strongest first."""
    limit = level / max(1, len(shifts))
    return sorted((s for s in shifts if s.p_value <= limit and s.matters), key=lambda s: (-s.strength, s.column))


def _reference(cells: Floats, categorical: bool, window: int) -> FieldReference | None:
    present = cells[~np.isnan(cells)]
    if len(present) < 2 * _LEAST_ROWS:
        return None
    edges, codes = np.empty(0), np.empty(0)
    share = max(0.02, _LEAST_EXPECTED / window)
    if categorical:
        found, counts = np.unique(present, return_counts=True)
        codes = found[counts >= share * len(present)]
        if not len(codes):
            return None
    else:
        edges = _edges(present, share)
    quarter, three_quarters = np.quantile(present, [0.25, 0.75])
    scale = float(three_quarters - quarter) or float(present.std()) or 1.0
    out = FieldReference(np.sort(present), edges, codes, np.empty(0), scale)
    out.shares = _shares(present, out)
    return _with_inflation(out, present, window)


def _edges(present: Floats, share: float) -> Floats:
    """Inner edges of bins that each hold at least `share` of the values."""
    candidates = np.unique(np.quantile(present, np.arange(1, _BINS) / _BINS, method="higher"))
    ordered = np.sort(present)
    edges: list[float] = []
    below = 0.0
    for edge in candidates:
        at = np.searchsorted(ordered, edge) / len(ordered)
        if at - below >= share and 1.0 - at >= share:
            edges.append(float(edge))
            below = at
    return np.array(edges)


def _shares(cells: Floats, reference: FieldReference) -> Floats:
    if len(reference.codes):
        place = np.searchsorted(reference.codes, cells)
        place = np.where(np.isin(cells, reference.codes), place, len(reference.codes))
        return np.bincount(place, minlength=len(reference.codes) + 1) / len(cells)
    return _shares_between(reference.edges, np.sort(cells))


def _shares_between(edges: Floats, ordered: Floats) -> Floats:
    """The share of sorted numbers in each bin."""
    ends = np.concatenate([_ZERO, ordered.searchsorted(edges, side="left"), [len(ordered)]])
    shares: Floats = (ends[1:] - ends[:-1]) / len(ordered)
    return shares


def _with_inflation(reference: FieldReference, present: Floats, window: int) -> FieldReference:
    """Tests blocks of the reference against the rest of it, and keeps how much they differ."""
    size = min(window, len(present) // 3)
    ks, chi = [], []
    for begin in range(0, len(present) - size + 1, max(1, size // 2)):
        block = present[begin : begin + size]
        rest = np.concatenate([present[:begin], present[begin + size :]])
        weight = size * len(rest) / len(present)
        if not len(reference.codes):
            ks.append(np.sqrt(weight) * _ks(np.sort(block), np.sort(rest)))
        chi.append(weight * _chi_distance(_shares(block, reference), _shares(rest, reference)))
    freedom = max(1, len(reference.shares) - 1)
    if ks:
        usual = max(np.mean(ks) / _KOLMOGOROV_MEAN, max(ks) / kolmogi(1 / (2 * len(ks))))
        reference.inflation_ks = max(1.0, float(usual))
    if chi:
        reference.inflation_chi = max(1.0, float(np.mean(chi)) / freedom)
    return reference


def _shift(column: int, cells: Floats, reference: FieldReference) -> Shift:
    sample, size = len(cells), len(reference.ordered)
    weight = sample * size / (sample + size)
    own = np.empty(0) if len(reference.codes) else np.sort(cells)
    shares = _shares(cells, reference) if len(reference.codes) else _shares_between(reference.edges, own)
    freedom = max(1, len(shares) - 1)
    chi = weight * _chi_distance(shares, reference.shares)
    tests = [float(chdtrc(freedom, chi / reference.inflation_chi))] if len(shares) > 1 else []
    ks = wasserstein = float("nan")
    if not len(reference.codes):
        ks = _ks(own, reference.ordered)
        tests.append(float(kolmogorov(np.sqrt(weight) * ks / reference.inflation_ks)))
        wasserstein = _wasserstein(own, reference.ordered) / reference.scale
    return Shift(
        column=column,
        p_value=min(1.0, len(tests) * min(tests, default=1.0)),
        ks=ks,
        psi=_psi(shares, reference.shares),
        js=_js(shares, reference.shares),
        wasserstein=wasserstein,
        rows=sample,
    )


def _ks(own: Floats, ordered: Floats) -> float:
    """The largest gap between the two distribution functions, of values that are sorted."""
    begins = np.flatnonzero(np.concatenate([_FIRST, own[1:] != own[:-1]]))
    ends = np.concatenate([begins[1:], [len(own)]])
    steps = own[begins]
    lower = ordered.searchsorted(steps, side="left")
    upper, met = lower.copy(), ordered[np.minimum(lower, len(ordered) - 1)] == steps
    upper[met] = ordered.searchsorted(steps[met], side="right")
    above = ends / len(own) - upper / len(ordered)
    below = begins / len(own) - lower / len(ordered)
    return float(max(np.abs(above).max(), np.abs(below).max()))


def _wasserstein(own: Floats, ordered: Floats) -> float:
    """The area between the two quantile functions, of values that are sorted (1-Wasserstein)."""
    there, usual, widths = _steps(len(own), len(ordered))
    return float(np.abs(own[there] - ordered[usual]) @ widths)


@lru_cache(maxsize=64)
def _steps(one: int, other: int) -> tuple[Ints, Ints, Floats]:
    """Where the quantile functions of samples of these sizes are both level: place in each, and width in [0, 1]."""
    cuts = np.union1d(np.arange(one) * other, np.arange(other) * one)
    return cuts // other, cuts // one, np.diff(cuts, append=one * other) / (one * other)


def _chi_distance(one: Floats, other: Floats) -> float:
    pooled = (one + other) / 2
    used = pooled > 0
    return float((((one - other) ** 2)[used] / pooled[used]).sum())


def _psi(one: Floats, other: Floats) -> float:
    """Population stability index; empty bins count as 0.1 per mille."""
    a, b = np.maximum(one, 1e-4), np.maximum(other, 1e-4)
    return float(((a - b) * np.log(a / b)).sum())


def _js(one: Floats, other: Floats) -> float:
    """Jensen-Shannon distance in [0, 1], base 2."""
    middle = (one + other) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(one > 0, one * np.log2(one / middle), 0) + np.where(
            other > 0, other * np.log2(other / middle), 0
        )
    return float(np.sqrt(max(0.0, parts.sum() / 2)))
