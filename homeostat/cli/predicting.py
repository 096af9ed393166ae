"""What `homeostat predict` makes of the answers: which rows were scored, and what is said of the others."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from homeostat.cli.fitting import MOST_LINES, line_numbers
from homeostat.client import ApiError, Client
from shared.errors import HomeostatError

if TYPE_CHECKING:
    from homeostat.separated import Say

POLL_SECONDS = 0.5
Answer = dict[str, Any]


def answers_to(
    client: Client, pipeline: str, parts: Sequence[Sequence[Answer]], source: str
) -> tuple[list[Answer], ApiError | None]:
    """The answers to the rows of all parts, in order; and what ended it where they did not come in time."""
    answers: list[Answer] = []
    for part in parts:
        try:
            answers += client.predict(pipeline, part, source)
        except ApiError as error:
            if "missing" not in error.problem:
                raise
            return [*answers, *filter(is_scored, error.problem["predictions"])], error
    return answers, None


def until_live(client: Client, pipeline: str, seconds: float, say: Say) -> None:
    """Returns once a version is live; `say` is told what is waited for.

    `HomeostatError` where none is after so many seconds: an id keeps its one answer, so nobody may ask before.
    """
    deadline, told = time.monotonic() + seconds, False
    while (missing := _no_model(client, pipeline)) is not None:
        left, what = deadline - time.monotonic(), missing.problem["detail"]
        if left <= 0:
            raise HomeostatError(f"{what}. Nothing was sent; ask again later, or wait longer with --wait SECONDS")
        if not told:
            say(f"waiting up to {seconds:g} s for a first model: {what}")
        told = True
        time.sleep(min(POLL_SECONDS, left))


def _no_model(client: Client, pipeline: str) -> ApiError | None:
    try:
        client.get(f"/v1/pipelines/{pipeline}/models/live")
    except ApiError as error:
        if str(error.problem.get("type", "")).endswith("/no-model"):
            return error
        raise
    return None


def with_own_ids(answers: Sequence[Answer], rows: Sequence[Answer], column: str) -> list[Answer]:
    """The answers, those to rows that were refused under the ids that the rows have in `column`."""
    return [
        {**answer, "id": row.get(column, answer["id"])} if "error" in answer and isinstance(row, dict) else answer
        for answer, row in zip(answers, rows, strict=False)
    ]


def score_heading(kind: str, answers: Sequence[Answer]) -> str:
    """What a score is: of two classes the probability of the later one, which answers name second."""
    told: Answer = next((answer["probabilities"] for answer in answers if answer.get("probabilities")), {})
    return f"P({list(told)[1]})" if kind == "binary" and len(told) == 2 else "score"


def is_scored(answer: Answer) -> bool:
    """Whether a model answered: with a prediction, or with a score alone."""
    return answer.get("prediction") is not None or answer.get("score") is not None


def unscored(answers: Sequence[Answer], file: str) -> Iterator[str]:
    """A line for each of the first rows that were not scored, by its place in `file`; then how many more."""
    missing = [index for index, answer in enumerate(answers) if not is_scored(answer)]
    if not missing:
        return
    word, numbers = line_numbers(file, missing[:MOST_LINES])
    for index, number in zip(missing, numbers, strict=False):
        answer = answers[index]
        name = f" (id {answer['id']})" if answer.get("id") is not None else ""
        yield f"{word} {number}{name}: {_why(answer)}"
    if len(missing) > MOST_LINES:
        yield f"and {len(missing) - MOST_LINES} more: --json has them all"
    if any(answers[index].get("reason") == "no-model" for index in missing):
        yield "An id keeps its one answer: ask again under another id for a row that was answered without a model."


def _why(answer: Answer) -> str:
    refused: Answer = answer.get("error") or {}
    if refused.get("reason") == "invalid":
        return str(refused["detail"])
    if refused:
        return f"{refused['reason']}: {refused['detail']}"
    return "there was no model yet" if answer.get("reason") == "no-model" else str(answer.get("reason"))
