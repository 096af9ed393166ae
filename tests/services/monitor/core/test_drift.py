"""What is measured of a window against the reference is the statistic of that name, to the last digits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from services.monitor.core.drift import references_of, shifts_in

ROWS = 400


@pytest.mark.parametrize("decimals", [1, 12], ids=["many ties", "no ties"])
@pytest.mark.parametrize("sample", [50, 200, 400, 777])
def test_distances_are_those_of_scipy(sample: int, decimals: int) -> None:
    rng = np.random.default_rng(3)
    reference = rng.normal(size=(ROWS, 2)).round(decimals)
    window = rng.normal(0.3, 1.5, size=(sample, 2)).round(decimals)
    window[rng.random(sample) < 0.2, 0] = np.nan
    window[:50, 0] = 0.25

    references = references_of(reference, np.zeros(2, bool), np.zeros(2, bool), 200)

    for shift in shifts_in(window, references):
        known, cells = references[shift.column], window[:, shift.column]
        cells = cells[~np.isnan(cells)]
        assert known is not None
        assert shift.ks == pytest.approx(ks_2samp(cells, known.ordered).statistic, abs=1e-12)
        assert shift.wasserstein * known.scale == pytest.approx(wasserstein_distance(cells, known.ordered), abs=1e-12)


def test_the_stability_index_is_that_of_the_counts_in_its_bins() -> None:
    rng = np.random.default_rng(4)
    reference, window = rng.normal(size=(ROWS, 1)).round(1), rng.normal(0.5, 1, size=(ROWS, 1)).round(1)
    (known,) = references_of(reference, np.zeros(1, bool), np.zeros(1, bool), 200)
    assert known is not None
    bins = [-np.inf, *known.edges, np.inf]

    (shift,) = shifts_in(window, [known])

    one, other = (np.histogram(cells, bins)[0] / ROWS for cells in (window, reference))
    assert shift.psi == pytest.approx(float(((one - other) * np.log(one / other)).sum()), abs=1e-12)
