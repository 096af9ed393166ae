"""What is taken in at once is bounded in bytes; one body always is."""

from __future__ import annotations

import pytest

from services.gateway.rest.limits import InFlight, InFlightFull


def test_what_does_not_fit_beside_what_is_under_way_is_asked_for_again() -> None:
    flight = InFlight(1000)

    with flight.hold(700), pytest.raises(InFlightFull) as caught, flight.hold(301):
        pass

    assert caught.value.problem.status_code == 429
    assert caught.value.problem.headers == {"Retry-After": "1"}


def test_what_has_been_taken_in_makes_room_also_where_it_failed() -> None:
    flight = InFlight(1000)

    with pytest.raises(ValueError, match="no JSON"), flight.hold(700):
        raise ValueError("no JSON")

    with flight.hold(1000):
        pass


def test_a_body_larger_than_the_bound_is_taken_when_it_is_alone() -> None:
    with InFlight(1000).hold(5000):
        pass
