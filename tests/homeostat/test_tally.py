"""What is counted of rows that are sent, however many they are."""

from __future__ import annotations

from collections import Counter

from homeostat.tally import MOST_IGNORED, MOST_REJECTED, MOST_RUNS, Tally, joined


def test_what_is_added_is_counted_in_place() -> None:
    tally = Tally()
    runs = tally.written

    tally += Tally(3, [{"index": 1}], Counter(colour=2), [(0, 0, 2)], rows=4, reasons=Counter(type=1))
    tally += Tally(2, [{"index": 0}], Counter(colour=1, size=1), [(0, 3, 4)], rows=3, reasons=Counter(type=1))

    assert (tally.rows, tally.accepted, tally.refused, tally.reasons) == (7, 5, 2, {"type": 2})
    assert (tally.rejected, tally.ignored) == ([{"index": 1}, {"index": 4}], {"colour": 3, "size": 1})
    assert tally.written is runs, "each batch costs what it brings"
    assert joined(runs) == ((0, 0, 4),)


def test_places_are_bounded_and_the_rows_without_one_counted() -> None:
    tally = Tally()
    for batch in range(5):
        tally += Tally(2 * MOST_RUNS, written=[(batch, 4 * run, 4 * run + 1) for run in range(MOST_RUNS)])

    kept = sum(last - first + 1 for _, first, last in tally.written)
    assert len(tally.written) <= 2 * MOST_RUNS
    assert kept + tally.unkept == tally.accepted == 10 * MOST_RUNS


def test_runs_that_follow_each_other_need_no_room() -> None:
    tally = Tally()
    for start in range(0, 3 * MOST_RUNS, MOST_RUNS):
        tally += Tally(MOST_RUNS, written=[(0, offset, offset) for offset in range(start, start + MOST_RUNS)])

    assert (tally.unkept, joined(tally.written)) == (0, ((0, 0, 3 * MOST_RUNS - 1),))


def test_of_rows_that_are_refused_without_end_the_first_are_kept_and_all_counted() -> None:
    tally, entry = Tally(), {"index": 0, "reason": "type"}
    for number in range(MOST_REJECTED + 5):
        answer = {"accepted": 0, "rejected": [entry], "ignored": {f"field-{number}": 1}}
        tally += Tally.of_answer(answer, 1)

    assert (len(tally.rejected), tally.refused) == (MOST_REJECTED, MOST_REJECTED + 5)
    assert tally.rejected[-1]["index"] == MOST_REJECTED - 1
    assert len(tally.ignored) == MOST_IGNORED
