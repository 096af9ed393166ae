"""What is known of a pipeline's rows, and measures over any of them: the ground the detectors stand on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from services.monitor.core.classes import Classes
from services.monitor.core.join import Join
from services.monitor.core.performance import class_values, regression_values
from services.monitor.core.state import Bools, Floats, Ints, empty, no_rows
from shared.messages import Prediction, Value, Window
from shared.messages.data import SEVERAL_SOURCES

_ROWS_FOR_SCALE = 50
_MOST_NAMES = 30_000


class Names(msgspec.Struct):
    """Texts as small numbers, in order of appearance. Past `_MOST_NAMES` of them, all new ones share one of its own."""

    names: list[str] = []
    places: dict[str, int] = {}

    def code(self, name: str) -> int:
        place = self.places.get(name)
        if place is None and len(self.names) >= _MOST_NAMES:
            name = SEVERAL_SOURCES
            place = self.places.get(name)
        if place is None:
            place = self.places[name] = len(self.names)
            self.names.append(name)
        return place

    def codes(self, names: Sequence[str]) -> Ints:
        # Mostly it is a single one: to count them is the quickest look.
        if names and names.count(names[0]) == len(names):
            return np.full(len(names), self.code(names[0]), np.int64)
        known = {name: self.code(name) for name in dict.fromkeys(names)}
        return np.array([known[name] for name in names], np.int64)


class Shadow(msgspec.Struct):
    """A shadow version's answers by row, the newest `Record.shadow_rows` of them."""

    rows: Ints
    answers: Floats


class Stretch(msgspec.Struct):
    """Rows of a source whose inputs are at fault: what they show is not held against the model."""

    fault: str
    source: int
    first: int
    last: int


class Record(msgspec.Struct):
    """The join with its codes: sources, versions, sets of withheld fields (code 0: none), classes."""

    kind: Literal["binary", "multiclass", "regression", "anomaly"]
    join: Join
    shadow_rows: int = 5000
    classes: Classes = msgspec.field(default_factory=Classes)
    sources: Names = msgspec.field(default_factory=Names)
    versions: Names = msgspec.field(default_factory=Names)
    withheld: Names = msgspec.field(default_factory=lambda: Names([""], {"": 0}))
    shadows: dict[str, Shadow] = {}
    scale: float = 0.0
    sample: Floats = msgspec.field(default_factory=empty)

    @property
    def regression(self) -> bool:
        return self.kind == "regression"

    @property
    def positive(self) -> int | None:
        """The code of the positive class, for two-class kinds."""
        if self.kind == "anomaly":
            return int(self.classes.code(True))
        return self.classes.positive if self.kind == "binary" else None

    def encoded(self, values: Sequence[Value]) -> Floats:
        """Answers or labels as numbers: codes of classes, or the numbers themselves. NaN: none."""
        if not self.regression:
            return self.classes.codes(values)
        return np.array([v if isinstance(v, (int, float)) else np.nan for v in values], float)

    def write_predictions(self, rows: Ints, messages: Sequence[Prediction]) -> None:
        versions = self.versions.codes([m.model_version for m in messages])
        answered = np.array([m.role != "none" and m.prediction is not None for m in messages], bool)
        self.join.write(
            rows,
            prediction=self.encoded([m.prediction for m in messages]),
            score=np.array([m.score for m in messages], float),  # None becomes NaN
            version=np.where(answered, versions, -1),
            champion=np.array([m.role == "champion" for m in messages], bool),
        )
        probabilities = [m.probabilities for m in messages]
        if not self.regression and any(probabilities):
            self.join.write_probabilities(rows, self.classes.matrix(probabilities))
        if any(m.shadows for m in messages):
            self._write_shadows(rows, messages)

    def _write_shadows(self, rows: Ints, messages: Sequence[Prediction]) -> None:
        by_version: dict[str, tuple[list[int], list[Value]]] = {}
        for row, message in zip(rows.tolist(), messages, strict=True):
            for shadow in message.shadows:
                places, answers = by_version.setdefault(shadow.model_version, ([], []))
                places.append(row)
                answers.append(shadow.prediction)
        for version, (places, answers) in by_version.items():
            old = self.shadows.get(version) or Shadow(np.empty(0, np.int64), np.empty(0))
            kept_rows = np.concatenate([old.rows, places])[-self.shadow_rows :]
            kept = np.concatenate([old.answers, self.encoded(answers)])[-self.shadow_rows :]
            self.shadows.pop(version, None)
            self.shadows[version] = Shadow(kept_rows.astype(np.int64), kept)
        while len(self.shadows) > 4:
            del self.shadows[next(iter(self.shadows))]

    def judged(self, rows: Ints) -> Ints:
        """Those of these known rows that have both an answer and a label."""
        return rows[self.is_judged(rows)] if len(rows) else rows

    def is_judged(self, rows: Ints) -> Bools:
        """Which of these known rows have both an answer and a label."""
        prediction, label, version = self.join.cells(("prediction", "label", "version"), rows)
        there: Bools = ~(np.isnan(prediction) | np.isnan(label)) & (version >= 0)
        return there

    def rows_between(self, first: int, last: int) -> Ints:
        """Those of the rows `first` to `last` that are still known."""
        rows: Ints = np.arange(max(first, self.join.oldest), min(last, self.join.next_row - 1) + 1)
        return rows

    def of_version(self, rows: Ints, version: str) -> Ints:
        own: Ints = rows[self.join.read("version", rows) == self.versions.places.get(version, -2)]
        return own

    def errors(self, rows: Ints) -> Floats:
        """Errors in [0, 1]: wrong or not; for numbers ``e / (e + scale)`` of the absolute error."""
        wrong = self.join.read("label", rows) - self.join.read("prediction", rows)
        if not self.regression:
            return np.asarray(wrong != 0, float)
        size = np.abs(wrong)
        out: Floats = size / (size + self.scale)
        return out

    def size_of(self, error: float) -> float:
        """The absolute error, in units of the target, that stands for this error of a number."""
        return self.scale * error / max(1.0 - error, 1e-9)

    def ready(self, rows: Ints) -> bool:
        """Whether errors have a scale yet: for numbers the median error of the first 50 judged rows."""
        if not self.regression or self.scale > 0:
            return True
        size = np.abs(self.join.read("label", rows) - self.join.read("prediction", rows))
        self.sample = np.concatenate([self.sample, size])
        if len(self.sample) >= _ROWS_FOR_SCALE:
            self.scale = float(np.median(self.sample)) or float(self.sample.mean()) or 1.0
            self.sample = empty()
        return False

    def values(self, rows: Ints) -> dict[str, float]:
        """The measures of the pipeline's kind over judged rows; empty for no rows."""
        if not len(rows):
            return {}
        truth, answer = self.join.read("label", rows), self.join.read("prediction", rows)
        if self.regression:
            return regression_values(truth, answer)
        positive = self.positive
        return class_values(truth, answer, self.proba(rows), positive)

    def in_one_metric(self, main: str, *measured: tuple[dict[str, float], float]) -> tuple[str, list[float]]:
        """Several sets of rows, each with its measures and mean error, in the `main` metric where all have it, else in
        the one that a mean error stands for: the metric's name, and its values.
        """
        if all(main in values for values, _ in measured):
            return main, [values[main] for values, _ in measured]
        plain = "mae" if self.regression else "accuracy"
        about = self.size_of if self.regression else lambda error: 1.0 - error
        return plain, [values.get(plain, about(error)) for values, error in measured]

    def shadow_values(self, first: int, last: int, own: Mapping[str, Ints]) -> dict[str, dict[str, float]]:
        """The measures of what shadow versions would have answered in these rows, and of what they did answer later in
        them: `own` are the judged rows that each version answered.
        """
        found = {}
        for version, shadow in self.shadows.items():
            inside = (shadow.rows >= max(first, self.join.oldest)) & (shadow.rows <= last) & ~np.isnan(shadow.answers)
            rows, answers = shadow.rows[inside], shadow.answers[inside]
            if len(rows) and len(answered := own.get(version, no_rows())):
                answers = np.concatenate([answers, self.join.read("prediction", answered)])
                rows = np.concatenate([rows, answered])
            truth = self.join.read("label", rows) if len(rows) else empty()
            there = ~np.isnan(truth)
            if there.any():
                found[version] = self._plain(truth[there], answers[there]) | {"rows": float(there.sum())}
        return found

    def proba(self, rows: Ints) -> Floats | None:
        """P(class) by code; made from the score of the positive class where only that is given."""
        proba = self.join.read_probabilities(rows)
        positive = self.positive
        if proba is not None or positive is None or self.kind == "anomaly":
            return proba
        score = self.join.read("score", rows)
        if np.isnan(score).all() or len(self.classes.names) != 2:
            return None
        proba = np.empty((len(rows), 2))
        proba[:, positive], proba[:, 1 - positive] = score, 1 - score
        return proba

    def confidence(self, rows: Ints) -> Floats | None:
        """P(the answer given) of each row, None where the model gives no probabilities."""
        proba = self.proba(rows)
        if proba is None:
            return None
        answer = self.join.read("prediction", rows).astype(int)
        inside = answer < proba.shape[1]
        return np.where(inside, proba[np.arange(len(rows)), np.where(inside, answer, 0)], 0.0)

    def doubts(self, rows: Ints) -> Floats:
        """How unsure the answers were, in [0, 1]; 0 throughout where the model does not say."""
        confidence = None if self.regression or not len(rows) else self.confidence(rows)
        return np.zeros(len(rows)) if confidence is None else 1.0 - np.nan_to_num(confidence, nan=1.0)

    def claims(self, rows: Ints) -> Bools | None:
        """Which answers are the positive class; None where there is none."""
        positive = self.positive
        return None if positive is None else self.join.read("prediction", rows) == positive

    def window(self, index: int, first: int, last: int, rows: int | None = None) -> Window:
        """These rows as a message speaks of them, with event times and features offsets."""
        times = self.join.times(first, last)
        return Window(
            index=index,
            first_row=first,
            last_row=last,
            rows=last - first + 1 if rows is None else rows,
            begins=datetime.fromtimestamp(times[0], UTC) if times else None,
            ends=datetime.fromtimestamp(times[1], UTC) if times else None,
            positions=self.join.positions(first, last),
        )

    def since(self, row: int) -> Window:
        """From this row to the newest."""
        return self.window(0, row, max(row, self.join.next_row - 1))

    def _plain(self, truth: Floats, answer: Floats) -> dict[str, float]:
        return regression_values(truth, answer) if self.regression else class_values(truth, answer, None, self.positive)


def mask_of(rows: Ints, stretches: Sequence[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which rows lie in one of the stretches [first, last]."""
    out = np.zeros(len(rows), bool)
    for first, last in stretches:
        out |= (rows >= first) & (rows <= last)
    return out
