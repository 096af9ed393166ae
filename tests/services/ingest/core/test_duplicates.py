"""Repeated ids, against a plain dictionary."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.ingest.core.duplicates import Generation, Seen, Verdict

_ROWS = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 2)), max_size=600)


def verdicts(seen: Seen, rows: list[tuple[int, int]]) -> list[Verdict]:
    return [seen.verdict(f"e{number}", {"x": value}) for number, value in rows]


@given(_ROWS)
def test_verdicts_are_those_of_a_dictionary_while_all_are_remembered(rows: list[tuple[int, int]]) -> None:
    known: dict[int, int] = {}
    expected: list[Verdict] = []
    for number, value in rows:
        expected.append("new" if number not in known else "repeated" if known[number] == value else "conflict")
        known.setdefault(number, value)

    assert verdicts(Seen(most=1000), rows) == expected


@given(_ROWS, _ROWS)
def test_a_restored_memory_judges_as_the_one_that_was_saved(
    before: list[tuple[int, int]], after: list[tuple[int, int]]
) -> None:
    seen, again = Seen(most=50), Seen(most=50)
    verdicts(seen, before)
    again.restored(seen.saved())

    assert verdicts(again, after) == verdicts(seen, after)
    assert again.saved() == seen.saved()


def test_ids_whose_hashes_collide_in_the_table_are_told_apart() -> None:
    generation, step = Generation(), 1 << 40
    for number in range(1, 200):
        generation.add(number * step, number)

    assert [generation.get(number * step) for number in range(1, 201)] == [*range(1, 200), None]


def test_an_id_of_the_newest_is_never_forgotten() -> None:
    seen = Seen(most=10)
    for number in range(100):
        seen.verdict(f"e{number}", {})
        newest = [f"e{n}" for n in range(max(0, number - 9), number + 1)]
        assert [seen.verdict(name, {}) for name in newest] == ["repeated"] * len(newest)
