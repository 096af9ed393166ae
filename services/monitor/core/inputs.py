"""The inputs of one pipeline, watched: quality on short windows by source, drift on long ones.

Rows are taken in order of arrival. The reference is the first `reference_rows`; when a version is
published that was never live, drift is measured from the newest trusted rows instead, which are what
it was trained on. Never learned from: a field while it is at fault, cells that were doubted or
withheld, values out of the range learned before, and rows too new to have been looked at (a fault is
only seen at the end of the window it began in, so a row counts once the window after its own is clean).
A field of which more values lie far outside than the reference could show keeps what it had, fault or not.
"""

from __future__ import annotations

import msgspec
import numpy as np

from services.monitor.core.bounds import WINDOW, Bounds, bounds_of, is_clock
from services.monitor.core.distributions import codes_in
from services.monitor.core.drift import FieldReference, Shift, references_of, shifts_in, significant
from services.monitor.core.fields import Fields
from services.monitor.core.quality import Suspicion, frozen_runs, level_of, right_again, suspicions
from services.monitor.core.recent import Recent
from services.monitor.core.shape import Course
from services.monitor.core.state import Bools, Floats, Ints, no_rows
from services.monitor.core.watched import Accepted, DataWindow, Fault, Sizes, Stream

EARLY_ROWS = 400
_SLICE = 500
_MOST_SOURCES = 128
_LEAST_ROWS_OF_SOURCE = 200
_SILENT_ROWS = 200.0
_GONE_ROWS = 200
_SUSPECT_SHARE = 0.05


class Inputs(msgspec.Struct):
    """State of the watch. `faults` are those firing now, by ``column:source``."""

    fields: Fields
    sizes: Sizes
    recent: Recent
    streams: dict[int, Stream] = {}
    faults: dict[str, Fault] = {}
    bounds: Bounds | None = None
    references: list[FieldReference | None] = []
    far_rate: float = 0.0
    learned: int = 0
    following: int = 0
    starts: int = 0
    examined: int = 0
    closed: list[DataWindow] = []

    @classmethod
    def of(cls, fields: Fields, sizes: Sizes) -> Inputs:
        width = len(fields.names)
        capacity = max(sizes.reference, 2 * sizes.window) + 2 * _SLICE + sizes.window
        return cls(fields, sizes, Recent.of(capacity, width))

    def take(self, values: Floats, rows: Ints, sources: Ints, withheld: Bools | None = None) -> None:
        """Takes rows in order of arrival. What came of it lies in `faults` and `closed`.

        `withheld` marks cells that the model did not see: they are checked, but not learned from.
        """
        for begin in range(0, len(values), _SLICE):
            cut = slice(begin, begin + _SLICE)
            self._slice(values[cut], rows[cut], sources[cut], None if withheld is None else withheld[cut])

    def continued(self, before: Inputs) -> Inputs:
        """This watch, new and empty, in the place of one that counted rows and windows before it."""
        self.recent.seen = self.learned = self.starts = before.recent.seen
        self.following = before.following
        return self

    def take_closed(self) -> list[DataWindow]:
        """The windows closed since the last call."""
        closed, self.closed = self.closed, []
        return closed

    def renew(self) -> None:
        """A new version was trained on newest data: drift is measured from these rows on."""
        if self.references:
            self._learn_references()

    def row_at(self, place: int) -> int:
        """The row number of an arrival, of the oldest kept one where it is gone."""
        place = max(0, place, self.recent.seen - self.recent.capacity)
        return int(self.recent.rows[place % self.recent.capacity])

    def silent(self) -> list[tuple[int, int, float]]:
        """Sources that stopped while others go on: (source, last arrival, rows of silence that are too many)."""
        found = []
        total = self.recent.seen
        for source, stream in self.streams.items():
            share = stream.rows / max(1, stream.last_place + 1)
            if stream.rows < _LEAST_ROWS_OF_SOURCE or stream.turns < 20 or not 0.02 < share < 0.98:
                continue
            limit = max(_SILENT_ROWS, 5.0 * stream.longest_gap, np.log(self.sizes.quality_level) / np.log(1 - share))
            if total - stream.last_place > limit:
                found.append((source, stream.last_place, float(limit)))
        return found

    def gone(self, source: int) -> bool:
        """Whether a source has stopped: nothing of it for 200 rows, and for five times its longest gap."""
        stream = self.streams.get(source)
        return stream is not None and self.recent.seen - stream.last_place > max(_GONE_ROWS, 5 * stream.longest_gap)

    def leave(self, fault: Fault) -> None:
        """The fault's source is gone: its last rows, too few to be judged, count as at fault."""
        stream = self.streams[fault.source]
        self._doubt(fault, stream.places)
        fault.until = max(fault.until, stream.last_place + 1)

    def accept(self, source: int, column: int) -> Accepted | None:
        """The field of this source is right as it is: its fault ends, and what is plausible is widened by its values.

        None where it was not at fault. Where nothing is left of what it sent since, nothing is learned.
        """
        fault = self.faults.pop(f"{column}:{source}", None)
        if fault is None:
            return None
        own = self._sent_by(source, self.recent.places(fault.since, self.recent.seen))
        if self.bounds is None or not len(own):
            return Accepted(fault, learned=False)
        self.recent.trust(own, column)
        self._widen(column, own, self.bounds)
        if source in self.streams:
            self.streams[source].course.settle(column)
        return Accepted(fault, learned=True)

    def _widen(self, column: int, places: Ints, known: Bounds) -> None:
        """Takes what a field showed in these rows for plausible. What they are too few to tell stays as it was."""
        slots, categorical = places % self.recent.capacity, self.fields.categorical
        values, sources = self.recent.values[slots], self.recent.sources[slots]
        fresh = bounds_of(values, sources, categorical, self.sizes.quality_level)
        if np.count_nonzero(~np.isnan(values[:, column])) < WINDOW:
            fresh.run[column], fresh.fresh[column] = known.run[column], known.fresh[column]
        others = set(range(len(self.fields.names))) - {column}
        widened = fresh.widened_by(known).except_for(others, known)
        self.bounds = widened if self.sizes.ranges else widened.without_ranges()

    def _sent_by(self, source: int, places: Ints) -> Ints:
        """Those of these arrivals that are watched under this number; -1: of all without a stream of their own."""
        senders = self.recent.sources[places % self.recent.capacity]
        own: Ints = places[senders == source if source >= 0 else ~np.isin(senders, list(self.streams))]
        return own

    def _slice(self, values: Floats, rows: Ints, sources: Ints, hidden: Bools | None) -> None:
        places = self.recent.append(values, rows, sources)
        if hidden is not None:
            for column in np.flatnonzero(hidden.any(axis=0)).tolist():
                self.recent.doubt(places[hidden[:, column]], column)
        codes = codes_in(sources)
        for source in codes:
            own = sources == source if len(codes) > 1 else slice(None)
            self._extend(source, values[own], places[own])
        self._learn()
        while self.starts + self.sizes.window <= self.recent.seen:
            self.closed.append(self._close(self.following))
            self.following, self.starts = self.following + 1, self.starts + self.sizes.window

    def _extend(self, source: int, values: Floats, places: Ints) -> None:
        source = source if source in self.streams or self._has_room() else -1
        stream = self.streams.get(source)
        if stream is None:
            width = values.shape[1]
            nothing = np.full(width, np.nan)
            start, course = int(places[0]), Course.of(width)
            stream = Stream(np.empty((0, width)), no_rows(), nothing, np.zeros(width), course, last_place=start)
            self.streams[source] = stream
        gaps = places - np.concatenate([[stream.last_place], places[:-1]])
        stream.longest_gap = max(stream.longest_gap, int(gaps.max(initial=1)))
        stream.turns += int(np.count_nonzero(gaps > 1))
        stream.rows, stream.last_place = stream.rows + len(places), int(places[-1])
        stream.values = np.concatenate([stream.values, values])
        stream.places = np.concatenate([stream.places, places])
        count = len(stream.values) // WINDOW
        if count:
            self._examine(source, stream, count)

    def _has_room(self) -> bool:
        """Whether one more source can be watched by itself; one whose rows are all forgotten makes room."""
        if len(self.streams) < _MOST_SOURCES:
            return True
        at_fault = {fault.source for fault in self.faults.values()}
        idle = {s: stream.last_place for s, stream in self.streams.items() if s >= 0 and s not in at_fault}
        oldest = min(idle, key=lambda s: idle[s], default=-1)
        if oldest < 0 or self.recent.seen - idle[oldest] <= self.recent.capacity:
            return False
        del self.streams[oldest]
        return True

    def _examine(self, source: int, stream: Stream, count: int) -> None:
        """Checks `count` whole short windows of a source and keeps the rest for the next."""
        used = count * WINDOW
        windows = stream.values[:used].reshape(count, WINDOW, -1)
        places = stream.places[:used].reshape(count, WINDOW)
        stream.values, stream.places = stream.values[used:], stream.places[used:]
        runs, stream.last, stream.run = frozen_runs(windows, stream.last, stream.run)
        before = stream.before
        self._check(source, stream, windows, runs, places)
        stream.before, stream.earlier = int(places[-1, 0]), int(places[-2, 0]) if count > 1 else before
        self.examined = max(self.examined, int(places[-1, -1]) + 1)

    def _check(self, source: int, stream: Stream, windows: Floats, runs: Floats, places: Ints) -> None:
        bounds = self.bounds
        if bounds is None:
            return
        found, limits, distances = (
            suspicions(windows, bounds, runs),
            bounds.shape.limits,
            bounds.shape.distances(windows),
        )
        for window, own, distance, run, where in zip(windows, found, distances, runs, places, strict=True):
            leaps = stream.course.take(window, distance, bounds.shape, limits)
            own += [Suspicion(leap.column, "scale", leap.distance, leap.limit, leap.detail) for leap in leaps]
            self._judge(source, stream, own, window, distance, run, where)

    def _judge(
        self,
        source: int,
        stream: Stream,
        found: list[Suspicion],
        window: Floats,
        distance: Floats,
        run: Floats,
        where: Ints,
    ) -> None:
        first = {suspicion.column: suspicion for suspicion in reversed(found)}
        for column, suspicion in first.items():
            key = f"{column}:{source}"
            fault = self.faults.get(key)
            if fault is None:
                since = self._since(stream, suspicion, run, where)
                moved = float(np.nan_to_num(distance[column]))
                self.faults[key] = fault = Fault(column, source, since, int(where[-1]) + 1, suspicion, moved)
                self._doubt(fault, self.recent.places(since, int(where[-1]) + 1))
            else:
                fault.windows, fault.quiet, fault.until = fault.windows + 1, 0, int(where[-1]) + 1
                self._doubt(fault, where)
            level = level_of(window[:, column])
            fault.level = fault.level if np.isnan(level) else level
        for fault in self.faults.values():
            if fault.source == source and fault.column not in first:
                over = self.bounds is not None and right_again(
                    window, self.bounds, fault.suspicion, fault.moved, fault.level
                )
                fault.quiet = fault.quiet + 1 if over else 0
                if fault.quiet <= 1:
                    fault.until = int(where[-1]) + 1
                    self._doubt(fault, where)
        stream.earlier, stream.before = stream.before, int(where[0])

    def _since(self, stream: Stream, suspicion: Suspicion, run: Floats, where: Ints) -> int:
        """The first arrival that may be at fault: the window before counts too, and the whole of a frozen run.

        A leap is noticed with the second window of it.
        """
        before = stream.earlier if suspicion.check == "scale" and stream.earlier >= 0 else stream.before
        begin = int(where[0]) if before < 0 else before
        frozen = int(run[suspicion.column]) if suspicion.check == "frozen" else 0
        return max(0, min(begin, int(where[-1]) + 1 - frozen))

    def _doubt(self, fault: Fault, places: Ints) -> None:
        self.recent.doubt(self._sent_by(fault.source, places), fault.column)

    def _learn(self) -> None:
        early = min(EARLY_ROWS, self.sizes.reference)
        if self.bounds is None and self.recent.seen - self.learned >= early:
            self._learn_bounds(early)
        if self.recent.seen - self.learned >= self.sizes.reference:
            self._learn_bounds(self.sizes.reference)
            self.learned = self.recent.seen
            self._learn_references(missing_only=True)

    def _learn_bounds(self, rows: int) -> None:
        """Learns what is plausible; what was plausible before stays so, and a field at fault stays as it was."""
        places = self._settled(self.recent.places(self.recent.seen - rows, self.recent.seen))
        slots = places % self.recent.capacity
        values, sources, doubted = self.recent.values[slots], self.recent.sources[slots], self.recent.doubted[slots]
        far = np.zeros(values.shape, bool)
        if self.bounds is not None:
            far = (values < self.bounds.low) | (values > self.bounds.high)
        fresh = bounds_of(values, sources, self.fields.categorical, self.sizes.quality_level, doubted | far)
        if self.bounds is not None:
            suspect = self._suspect(places)
            learned = fresh.widened_by(self.bounds) if self.learned else fresh
            fresh = learned.except_for(suspect, self.bounds)
            doubted[:, sorted(suspect)] = True
        self.bounds = fresh if self.sizes.ranges else fresh.without_ranges()
        out = ((values < fresh.low) | (values > fresh.high)) & ~doubted
        self.far_rate = max(self.far_rate, (float(out.any(axis=1).sum()) + 1.0) / max(1, len(values)))

    def _learn_references(self, *, missing_only: bool = False) -> None:
        """Learns what drift is measured from; a field at fault, or with too few trusted values, keeps what it had."""
        old = self.references or [None] * len(self.fields.names)
        if missing_only and all(reference is not None for reference in old):
            return
        places = self._settled(self.recent.places(self.recent.seen - self.sizes.reference, self.recent.seen))
        values = self.recent.trusted(places)
        clocks: Bools = np.array([is_clock(values[:, column]) for column in range(values.shape[1])], bool)
        fresh = references_of(values, self.fields.categorical, clocks, self.sizes.window)
        kept = self._suspect(places) | {
            c
            for c, reference in enumerate(old)
            if (missing_only and reference is not None) or (fresh[c] is None and not clocks[c])
        }
        self.references = [old[c] if c in kept else reference for c, reference in enumerate(fresh)]

    def _suspect(self, places: Ints) -> set[int]:
        """The fields from which nothing is learned in these rows: at fault, or too often far outside to be the same."""
        found = {fault.column for fault in self.faults.values()}
        if self.bounds is None or not self.learned:
            return found
        values = self.recent.trusted(places)
        out = ((values < self.bounds.low) | (values > self.bounds.high)).sum(axis=0)
        return found | set(np.flatnonzero(out > _SUSPECT_SHARE * (~np.isnan(values)).sum(axis=0)).tolist())

    def _settled(self, places: Ints) -> Ints:
        """Those of these arrivals that a fault seen in the next window cannot reach back to, but for a frozen field's.

        Where that leaves less than half of them (many sources, each with few rows), all are taken.
        """
        if not self.streams:
            return places
        sources = self.recent.sources[places % self.recent.capacity]
        settled = np.zeros(len(places), bool)
        for source in codes_in(sources):
            stream = self.streams.get(source) or self.streams.get(-1)
            settled |= (sources == source) & (places < (stream.reach if stream else 0))
        return places[settled] if 2 * settled.sum() >= len(places) else places

    def _close(self, index: int) -> DataWindow:
        first, last = self.starts, self.starts + self.sizes.window - 1
        places = self.recent.places(first, last + 1)
        values = self.recent.values[places % self.recent.capacity]
        names = self.fields.names
        missing = np.isnan(values).mean(axis=0)
        figures = {f"missing.{name}": float(share) for name, share in zip(names, missing, strict=True)}
        far_rows = faulty_rows = 0
        if self.bounds is not None:
            out = (values < self.bounds.low) | (values > self.bounds.high)
            doubted = self.recent.doubted[places % self.recent.capacity]
            far_rows, faulty_rows = int((out & ~doubted).any(axis=1).sum()), int(out.any(axis=1).sum())
            rates = out.mean(axis=0)
            figures |= {f"out_of_range.{name}": float(rates[c]) for c, name in enumerate(names[: self.fields.numeric])}
        shifts = shifts_in(self.recent.trusted(places), self.references) if self.references else []
        for shift in shifts:
            figures |= _figures(names[shift.column], shift)
        moved = significant(shifts, self.sizes.drift_level)
        span = self.row_at(first), self.row_at(last)
        return DataWindow(index, *span, figures, moved, far_rows, faulty_rows, bool(shifts))


def _figures(name: str, shift: Shift) -> dict[str, float]:
    found = {f"psi.{name}": shift.psi, f"js.{name}": shift.js, f"drift_p.{name}": shift.p_value}
    if not np.isnan(shift.ks):
        found |= {f"ks.{name}": shift.ks, f"wasserstein.{name}": shift.wasserstein}
    return found
