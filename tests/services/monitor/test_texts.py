"""Texts of which hardly two are alike, and fields that no input of the model is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import md5
from itertools import count
from typing import Any

import pytest

from tests.services.monitor.conftest import specification

Make = Callable[..., Any]
Change = Callable[[dict[str, object]], dict[str, object]]

TEXTS = {
    "id": {"type": "string"},
    "price": {"type": "number"},
    "load": {"type": "number"},
    "colour": {"type": "string"},
    "code": {"type": "string"},
    "target": {"type": "integer"},
}
ONLY_NUMBERS = {"price": "price", "load": "load"}


def coded(names: Iterator[str]) -> Change:
    return lambda row: row | {"code": next(names)}


def times_1000(row: dict[str, object]) -> dict[str, object]:
    return row | {"price": 1000 * float(row["price"])}  # type: ignore[arg-type]


def unique() -> Iterator[str]:
    return (md5(str(number).encode(), usedforsecurity=False).hexdigest()[:8] for number in count())


def often_twice() -> Iterator[str]:
    return (f"{number * 7919 % 3000:05}" for number in count())


@pytest.mark.parametrize("names", [unique, often_twice])
def test_texts_that_are_nearly_all_different_are_no_fault_and_no_drift(
    stream: Make, names: Callable[[], Iterator[str]]
) -> None:
    s, change = stream(spec=specification(schema=TEXTS)), coded(names())

    for name in ("one", "two", "three"):
        s.run(2000, sources=(f"file:{name}.csv",), change=change)

    assert s.alerts() == []
    assert s.alerts("data_drift") == []


def test_a_text_that_was_nearly_unique_and_stays_the_same_is_frozen(stream: Make) -> None:
    s = stream(spec=specification(schema=TEXTS))
    s.run(3000, change=coded(unique()))

    s.run(500, change=lambda row: row | {"code": "00000000"})

    ((_, alert),) = s.alerts()
    assert alert.evidence.statistic == "frozen.code"


def test_a_text_that_was_nearly_unique_and_goes_missing_is_found(stream: Make) -> None:
    s = stream(spec=specification(schema=TEXTS))
    s.run(3000, change=coded(unique()))

    s.run(200, change=lambda row: row | {"code": None})

    ((_, alert),) = s.alerts()
    assert alert.evidence.statistic == "missing.code"


def test_what_is_wrong_with_a_field_that_no_input_is_made_of_is_information(stream: Make) -> None:
    s = stream(warm=2000, spec=specification(features=ONLY_NUMBERS))

    s.run(400, change=lambda row: row | {"colour": "mauve"})

    assert s.alerts() == []
    (_, alert) = s.alerts("data_quality")[0]
    assert alert.severity == "info"
    assert alert.summary.endswith("no input of the model is made of it, so nothing is withheld")


def test_a_fault_of_a_field_that_no_input_is_made_of_excuses_no_loss(stream: Make) -> None:
    s = stream(warm=2000, spec=specification(features=ONLY_NUMBERS))

    s.run(1000, change=lambda row: row | {"colour": "mauve"}, error=0.6)

    ((_, alert),) = s.alerts(state="firing")
    assert (alert.kind, alert.causes[0].kind) == ("concept_drift", "model")


def test_a_file_that_is_over_is_named_no_longer_while_others_go_on(stream: Make) -> None:
    s = stream(warm=2000)
    files = ("file:one.csv", "file:two.csv", "file:three.csv")

    s.run(450, sources=files, change=times_1000)
    s.run(300, sources=files[:2], change=times_1000)

    named = [[c.what for c in alert.causes if c.kind == "source"] for _, alert in s.alerts()]
    assert list(files) in named
    assert named[-1] == list(files[:2])
