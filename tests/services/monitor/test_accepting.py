"""A person says that what a source sends is right: what is learned from that, and from what nothing can be learned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from services.monitor.core.fields import Fields
from services.monitor.core.inputs import Inputs
from services.monitor.core.record import _MOST_NAMES, Names
from services.monitor.core.watched import Sizes
from shared.messages import Alert, Command
from shared.service import Batch

Make = Callable[..., Any]
POOLED = -1
MANY = 130
SIZES = Sizes(window=250, reference=1000, quality_level=1e-6, drift_level=1e-6)


def rows(inputs: Inputs, count: int, sources: list[int], *, times: float = 1.0, seed: int = 0) -> None:
    """`count` rows from these sources in turn; `times` what the first field is multiplied by."""
    rng = np.random.default_rng(seed)
    values = np.column_stack([times * rng.normal(18, 3, count), rng.normal(0, 1, count)])
    numbers = np.arange(inputs.recent.seen, inputs.recent.seen + count)
    inputs.take(values, numbers, np.array([sources[n % len(sources)] for n in range(count)]))


def watched(sources: list[int]) -> Inputs:
    inputs = Inputs.of(Fields(("price", "load"), 2, {}), SIZES)
    rows(inputs, 3000, sources)
    assert not inputs.faults
    return inputs


def limits(inputs: Inputs) -> list[list[float]]:
    """What is plausible of the price."""
    assert inputs.bounds is not None
    names = ("low", "high", "level_low", "level_high", "spread", "run", "missing", "fresh")
    return [getattr(inputs.bounds, name)[:1].tolist() for name in names]


def test_what_is_accepted_is_plausible_from_then_on() -> None:
    inputs = watched([0, 1])
    rows(inputs, 200, [0], times=1000)

    accepted = inputs.accept(0, 0)
    rows(inputs, 400, [0], times=1000, seed=1)

    assert accepted is not None
    assert accepted.learned
    assert not inputs.faults


def test_what_is_accepted_soon_after_it_began_is_not_called_a_leap_in_the_next_window() -> None:
    inputs = watched([0, 1])
    rows(inputs, 150, [0], times=2.2)

    accepted = inputs.accept(0, 0)
    rows(inputs, 1000, [0], times=2.2, seed=1)

    assert accepted is not None
    assert not inputs.faults


def test_a_source_of_which_nothing_is_left_teaches_nothing_and_the_checks_stay_on_for_all() -> None:
    inputs = watched([0, 1])
    rows(inputs, 200, [0], times=1000)
    rows(inputs, inputs.recent.capacity, [1], seed=1)
    before = limits(inputs)

    accepted = inputs.accept(0, 0)

    assert accepted is not None
    assert not accepted.learned
    assert limits(inputs) == before


def test_one_row_does_not_say_how_long_a_value_may_stay_the_same() -> None:
    inputs = watched([0, 1])
    rows(inputs, 200, [0], times=1000)
    last = inputs.recent.seen - 1
    rows(inputs, last + inputs.recent.capacity - inputs.recent.seen, [1], seed=1)
    run = limits(inputs)[5]

    accepted = inputs.accept(0, 0)

    assert accepted is not None
    assert accepted.learned
    assert limits(inputs)[5] == run


def test_sources_watched_as_one_are_accepted_as_one_and_the_checks_stay_on_for_all() -> None:
    inputs = watched(list(range(MANY)))
    pooled = [source for source in range(MANY) if source not in inputs.streams]
    rows(inputs, 200, pooled, times=1000, seed=1)
    assert f"0:{POOLED}" in inputs.faults
    places = inputs.recent.places(inputs.recent.seen - 100, inputs.recent.seen) % inputs.recent.capacity
    assert inputs.recent.doubted[places, 0].mean() > 0.5, "what is at fault is not learned from"

    accepted = inputs.accept(POOLED, 0)
    rows(inputs, 200, pooled, times=1000, seed=2)

    assert accepted is not None
    assert accepted.learned
    assert not inputs.faults
    assert inputs.bounds is not None
    assert np.isfinite(inputs.bounds.run).all()


def accept(s: Any, source: str) -> list[Alert]:
    order = Command(
        id="c", pipeline="shop", action="release_source", issued_by="person:ann", reason="", incident="i",
        at=s.now, deadline=s.now, arguments={"source": source, "fields": ["price"], "accept": True},
    )  # fmt: skip
    before = len(s.said)
    s.take(s.monitor.on_commands(Batch("commands", 0, [0], [order]), s.now))
    return [message for _, message in s.said[before:] if isinstance(message, Alert)]


def test_the_answer_says_that_nothing_was_left_to_learn_from(stream: Make) -> None:
    s = stream(warm=2000)
    s.run(400, change=lambda row: row | {"price": row["price"] * 1000}, sources=["broken"])
    s.run(6000)

    (ended,) = accept(s, "broken")

    assert ended.state == "resolved"
    assert "none of its rows are left to learn from" in ended.summary


def test_a_source_that_nobody_has_heard_of_is_not_taken_for_all_that_are_watched_as_one(stream: Make) -> None:
    s = stream()
    names = [f"source-{n}" for n in range(MANY)]
    s.run(2600, sources=names, batch=MANY)
    s.run(400, change=lambda row: row | {"price": row["price"] * 1000}, sources=names[-2:])
    (_, firing), *_ = s.alerts("data_quality")
    assert [c.what for c in firing.causes if c.kind == "source"] == ["several"]

    assert accept(s, "unheard-of") == []
    (ended,) = accept(s, "several")

    assert (ended.id, ended.state) == (firing.id, "resolved")


def test_sources_past_the_most_that_are_named_share_a_name_of_their_own() -> None:
    names = Names()
    names.codes([f"s{n}" for n in range(_MOST_NAMES)])

    late = names.codes(["late", "later", "s5"])

    assert [names.names[code] for code in late] == ["several", "several", "s5"]
    assert names.names[_MOST_NAMES - 1] == f"s{_MOST_NAMES - 1}"
