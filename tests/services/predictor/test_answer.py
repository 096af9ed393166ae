from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given
from hypothesis import strategies as st

from services.predictor.core.answer import answers_of
from shared.errors import Poison
from shared.messages import Value
from shared.models.base import Answers
from shared.models.metadata import Input, ModelMetadata


class Picky:
    """A model that answers x, raises on every batch with an x below 0, and gives no number for 0."""

    metadata = ModelMetadata(kind="regression", inputs=(Input("x"),))
    features = ("x",)

    def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
        numbers = [float(row["x"] or 0) for row in rows]
        if any(number < 0 for number in numbers):
            raise ValueError("x is below 0")
        return Answers([number or float("nan") for number in numbers], [None] * len(rows), [None] * len(rows))


@given(st.lists(st.integers(-3, 20), max_size=60))
def test_exactly_the_rows_a_model_cannot_take_go_without_an_answer(numbers: list[int]) -> None:
    answers = answers_of(Picky(), [{"x": number} for number in numbers])

    assert [answer.prediction for answer in answers] == [number if number > 0 else None for number in numbers]
    assert [answer.reason is None for answer in answers] == [number > 0 for number in numbers]


def test_the_reason_says_what_the_model_said() -> None:
    failed, empty = answers_of(Picky(), [{"x": -1}, {"x": 0}])

    assert failed.reason == "model-failed: ValueError: x is below 0"
    assert empty.reason == "model-failed: the prediction is not a finite number"


def test_what_is_said_of_a_damaged_file_is_said_as_it_is() -> None:
    class Damaged(Picky):
        def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
            raise Poison("its file was altered")

    (failed,) = answers_of(Damaged(), [{"x": 1}])

    assert failed.reason == "model-failed: its file was altered"


def test_a_model_that_answers_too_few_rows_has_failed() -> None:
    class Forgetful(Picky):
        def answer(self, rows: Sequence[Mapping[str, Value]]) -> Answers:
            return Answers([], [], [])

    assert [answer.prediction for answer in answers_of(Forgetful(), [{"x": 1}, {"x": 2}])] == [None, None]
