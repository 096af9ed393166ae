"""Windows of metrics: of each window the highest revision, of each family the newest windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from services.gateway.readmodel.entry import Entry, Packed, in_order, plain
from shared.messages import Metrics
from shared.topics import METRICS

WINDOWS_KEPT = 5000

Place = tuple[str, str]
"""Pipeline and family."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which windows and values are asked for. Bounds are rows or times, inclusive; None is open.

    `spread`: of more than `limit`, not the newest but so many over the whole stretch, as many of each family.
    """

    families: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    begin: int | datetime | None = None
    end: int | datetime | None = None
    limit: int = WINDOWS_KEPT
    spread: bool = False

    def asks(self, family: str) -> bool:
        return not self.families or family in self.families

    def takes(self, metrics: Metrics) -> bool:
        return self._after(metrics) and self._before(metrics)

    def _after(self, metrics: Metrics) -> bool:
        if isinstance(self.begin, datetime):
            return (metrics.window.ends or metrics.at) >= self.begin
        return self.begin is None or metrics.window.last_row >= self.begin

    def _before(self, metrics: Metrics) -> bool:
        if isinstance(self.end, datetime):
            return (metrics.window.begins or metrics.at) <= self.end
        return self.end is None or metrics.window.first_row <= self.end

    def values(self, values: dict[str, float]) -> dict[str, float]:
        """Those of the asked names; a name also stands for all that begin with it and a dot."""
        if not self.names:
            return values
        return {k: v for k, v in values.items() if k in self.names or k.startswith(tuple(n + "." for n in self.names))}


class MetricBook:
    """Windows by (pipeline, family), and each pipeline's running totals.

    Of more windows than are `kept`, of the older half only every second, fourth … stays: all of the past can be seen,
    but coarser.
    """

    def __init__(self, kept: int = WINDOWS_KEPT) -> None:
        self._kept = kept
        self._windows: dict[Place, dict[int, Packed[Metrics]]] = {}
        self._totals: dict[str, tuple[int, int]] = {}
        self._heard: dict[Place, datetime] = {}

    def on_metrics(self, entries: Sequence[Entry[Metrics]]) -> None:
        for entry in entries:
            self._fold(entry)

    def _fold(self, entry: Entry[Metrics]) -> None:
        metrics, place = entry.message, (entry.message.pipeline, entry.message.family)
        rows, labelled = self._totals.get(metrics.pipeline, (0, 0))
        self._totals[metrics.pipeline] = max(rows, metrics.rows_seen), max(labelled, metrics.labelled_seen)
        self._heard[place] = max(entry.at, self._heard.get(place, entry.at))
        windows = self._windows.setdefault(place, {})
        known = windows.get(metrics.window.index)
        if known is None or metrics.revision >= known.message(METRICS).revision:
            windows[metrics.window.index] = Packed.of(entry)
        if len(windows) > self._kept:
            for index in _superfluous(sorted(windows)[: len(windows) // 2]):
                del windows[index]

    def forget(self, pipeline: str, before: datetime) -> None:
        """The pipeline was removed then; where newer ones have come it has been defined again."""
        heard = [at for (name, _), at in self._heard.items() if name == pipeline]
        if heard and max(heard) <= before:
            self._windows = {place: windows for place, windows in self._windows.items() if place[0] != pipeline}
            self._heard = {place: at for place, at in self._heard.items() if place[0] != pipeline}
            self._totals.pop(pipeline, None)

    def held(self) -> list[Entry[Metrics]]:
        """All windows that are remembered."""
        return in_order(packed.entry(METRICS) for windows in self._windows.values() for packed in windows.values())

    def totals(self, pipeline: str) -> tuple[int, int]:
        """Rows seen and labelled rows seen."""
        return self._totals.get(pipeline, (0, 0))

    def newest(self, pipeline: str, family: str, wanted: Callable[[Metrics], bool] = lambda _: True) -> Metrics | None:
        """The window with the highest index that is `wanted`."""
        return next((metrics for metrics in self._newest_first((pipeline, family)) if wanted(metrics)), None)

    def select(self, pipeline: str, selection: Selection) -> list[dict[str, Any]]:
        """The selected windows in order of rows, the newest `limit` of them."""
        places = [(name, family) for name, family in self._windows if name == pipeline and selection.asks(family)]
        share = selection.limit // max(len(places), 1) if selection.spread else selection.limit
        found = [metrics for place in places for metrics in self._selected(place, selection, max(share, 1))]
        found.sort(key=lambda m: (m.window.last_row, m.family, m.window.index))
        return [self._view(metrics, selection) for metrics in found[-selection.limit :]]

    def _selected(self, place: Place, selection: Selection, most: int) -> Iterator[Metrics]:
        taken = filter(selection.takes, self._newest_first(place))
        if not selection.spread:
            return islice(taken, most)
        whole = list(taken)
        return iter(whole[:: -(-len(whole) // most) or 1])

    def _newest_first(self, place: Place) -> Iterator[Metrics]:
        windows = self._windows.get(place, {})
        return (windows[index].message(METRICS) for index in sorted(windows, reverse=True))

    def _view(self, metrics: Metrics, selection: Selection) -> dict[str, Any]:
        view = plain(metrics) | {"kind": "estimated" if metrics.family == "estimate" else "measured"}
        view["values"] = selection.values(metrics.values)
        view["by_version"] = {version: selection.values(values) for version, values in metrics.by_version.items()}
        view["by_slice"] = {name: selection.values(values) for name, values in metrics.by_slice.items()}
        return view


def _superfluous(older: Sequence[int]) -> list[int]:
    """A quarter of these indices at least: all that are no multiple of two, else of four, and so on.

    >>> _superfluous([0, 2, 4, 6, 7, 8])
    [2, 6, 7]
    """
    found: list[int] = []
    for power in range(1, 64):
        found = [index for index in older if index % 2**power]
        if 4 * len(found) >= len(older):
            break
    return found
