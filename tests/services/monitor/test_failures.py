"""A version that gives no answers: noticed within a block, blamed, and over once rows are answered again."""

from __future__ import annotations

from collections.abc import Callable

from tests.services.monitor.conftest import Stream

MakeStream = Callable[..., Stream]


def test_a_live_version_without_answers_is_noticed_and_blamed_without_any_label(stream: MakeStream) -> None:
    story = stream(warm=1000)
    began, story.failing = story.row, 1.0

    story.run(200, labels=False)

    ((row, alert),) = story.alerts("errors")
    assert row <= began + 100
    assert (alert.severity, alert.causes[0].kind, alert.causes[0].what) == ("critical", "version", "1")
    assert alert.evidence.value == 1.0 > alert.evidence.threshold
    assert alert.evidence.window.first_row == began
    assert "gave no answer to 100% of the rows: model-failed: its file is damaged" in alert.summary


def test_it_is_over_when_another_version_answers(stream: MakeStream) -> None:
    story = stream(warm=1000)
    story.failing = 1.0
    story.run(200)

    story.failing = 0.0
    story.publish("2")
    assert len(story.alerts("errors")) == 1, "that another version is live is no answer yet"
    story.run(100)

    _, (_, resolved) = story.alerts("errors")
    assert (resolved.state, resolved.summary) == ("resolved", "rows are answered again")


def test_a_third_of_the_rows_is_a_warning(stream: MakeStream) -> None:
    story = stream(warm=1000)
    story.failing = 0.33

    story.run(500)

    assert story.alerts("errors")[0][1].severity == "warning"


def test_a_row_now_and_then_is_nobodys_trouble(stream: MakeStream) -> None:
    story = stream(warm=1000)
    story.failing = 0.01

    story.run(5000)

    assert story.alerts("errors") == []


def test_before_there_is_a_model_nothing_has_failed(stream: MakeStream) -> None:
    story = stream()

    story.run(2000)

    assert story.alerts("errors") == []


def test_where_inputs_are_at_fault_no_version_is_blamed_for_what_it_cannot_answer(stream: MakeStream) -> None:
    story = stream(warm=2000)
    story.run(500, change=lambda row: row | {"price": None})
    assert story.alerts("data_quality", state="firing")

    story.failing = 1.0
    story.run(200, change=lambda row: row | {"price": None})

    assert story.alerts("errors") == []
