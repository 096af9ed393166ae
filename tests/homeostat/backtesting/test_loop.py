"""The backtest decides what the services decide when they run over bytes, a row at a time."""

from __future__ import annotations

import pytest

from homeostat.backtesting.columns import Columns
from homeostat.backtesting.features import features_of
from homeostat.backtesting.history import History, history_of
from homeostat.backtesting.loop import Pace, Told, replayed
from shared.messages import Alert, Command, Metrics
from shared.pipeline.span import Span
from shared.topics import ALERTS, AUDIT, COMMANDS, DEAD_LETTERS, METRICS, MODEL_PUBLISHED
from tests.homeostat.backtesting.histories import SPECIFICATION, eventful
from tests.homeostat.backtesting.reference import Reference

pytestmark = pytest.mark.slow

PACES = {"by their own times": Pace(batch=50), "300 a second": Pace(batch=100, rate=300.0)}


@pytest.fixture(scope="module")
def history() -> History:
    return history_of(Columns.of_rows(eventful()), SPECIFICATION, Span(time=SPECIFICATION.label_delay), 1.0)


@pytest.fixture(scope="module", params=PACES)
def both(
    request: pytest.FixtureRequest, history: History, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Told, Reference]:
    pace, folder = PACES[request.param], tmp_path_factory.mktemp("both")
    return replayed(history, features_of(history), pace, folder / "a"), Reference(history, pace, folder / "b")


def test_something_happens_in_this_history(both: tuple[Told, Reference]) -> None:
    actions = {said.message.action for said in both[0].of(COMMANDS)}
    assert {"retrain", "quarantine_source", "release_source"} <= actions


def test_every_answer_is_the_same(both: tuple[Told, Reference], history: History) -> None:
    told, reference = both
    answers = reference.answers()
    first = {id_: row for row, id_ in reversed(list(enumerate(history.ids)))}
    for id_, row in first.items():
        answer = answers.get(id_)
        expected = (None, None) if answer is None else (answer.prediction, answer.model_version or None)
        assert (told.values[row], told.versions[row]) == expected, (id_, row)


def test_every_alert_is_the_same(both: tuple[Told, Reference]) -> None:
    told, reference = both
    assert [_alert(said.message) for said in told.of(ALERTS)] == [_alert(each) for each in reference.of(ALERTS)]


def test_every_command_is_the_same(both: tuple[Told, Reference]) -> None:
    told, reference = both
    assert [_command(said.message) for said in told.of(COMMANDS)] == [_command(each) for each in reference.of(COMMANDS)]


def test_every_version_is_the_same(both: tuple[Told, Reference]) -> None:
    told, reference = both
    ours, theirs = [said.message for said in told.of(MODEL_PUBLISHED)], reference.of(MODEL_PUBLISHED)
    assert [(m.version, m.stage, m.reason, m.metrics) for m in ours] == [
        (m.version, m.stage, m.reason, m.metrics) for m in theirs
    ]


def test_every_decision_is_the_same(both: tuple[Told, Reference]) -> None:
    told, reference = both
    ours = [(e.kind, e.incident, e.summary) for e in (said.message for said in told.of(AUDIT))]
    assert ours == [(entry.kind, entry.incident, entry.summary) for entry in reference.of(AUDIT)]


def test_every_figure_is_the_same(both: tuple[Told, Reference]) -> None:
    told, reference = both
    ours = [_figures(said.message) for said in told.of(METRICS) if said.message.family != "service"]
    assert ours == [_figures(each) for each in reference.of(METRICS) if each.family != "service"]


def test_every_dead_letter_is_the_same(both: tuple[Told, Reference]) -> None:
    told, reference = both
    ours = [(said.message.reason, said.message.field, said.message.id) for said in told.of(DEAD_LETTERS)]
    assert ours == [(letter.reason, letter.field, letter.id) for letter in reference.of(DEAD_LETTERS)]


def _figures(metrics: Metrics) -> tuple[object, ...]:
    """All but the time answers took, which the monitor does not judge while heartbeats say that it is behind."""
    values = {name: value for name, value in metrics.values.items() if not name.startswith("latency")}
    return (metrics.family, metrics.window.index, metrics.revision, metrics.at, metrics.rows_seen, values)


def _alert(alert: Alert) -> tuple[object, ...]:
    """All but the log positions: transactions leave gaps in the log of the services' own loops."""
    evidence = alert.evidence
    rows = (evidence.window.first_row, evidence.window.last_row, evidence.samples)
    return (alert.kind, alert.severity, alert.state, alert.at, alert.summary, evidence.value, rows, alert.causes)


def _command(command: Command) -> tuple[object, ...]:
    arguments = {name: value for name, value in command.arguments.items() if name not in ("since", "until")}
    return (command.action, command.at, command.reason, command.issued_by, command.expects, arguments)
