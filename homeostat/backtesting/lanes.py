"""Ingest and predictor by columns: what they would make of each row, many rows at once.

Where something happens that columns do not know of (a quarantine, a row that is refused or repeated, a
canary, a model that fails), the rows go through the services' own handlers, as they would live.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from homeostat.backtesting.exchange import Post
from homeostat.backtesting.features import FeatureTable, tails_before
from homeostat.backtesting.history import History
from homeostat.backtesting.log import ColumnBus
from homeostat.simulation.simulation import event_of, label_of
from services.ingest.service import Ingest
from services.predictor.board import Board
from services.predictor.core.releases import Live
from services.predictor.service import Predictor
from shared.messages import Features, Label, ModelPublished, Prediction
from shared.models.base import Answers, MatrixModel, Model
from shared.models.inputs import numbers
from shared.models.metadata import Input
from shared.service import Batch, Step
from shared.topics import DEAD_LETTERS, FEATURES, LABELS, PREDICTIONS, RAW_DATA, Topic

SOURCE = "history"
AHEAD = 2000
"""Lines answered at once, ahead of their turn: a version that goes live meanwhile begins anew at its row."""

Send = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Rows [first, until) of the history arrive, and with them the labels of the rows `due`."""

    first: int
    until: int
    due: Sequence[int]


@dataclass(frozen=True, slots=True)
class FeatureRun:
    """Features of the history's rows `places`: lines [start, stop) of the table, or `messages`, made one by one."""

    start: int
    stop: int
    now: datetime
    places: Sequence[int]
    messages: list[Features] | None = None


@dataclass(slots=True)
class IngestLane:
    """Ingest. `send` posts what comes of rows to its readers."""

    service: Ingest
    history: History
    table: FeatureTable
    bus: ColumnBus
    send: Send
    raw_end: int = 0
    since_quarantine: int | None = None
    lines: dict[str, int] = field(default_factory=dict)
    repeated: set[str] = field(default_factory=set)
    places: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = self.table.places.tolist()
        ids = self.history.ids
        if len(set(ids)) < len(ids):
            seen: set[str] = set()
            for id_ in ids:
                (self.repeated if id_ in seen else seen).add(id_)

    def take(self, topic: Topic[Any], post: Post, now: datetime) -> Step:
        """`raw-data` brings `Arrivals`; every other topic goes to the service."""
        if topic is not RAW_DATA:
            step: Step = getattr(self.service, topic.handler)(
                Batch(topic.name, 0, post.offsets, post.messages, post.values), now
            )
            return step
        arrivals: Arrivals = post.messages
        if self._quarantined():
            return self._by_row(arrivals, now)
        return self._by_column(arrivals, now)

    def _quarantined(self) -> bool:
        """Whether something is withheld, or was until so lately that windows still remember it."""
        intake = self.service.intake(self.history.specification.name)
        return intake is not None and (bool(intake.quarantine.fields) or self.since_quarantine is not None)

    def _by_column(self, arrivals: Arrivals, now: datetime) -> Step:
        step = self._refused(arrivals, now)
        start, stop = self.table.between(arrivals.first, arrivals.until)
        if start < stop:
            self._send_features(FeatureRun(start, stop, now, self.places[start:stop]))
        self.raw_end += arrivals.until - arrivals.first
        return step + self._labels(arrivals, now)

    def _send_features(self, run: FeatureRun) -> None:
        offset = self.bus.features.add(run.stop - run.start, lambda a, b: self.full(run, a, b))
        offsets = range(offset, self.bus.features.end)
        self.send(FEATURES, Post(offsets, run), to="predictor")
        self.send(FEATURES, Post(offsets, run), to="monitor")

    def full(self, run: FeatureRun, start: int, stop: int) -> list[Features]:
        """Messages start to stop of the run, whole."""
        if run.messages is not None:
            return run.messages[start:stop]
        part = FeatureRun(run.start + start, run.start + stop, run.now, run.places[start:stop])
        raw, values = self.table.raw[part.start : part.stop].to_dicts(), self.table.dicts(part.start, part.stop)
        times = times_of(self.history, self.table, part.start, part.stop)
        specification, ids, entities = self.history.specification, self.history.ids, self.history.entities
        name, definition = specification.name, specification.definition
        return [
            Features(
                pipeline=name,
                id=ids[place],
                entity=entities[place],
                source=SOURCE,
                at=run.now if at is None else at,
                values=values[index],
                raw=raw[index],
                origin=(0, place),
                definition=definition,
                received_at=run.now,
            )
            for index, (place, at) in enumerate(zip(part.places, times, strict=True))
        ]

    def _refused(self, arrivals: Arrivals, now: datetime) -> Step:
        """What ingest says of the rows among them that need its own look."""
        step, ids = Step(), self.history.ids
        odd = [row for row in range(arrivals.first, arrivals.until) if row in self.history.checked.problems]
        if self.repeated:
            odd = sorted({*odd, *(r for r in range(arrivals.first, arrivals.until) if ids[r] in self.repeated)})
        for row in odd:
            step += self._one(row, now)
        return step

    def _one(self, row: int, now: datetime) -> Step:
        """The row as ingest alone would take it; its features come from the columns."""
        intake = self.service.intake(self.history.specification.name)
        record = event_of(self.history.specification, self.history.columns.row(row), SOURCE, now)
        start, stop = self.table.between(row, row + 1)
        if intake is not None and start < stop:
            content = {k: v for k, v in record.values.items() if k != self.history.specification.target}
            intake.seen.verdict(record.id, content)
            return Step()
        return self.service.on_raw_data(Batch(RAW_DATA.name, 0, [row], [record]), now)

    def _labels(self, arrivals: Arrivals, now: datetime) -> Step:
        specification, step = self.history.specification, Step()
        name, ids, labels, wrong = (
            specification.name,
            self.history.ids,
            self.history.labels,
            self.history.checked.label_problems,
        )
        good = [row for row in arrivals.due if row not in wrong] if wrong else arrivals.due
        messages = [
            Label(pipeline=name, id=ids[row], label=labels[row], source=SOURCE, origin=(0, self.raw_end + index))
            for index, row in enumerate(good)
        ]
        self._send_labels(messages)
        for row in arrivals.due if wrong else ():
            if row in wrong:
                record = label_of(
                    specification, ids[row], self.history.columns.cells[str(specification.target)][row], SOURCE, now
                )
                step += self.service.on_raw_data(Batch(RAW_DATA.name, 0, [self.raw_end], [record]), now)
        self.raw_end += len(arrivals.due)
        return step

    def _send_labels(self, messages: list[Label]) -> None:
        if messages:
            offset = self.bus.labels.add(len(messages), lambda a, b: messages[a:b])
            self.send(LABELS, Post(range(offset, self.bus.labels.end), messages), to="monitor")

    # -- through ingest's own handlers

    def _by_row(self, arrivals: Arrivals, now: datetime) -> Step:
        specification = self.history.specification
        intake = self.service.intake(specification.name)
        start, _ = self.table.between(arrivals.first, arrivals.until)
        if intake is not None and self.since_quarantine is None:
            intake.tails = tails_before(start, self.table, self.history)
        records = [
            event_of(specification, self.history.columns.row(row), SOURCE, now)
            for row in range(arrivals.first, arrivals.until)
        ]
        cells = self.history.columns.cells.get(specification.target or "")
        for row in arrivals.due:
            label = None if cells is None else cells[row]
            records.append(label_of(specification, self.history.ids[row], label, SOURCE, now))
        offsets = range(self.raw_end, self.raw_end + len(records))
        self.raw_end += len(records)
        said = self.service.on_raw_data(Batch(RAW_DATA.name, 0, offsets, records), now)
        features: list[Any] = [out.message for out in said.messages if out.topic is FEATURES]
        if features:
            places = {self.history.ids[row]: row for row in reversed(range(arrivals.first, arrivals.until))}
            run = FeatureRun(0, len(features), now, [places[one.id] for one in features], features)
            offset = self.bus.features.add(len(features), lambda a, b: features[a:b])
            posts = range(offset, self.bus.features.end)
            self.send(FEATURES, Post(posts, run), to="predictor")
            self.send(FEATURES, Post(posts, features), to="monitor")
        self._send_labels([out.message for out in said.messages if out.topic is LABELS])  # type: ignore[misc]
        self._remember(features)
        return Step([out for out in said.messages if out.topic is DEAD_LETTERS], said.jobs)

    def _remember(self, features: Sequence[Features]) -> None:
        """Counts the rows of each key since the quarantine: windows forget it after as many as they reach back."""
        intake = self.service.intake(self.history.specification.name)
        if intake is None:
            return
        if intake.quarantine.fields:
            self.since_quarantine, self.lines = 0, {one.entity: 0 for one in features} | dict.fromkeys(self.lines, 0)
            return
        for one in features:
            if one.entity in self.lines:
                self.lines[one.entity] += 1
        if all(count >= intake.plan.depth for count in self.lines.values()):
            self.since_quarantine, self.lines = None, {}


@dataclass(slots=True)
class PredictorLane:
    """The predictor. `answered` is told of each answer with the history's row."""

    service: Predictor
    board: Board
    model_of: Callable[[ModelPublished], Model]
    history: History
    table: FeatureTable
    full: Callable[[FeatureRun, int, int], list[Features]]
    send: Send
    values: list[Any]
    versions: list[str | None]
    count: int = 0
    ahead: tuple[str, int, Answers] | None = None

    def take(self, topic: Topic[Any], post: Post, now: datetime) -> Step:
        """`features` brings a `FeatureRun`; every other topic goes to the service."""
        if topic is not FEATURES:
            step: Step = getattr(self.service, topic.handler)(
                Batch(topic.name, 0, post.offsets, post.messages, post.values), now
            )
            return step
        run: FeatureRun = post.messages
        answers = self._answers(run)
        if answers is None:
            messages: list[Any] = self.full(run, 0, run.stop - run.start)
            said = self.service.on_features(Batch(FEATURES.name, 0, post.offsets, messages), now)
            found: list[Any] = [out.message for out in said.messages]
        else:
            found = self._messages(run, post.offsets, *answers)
        for place, answer in zip(run.places, found, strict=True):
            self.values[place], self.versions[place] = answer.prediction, answer.model_version or None
        start, self.count = self.count, self.count + len(found)
        self.send(PREDICTIONS, Post(range(start, self.count), found), to="monitor")
        return Step()

    def _answers(self, run: FeatureRun) -> tuple[str, Answers] | None:
        """The champion's answers where it alone answers rows whose features stand in the table."""
        live = self.board.view.live.get(self.history.specification.name, Live())
        champion = live.champion
        if run.messages is not None or champion is None or live.canary is not None or live.shadows:
            return None
        if champion.definition != self.history.specification.definition:
            return None
        known = self.ahead
        if (
            known is None
            or known[0] != champion.version
            or not known[1] <= run.start
            or run.stop > known[1] + len(known[2].predictions)
        ):
            answers = self._asked(self.model_of(champion), run.start, max(run.stop, run.start + AHEAD))
            if answers is None:
                return None
            self.ahead = known = (champion.version, run.start, answers)
        part = slice(run.start - known[1], run.stop - known[1])
        all_ = known[2]
        return champion.version, Answers(all_.predictions[part], all_.scores[part], all_.probabilities[part])

    def _asked(self, model: Model, start: int, stop: int) -> Answers | None:
        """The model's answers to these lines; None where it fails on some of them."""
        stop = min(stop, self.table.values.height)
        try:
            if isinstance(model, MatrixModel):
                answers = model.answer_matrix(_matrix(self.table.values[start:stop], model.inputs))
            else:
                answers = model.answer(self.table.dicts(start, stop))
        except Exception:  # noqa: BLE001 - a model is a guest: the service sees to each row for itself
            return None
        right = len(answers.predictions) == stop - start
        if self.history.specification.kind == "regression" and right:
            right = bool(np.isfinite(np.array(answers.predictions, float)).all())
        return answers if right else None

    def _messages(self, run: FeatureRun, offsets: Sequence[int], version: str, answers: Answers) -> list[Prediction]:
        name, ids, entities = self.history.specification.name, self.history.ids, self.history.entities
        columns = zip(run.places, offsets, answers.predictions, answers.scores, answers.probabilities, strict=True)
        return [
            Prediction(
                pipeline=name,
                id=ids[place],
                entity=entities[place],
                at=run.now,
                prediction=prediction,
                model_version=version,
                probabilities=probabilities,
                score=score,
                origin=(0, offset),
                received_at=run.now,
            )
            for place, offset, prediction, score, probabilities in columns
        ]


def times_of(history: History, table: FeatureTable, start: int, stop: int) -> list[datetime | None]:
    """The own times of the table's lines; None without one."""
    name = history.specification.timestamp
    if name is None:
        return [None] * (stop - start)
    return [None if text is None else datetime.fromisoformat(text) for text in table.raw[name][start:stop].to_list()]


def _matrix(values: pl.DataFrame, inputs: Sequence[Input]) -> Any:
    table = np.empty((values.height, len(inputs)))
    for index, item in enumerate(inputs):
        column = values[item.name]
        if item.categories is None and (column.dtype.is_numeric() or column.dtype == pl.Boolean):
            table[:, index] = column.cast(pl.Float64).to_numpy()
        else:
            table[:, index] = numbers(column.to_list(), item)
    return table
