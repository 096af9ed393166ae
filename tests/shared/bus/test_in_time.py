"""A call of the client that overruns its own limit holds nobody up."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event

import pytest

from shared.bus.librdkafka.in_time import in_time
from shared.clock import monotonic
from shared.errors import Transient


@pytest.fixture
def never() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def test_a_call_that_does_not_end_is_left_to_itself(never: Event) -> None:
    with pytest.raises(Transient, match="has not taken the offsets"):
        in_time(never.wait, monotonic())


def test_what_a_call_raises_is_raised() -> None:
    def refused() -> None:
        raise LookupError("no such group")

    with pytest.raises(LookupError, match="no such group"):
        in_time(refused, monotonic() + 60)


def test_a_call_that_ends_has_been_made_once() -> None:
    made: list[int] = []

    in_time(lambda: made.append(1), monotonic() + 60)

    assert made == [1]
