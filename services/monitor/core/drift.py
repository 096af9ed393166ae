"""Have the inputs moved? Each field's window against the reference, at a level that holds as a family.

Kolmogorov-Smirnov and Pearson's chi-square on ten bins for numbers, chi-square for categories. The
laws these statistics follow hold for independent rows; real rows are not. So the reference is tested
against itself first, block by block, and each statistic is divided by how much more it varies there
than independent rows would make it (a variance inflation, as in survey statistics: Rao and Scott
1981). On independent rows the factor is 1 and the p-values are the textbook's; on seasonal data such
as electricity prices they stay honest. Bonferroni over fields and tests keeps the family's level.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy.special import chdtrc, kolmogi, kolmogorov

from services.monitor.core import distances
from services.monitor.core.distributions import codes_in
from services.monitor.core.state import Bools, Floats

_BINS = 10
_LEAST_EXPECTED = 8.0
_KOLMOGOROV_MEAN = 0.8687
_EFFECT_KS = 0.1
_EFFECT_PSI = 0.1
_LEAST_ROWS = 50
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
    """The shift of every field that has a reference and at least 50 values in the window, in order.

    Fields of numbers that have a value in every row are looked at together.
    """
    known = {column: reference for column, reference in enumerate(references) if reference is not None}
    there = ~np.isnan(window)
    counts = np.count_nonzero(there, axis=0)
    together = [c for c, each in known.items() if counts[c] == len(window) >= _LEAST_ROWS and not len(each.codes)]
    found = _of_numbers(together, np.sort(window[:, together].T, axis=1), [known[c] for c in together])
    for column in [c for c in known if c not in together and counts[c] >= _LEAST_ROWS]:
        cells, reference = window[there[:, column], column], known[column]
        if len(reference.codes):
            found.append(_of_categories(column, cells, reference))
        else:
            found += _of_numbers([column], np.sort(cells)[None, :], [reference])
    return sorted(found, key=lambda shift: shift.column)


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
            ks.append(np.sqrt(weight) * float(distances.ks(np.sort(block)[None, :], [np.sort(rest)])[0]))
        shares = _shares(block, reference)[None, :], _shares(rest, reference)[None, :]
        chi.append(weight * float(distances.chi_distance(*shares)[0]))
    freedom = max(1, len(reference.shares) - 1)
    if ks:
        usual = max(np.mean(ks) / _KOLMOGOROV_MEAN, max(ks) / kolmogi(1 / (2 * len(ks))))
        reference.inflation_ks = max(1.0, float(usual))
    if chi:
        reference.inflation_chi = max(1.0, float(np.mean(chi)) / freedom)
    return reference


def _of_numbers(columns: Sequence[int], own: Floats, references: Sequence[FieldReference]) -> list[Shift]:
    """The shifts of fields of numbers, from the same count of values of each: sorted, one line per field."""
    if not columns:
        return []
    rows, sizes = own.shape[1], np.array([len(reference.ordered) for reference in references])
    weights = rows * sizes / (rows + sizes)
    shares = [_shares_between(reference.edges, line) for reference, line in zip(references, own, strict=True)]
    psi, js, p_chi = _by_bins(shares, references, weights)
    ks = distances.ks(own, [reference.ordered for reference in references])
    p_ks = kolmogorov(np.sqrt(weights) * ks / np.array([reference.inflation_ks for reference in references]))
    tests = np.array([1 if len(one) < 2 else 2 for one in shares])
    p_values = np.minimum(1.0, tests * np.fmin(p_ks, p_chi))
    areas = [distances.wasserstein(line, each.ordered) / each.scale for line, each in zip(own, references, strict=True)]
    figures = zip(columns, p_values.tolist(), ks.tolist(), psi, js, areas, strict=True)
    return [Shift(column, p, far, index, distance, area, rows) for column, p, far, index, distance, area in figures]


def _of_categories(column: int, cells: Floats, reference: FieldReference) -> Shift:
    sample, size = len(cells), len(reference.ordered)
    weights = np.array([sample * size / (sample + size)])
    (psi,), (js,), p_chi = _by_bins([_shares(cells, reference)], [reference], weights)
    p_value = float(np.fmin(1.0, p_chi[0]))
    return Shift(column, p_value, float("nan"), psi, js, float("nan"), sample)


def _by_bins(
    shares: Sequence[Floats], references: Sequence[FieldReference], weights: Floats
) -> tuple[list[float], list[float], Floats]:
    """PSI, Jensen-Shannon and the p-value of chi-square (NaN for a single bin) of each field, at once where fields have
    as many bins.
    """
    psi, js, p_chi = np.empty(len(shares)), np.empty(len(shares)), np.full(len(shares), np.nan)
    bins = np.array([len(each) for each in shares])
    for count in codes_in(bins):
        own = np.flatnonzero(bins == count).tolist()
        one = np.array([shares[place] for place in own])
        other = np.array([references[place].shares for place in own])
        psi[own], js[own] = distances.psi(one, other), distances.js(one, other)
        if count > 1:
            inflation = np.array([references[place].inflation_chi for place in own])
            p_chi[own] = chdtrc(count - 1, weights[own] * distances.chi_distance(one, other) / inflation)
    return psi.tolist(), js.tolist(), p_chi
