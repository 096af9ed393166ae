"""Windows of metrics: of each window the highest revision, of each family the newest windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.gateway.readmodel.entry import Entry, in_order, plain
from shared.messages import Metrics

WINDOWS_KEPT = 5000


@dataclass(frozen=True, slots=True)
class Selection:
    """Which windows and values are asked for. Bounds are rows or times, inclusive; None is open."""

    families: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    begin: int | datetime | None = None
    end: int | datetime | None = None
    limit: int = WINDOWS_KEPT

    def takes(self, metrics: Metrics) -> bool:
        if self.families and metrics.family not in self.families:
            return False
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
    """Windows by (pipeline, family), and each pipeline's running totals."""

    def __init__(self, kept: int = WINDOWS_KEPT) -> None:
        self._kept = kept
        self._windows: dict[tuple[str, str], dict[int, Metrics]] = {}
        self._totals: dict[str, tuple[int, int]] = {}
        self._newest: dict[tuple[str, str], Entry[Metrics]] = {}

    def on_metrics(self, entries: Sequence[Entry[Metrics]]) -> None:
        for entry in entries:
            self._fold(entry.message)
            place = (entry.message.pipeline, entry.message.family)
            newest = self._newest.get(place)
            if newest is None or entry.message.window.index >= newest.message.window.index:
                self._newest[place] = entry

    def _fold(self, metrics: Metrics) -> None:
        rows, labelled = self._totals.get(metrics.pipeline, (0, 0))
        self._totals[metrics.pipeline] = max(rows, metrics.rows_seen), max(labelled, metrics.labelled_seen)
        windows = self._windows.setdefault((metrics.pipeline, metrics.family), {})
        known = windows.get(metrics.window.index)
        if known is None or metrics.revision >= known.revision:
            windows[metrics.window.index] = metrics
        if len(windows) > self._kept:
            del windows[min(windows)]

    def forget(self, pipeline: str, before: datetime) -> None:
        """The pipeline was removed then; where newer ones have come it has been defined again."""
        newest = [entry.at for (name, _), entry in self._newest.items() if name == pipeline]
        if newest and max(newest) <= before:
            self._windows = {place: windows for place, windows in self._windows.items() if place[0] != pipeline}
            self._newest = {place: entry for place, entry in self._newest.items() if place[0] != pipeline}
            self._totals.pop(pipeline, None)

    def held(self) -> list[Entry[Metrics]]:
        """The newest window of each pipeline and family: what there is to tell of one that has fallen silent."""
        return in_order(self._newest.values())

    def totals(self, pipeline: str) -> tuple[int, int]:
        """Rows seen and labelled rows seen."""
        return self._totals.get(pipeline, (0, 0))

    def newest(self, pipeline: str, family: str, wanted: Callable[[Metrics], bool] = lambda _: True) -> Metrics | None:
        """The window with the highest index that is `wanted`."""
        windows = self._windows.get((pipeline, family), {})
        return next((windows[index] for index in sorted(windows, reverse=True) if wanted(windows[index])), None)

    def select(self, pipeline: str, selection: Selection) -> list[dict[str, Any]]:
        """The selected windows in order of rows, the newest `limit` of them."""
        found = [
            metrics
            for (name, _), windows in self._windows.items()
            if name == pipeline
            for metrics in windows.values()
            if selection.takes(metrics)
        ]
        found.sort(key=lambda m: (m.window.last_row, m.family, m.window.index))
        return [self._view(metrics, selection) for metrics in found[-selection.limit :]]

    def _view(self, metrics: Metrics, selection: Selection) -> dict[str, Any]:
        view = plain(metrics) | {"kind": "estimated" if metrics.family == "estimate" else "measured"}
        view["values"] = selection.values(metrics.values)
        view["by_version"] = {version: selection.values(values) for version, values in metrics.by_version.items()}
        view["by_slice"] = {name: selection.values(values) for name, values in metrics.by_slice.items()}
        return view
