"""Has the mean of a bounded stream risen? Tests that may be looked at after every row.

Both bet against the hypothesis "the mean, given the past, is at most `bar`" for values in [0, 1]: a
stake `f` turns one unit into ``1 + f / bar * (value - bar)``, which no strategy can make grow while
the hypothesis holds (Waudby-Smith and Ramdas 2024). A grid of stakes is mixed, so none is tuned.

`Detector` restarts a bet at every row and sums them: the e-detector of Shin, Ramdas and Rinaldo
(2023, "E-detectors: a nonparametric framework for sequential change detection"), Shiryaev-Roberts
form. Its average run length to a false alarm is at least ``1 / rate`` at every sample size, without
any assumption on the distribution of the values.

Real errors come in runs. A bet's log growth is therefore divided by `memory`, the number of rows it
takes until an error says something new (`memory_of`): a power below one of an e-value is an e-value
still, so nothing is lost of the guarantee, and dependent rows count as what they are worth.

`Bet` starts once: crossing ``1 / level`` has a chance of at most `level`, ever (Ville's inequality).
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.state import Floats

STAKES = np.array([0.03, 0.08, 0.15, 0.3, 0.5, 0.7, 0.9])
_CHUNK = 64
_MOST_LOG = 300.0
_MOST_WEALTH = 1e250


def memory_of(values: Floats) -> float:
    """The integrated autocorrelation time, 1 for independent rows; window after Sokal (1997)."""
    centred = values - values.mean()
    size = len(centred)
    if size < 8 or not centred.any():
        return 1.0
    width = 1 << (2 * size - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, width)) ** 2
    correlation = np.fft.irfft(spectrum, width)[: size // 2]
    times = 2.0 * np.cumsum(correlation / correlation[0]) - 1.0
    enough = np.flatnonzero(np.arange(len(times)) >= 5.0 * times)
    return max(1.0, float(times[enough[0] if len(enough) else -1]))


def _growth(values: Floats, bar: float, memory: float) -> Floats:
    """Log growth by row and stake, shape (rows, stakes)."""
    growth: Floats = np.log1p(STAKES[None, :] * (values[:, None] - bar) / bar) / memory
    return growth


class Detector(msgspec.Struct):
    """The e-detector's wealth per stake. Call `feed` with the bar that holds for these rows."""

    wealth: Floats = msgspec.field(default_factory=lambda: np.zeros(len(STAKES)))

    def feed(self, values: Floats, bar: float, rate: float, memory: float = 1.0) -> int | None:
        """Takes values in order; the place of the first that raises the alarm, else None.

        `bar` in (0, 1]; the alarm is raised when the mixed wealth reaches ``1 / rate``.
        """
        growth = _growth(values, bar, memory)
        for begin in range(0, len(values), _CHUNK):
            wealth = self._chunk(growth[begin : begin + _CHUNK])
            over = np.flatnonzero(wealth.sum(axis=1) / len(STAKES) >= 1.0 / rate)
            self.wealth = wealth[-1]
            if len(over):
                return begin + int(over[0])
        return None

    @property
    def evidence(self) -> float:
        """The mixed wealth now: 1 / evidence is the rate of false alarms at which this would alarm."""
        return float(self.wealth.mean())

    def reset(self) -> None:
        self.wealth = np.zeros(len(STAKES))

    def _chunk(self, growth: Floats) -> Floats:
        """Wealth after each row: ``w[t] = growth[t] * (w[t-1] + 1)``, solved for the whole chunk."""
        logs = growth.cumsum(axis=0)
        before = np.zeros(logs.shape)
        before[1:] = logs[:-1]
        started = np.exp(np.minimum(-before, _MOST_LOG)).cumsum(axis=0)
        wealth: Floats = np.exp(np.minimum(logs, _MOST_LOG)) * (self.wealth + started)
        return np.minimum(wealth, _MOST_WEALTH)


class Bet(msgspec.Struct):
    """A bet that starts once, at a known moment such as a release."""

    logs: Floats = msgspec.field(default_factory=lambda: np.zeros(len(STAKES)))
    rows: int = 0

    def feed(self, values: Floats, bar: float, level: float, memory: float = 1.0) -> int | None:
        """Takes values in order; the place of the first that raises the alarm, else None."""
        if not len(values):
            return None
        logs = self.logs + np.cumsum(_growth(values, bar, memory), axis=0)
        mixed = np.exp(np.minimum(logs, _MOST_LOG)).mean(axis=1)
        over = np.flatnonzero(mixed >= 1.0 / level)
        self.logs = logs[-1]
        self.rows += len(values)
        return int(over[0]) if len(over) else None

    @property
    def evidence(self) -> float:
        return float(np.exp(np.minimum(self.logs, _MOST_LOG)).mean())


def onset(values: Floats, bar: float) -> int:
    """Where the evidence begins: the start that makes "above `bar` from here on" likeliest.

    Maximum likelihood over all starts, with the Bernoulli divergence of the mean since then from
    `bar` as gain (Page 1954; exact for 0/1 values). Index into `values`, newest last.
    """
    sums = np.cumsum(values[::-1])
    counts = np.arange(1, len(values) + 1)
    means = np.clip(sums / counts, 1e-9, 1 - 1e-9)
    bar = min(max(bar, 1e-9), 1 - 1e-9)
    divergence = means * np.log(means / bar) + (1 - means) * np.log((1 - means) / (1 - bar))
    gain = np.where(means > bar, counts * divergence, 0.0)
    return len(values) - 1 - int(np.argmax(gain))
