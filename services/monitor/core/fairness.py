"""Is one slice of the rows answered worse than the rest, beyond chance and beyond the tolerance?

Labelled answers come in blocks. In each, the errors of a slice are held against the errors of all
other rows of the same block, by an e-value for two streams (Turner, Ly and Grünwald 2024, "Generic
E-variables for exact sequential k-sample tests that allow for optional stopping"): the likelihood
under rates guessed from the past, over that under the nearest pair of rates that is fair. Fair means
a slice's rate at most the rest's plus the tolerance, whatever the rest's is: what makes all rows worse
is not unfair. Nearest is by Kullback-Leibler divergence; that set is convex, so the expectation is at
most 1 over all of it (Turner and Grünwald 2023). The factors are linear in the error, so this holds for
any error in [0, 1] with these means.

A test is begun at every block and they are summed, as in `sequential.Detector` (Shin, Ramdas and
Rinaldo 2023): the mean time to a false alarm is at least one over its rate whenever one looks.
Several sizes of unfairness are mixed. The rate is shared among all slices (Bonferroni), and growth is
divided by `memory`, since errors come in runs.
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.state import Floats, Ints, empty, no_rows

BLOCK = 200
LEAST_ROWS = 200
_GAPS = np.array([0.05, 0.1, 0.2, 0.4])
_REMEMBERED = 300
_ENOUGH = 150
_LEAST_GUESSED = 100
_LOWEST, _HIGHEST = 0.005, 0.98
_HALVINGS = 30
_MOST_LOG = 300.0
_EARLY_BLOCKS = 2
_MOST_SLICES = 200


class Slice(msgspec.Struct):
    """One slice under one version. `blocks` holds rows and errors of it and of the rest, newest last.

    `rise` is the evidence since it last was none (Page 1954), of each size, and `starts` the (row, block) where
    that was: where the trouble is estimated to begin. `usual` is what it lay behind the rest under the
    version before (NaN: not known). `unfair` once it was found to be; `seen` counts its rows since then.
    """

    wealth: Floats = msgspec.field(default_factory=lambda: np.zeros(len(_GAPS)))
    blocks: list[tuple[int, float, int, float]] = []
    rise: Floats = msgspec.field(default_factory=lambda: np.zeros(len(_GAPS)))
    starts: list[tuple[int, int]] = []
    rows: int = 0
    taken: int = 0
    usual: float = float("nan")
    unfair: bool = False
    seen: int = 0

    @property
    def gap(self) -> float:
        """How far its mean error lies above the rest's, over its newest 300 rows; NaN without any."""
        counts = np.array([block[0] for block in self.blocks], float)
        if not counts.sum():
            return float("nan")
        gaps = [own / rows - rest / others for rows, own, others, rest in self.blocks]
        return float(np.average(gaps, weights=counts))

    @property
    def rest(self) -> float:
        """The rest's mean error beside it."""
        return float(np.average([b[3] / b[2] for b in self.blocks], weights=[b[0] for b in self.blocks]))

    @property
    def ready(self) -> bool:
        """Whether enough is known of the rest to bet."""
        return sum(block[2] for block in self.blocks) >= _LEAST_GUESSED

    def take(self, own: Floats, rest: Floats, growth: Floats, first_row: int) -> None:
        """One block: the slice's errors and the others', both not empty, and the logarithm of the e-values."""
        here = (first_row, self.taken)
        begun = self.starts or [here] * len(_GAPS)
        self.starts = [start if risen > 0 else here for start, risen in zip(begun, self.rise, strict=True)]
        self.rise = np.maximum(0.0, self.rise + growth)
        self.wealth = np.exp(np.minimum(growth + np.log1p(self.wealth), _MOST_LOG))
        self.rows, self.taken, self.seen = self.rows + len(own), self.taken + 1, self.seen + len(own)
        self.blocks = [*self.blocks, (len(own), float(own.sum()), len(rest), float(rest.sum()))]
        while sum(block[0] for block in self.blocks[1:]) >= _REMEMBERED:
            self.blocks = self.blocks[1:]

    @property
    def first(self) -> int:
        """The row where its evidence is estimated to begin."""
        return self.starts[int(np.argmax(self.rise))][0]

    @property
    def with_version(self) -> bool:
        """Whether it was fair under the version before, and is not since this one began."""
        return self.starts[int(np.argmax(self.rise))][1] <= _EARLY_BLOCKS and not np.isnan(self.usual)

    def renewed(self, tolerance: float) -> Slice:
        """The same slice under another version."""
        known = self.rows >= _ENOUGH and self.gap <= tolerance
        return Slice(usual=self.gap if known else float("nan"), unfair=self.unfair)


class Fairness(msgspec.Struct):
    """All slices of a pipeline, by field and place. Rows wait until their block is full."""

    version: str = ""
    slices: dict[str, Slice] = {}
    rows: Ints = msgspec.field(default_factory=no_rows)
    errors: Floats = msgspec.field(default_factory=empty)

    def renew(self, version: str, tolerance: float) -> None:
        """Another version answers: evidence and counts begin anew."""
        self.version = version
        self.slices = {key: one.renewed(tolerance) for key, one in self.slices.items()}
        self.rows, self.errors = no_rows(), empty()

    def add(self, rows: Ints, errors: Floats) -> None:
        """Takes labelled rows of the live version."""
        self.rows, self.errors = np.concatenate([self.rows, rows]), np.concatenate([self.errors, errors])

    def next_block(self) -> tuple[Ints, Floats]:
        rows, errors = self.rows[:BLOCK], self.errors[:BLOCK]
        self.rows, self.errors = self.rows[BLOCK:], self.errors[BLOCK:]
        return rows, errors

    def judge(self, field: str, places: Ints, rows: Ints, errors: Floats, tolerance: float, memory: float) -> None:
        """One block of one field: `places` are the slices its rows lie in (-1: none)."""
        there, counts = np.unique(places[places >= 0], return_counts=True)
        there, counts = there[counts < len(places)], counts[counts < len(places)]
        slices = [self._slice(f"{field}|{place}") for place in there.tolist()]
        guesses = np.array([one.rest if one.ready else 0.5 for one in slices])
        bets = _bets(counts, guesses, len(places), tolerance)
        for number, (place, one) in enumerate(zip(there.tolist(), slices, strict=True)):
            own, rest = errors[places == place], errors[places != place]
            growth = _growth(own, rest, bets[:, number]) / memory if one.ready else np.zeros(len(_GAPS))
            one.take(own, rest, growth, int(rows[0]))

    def _slice(self, key: str) -> Slice:
        if key not in self.slices and len(self.slices) >= _MOST_SLICES:
            return Slice()
        return self.slices.setdefault(key, Slice())

    def found(self, tolerance: float, rate: float) -> list[str]:
        """The slices newly found unfair, at `rate` false alarms per block over all of them."""
        tested = [key for key, one in self.slices.items() if one.rows >= LEAST_ROWS]
        limit = max(1, len(tested)) / rate
        hit = [key for key in tested if not self.slices[key].unfair and self.slices[key].wealth.mean() >= limit]
        hit = [key for key in hit if self.slices[key].gap > tolerance]
        for key in hit:
            self.slices[key].unfair, self.slices[key].seen = True, 0
        return hit

    def mended(self, tolerance: float) -> list[str]:
        """Those that over their newest rows (150 since, at least) lie behind by the tolerance at most; begun anew."""
        over = [k for k, one in self.slices.items() if one.unfair and one.seen >= _ENOUGH and one.gap <= tolerance]
        for key in over:
            self.slices[key] = Slice(rows=self.slices[key].rows, blocks=self.slices[key].blocks)
        return over


def _bets(counts: Ints, guesses: Floats, size: int, tolerance: float) -> Floats:
    """For slices with so many of the block's `size` rows, and guesses of the rest's rate: what is bet.

    Shape (4, slices, sizes of unfairness): the slice's fair rate and its factor, the rest's and its factor.
    """
    b = np.clip(guesses, _LOWEST, _HIGHEST - tolerance - 0.01)[:, None]
    a = np.minimum(b + tolerance + _GAPS, _HIGHEST)
    fair_a = nearest_fair(a, b, counts[:, None], size - counts[:, None], tolerance)
    fair_b = fair_a - tolerance
    return np.stack([fair_a, (a - fair_a) / (fair_a * (1 - fair_a)), fair_b, (b - fair_b) / (fair_b * (1 - fair_b))])


def _growth(own: Floats, rest: Floats, bet: Floats) -> Floats:
    """The logarithm of the block's e-value for each size of unfairness."""
    fair_a, up, fair_b, down = bet
    growth: Floats = np.log1p((own[:, None] - fair_a) * up).sum(axis=0)
    growth += np.log1p((rest[:, None] - fair_b) * down).sum(axis=0)
    return growth


def nearest_fair(a: Floats, b: Floats, rows: Ints, others: Ints, tolerance: float) -> Floats:
    """The slice's rate in the fair pair (rate, rate - tolerance) nearest to (a, b), for so many rows of each.

    The root of the derivative of the summed divergence, which rises from `b + tolerance` to `a`; by halving.
    """
    low, high = np.broadcast_to(b + tolerance, a.shape), a
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fair = middle - tolerance
        slope = rows * (middle - a) / (middle * (1 - middle)) + others * (fair - b) / (fair * (1 - fair))
        low, high = np.where(slope < 0, middle, low), np.where(slope < 0, high, middle)
    return (low + high) / 2
