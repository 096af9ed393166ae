from __future__ import annotations

import numpy as np

from services.monitor.core.slices import Slicing


def test_categories_past_the_fiftieth_share_one_slice() -> None:
    town = Slicing("town", False)

    cells = town.cells([{"town": f"t{i}"} for i in range(60)] + [{"town": None}])

    places = town.places(cells)
    assert len(set(places[:50])) == 50
    assert {town.title(place) for place in places[50:60].tolist()} == {"town = other"}
    assert places[60] == -1


def test_a_small_whole_number_has_a_slice_for_each_value() -> None:
    day = Slicing("day", True)
    day.cells([{"day": 1 + i % 7} for i in range(400)])

    places = day.places(np.array([1.0, 7.0]))

    assert [day.title(place) for place in places.tolist()] == ["day = 1", "day = 7"]


def test_a_number_is_cut_into_quarters_of_its_first_values_for_good() -> None:
    age = Slicing("age", True)
    age.cells([{"age": i % 101} for i in range(404)])

    age.cells([{"age": 1000.0}] * 500)

    places = age.places(np.array([0.0, 25.0, 60.0, 1000.0]))
    assert [age.title(place) for place in places.tolist()] == ["age < 25", "25 ≤ age < 50", "50 ≤ age < 75", "75 ≤ age"]


def test_before_its_slices_are_known_a_number_lies_in_none() -> None:
    age = Slicing("age", True)

    assert age.places(age.cells([{"age": 3.0}])).tolist() == [-1]
