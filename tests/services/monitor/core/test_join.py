"""The join: any order, any delay, the last label wins, memory is bounded."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.monitor.core.forgotten import Forgotten
from services.monitor.core.join import Join
from services.monitor.core.state import pack, unpack
from shared.messages import Label


def label(join: Join, ids: list[str], codes: list[float]) -> tuple[list[int], list[int]]:
    rows = join.find(ids)
    joined = join.set_labels(rows, np.array(codes), np.zeros(len(ids), np.int64))
    return joined.first.tolist(), joined.corrected.tolist()


def test_rows_count_events_once_whichever_record_comes_first() -> None:
    join = Join(1024)
    assert join.rows_of(["a", "b"]).tolist() == [0, 1]
    assert join.rows_of(["b", "c", "c"]).tolist() == [1, 2, 2]
    assert join.find(["c", "nobody"]).tolist() == [2, -1]


def test_the_last_label_wins_and_only_a_different_one_is_a_correction() -> None:
    join = Join(1024)
    join.rows_of(["a", "b"])
    assert label(join, ["a", "a"], [1.0, 2.0]) == ([0], [])
    assert join.read("label", np.array([0])).tolist() == [2.0]
    assert label(join, ["a", "b"], [2.0, 1.0]) == ([1], [])
    assert label(join, ["a"], [0.0]) == ([], [0])
    assert join.labelled == 2


def test_the_oldest_rows_go_when_memory_is_full() -> None:
    join = Join(1024)
    join.rows_of([f"e{i}" for i in range(3000)])
    assert join.find(["e0", "e1975", "e1976", "e2999"]).tolist() == [-1, -1, 1976, 2999]
    assert len(join.index) == 1024
    assert np.isnan(join.read("label", np.arange(1976, 3000))).all()


def test_growing_keeps_what_was_written() -> None:
    join = Join(10_000)
    rows = join.rows_of([f"e{i}" for i in range(900)])
    join.write(rows, score=np.arange(900.0))
    join.write_probabilities(rows, np.column_stack([np.zeros(900), np.ones(900)]))
    join.rows_of([f"f{i}" for i in range(5000)])
    assert np.array_equal(join.read("score", rows), np.arange(900.0))
    assert join.read_probabilities(rows).tolist() == [[0.0, 1.0]] * 900  # type: ignore[union-attr]


def test_memory_that_grows_when_it_was_full_keeps_what_is_known_and_only_that() -> None:
    join = Join(1024, forgotten=Forgotten(10_000))
    join.rows_of([f"e{i}" for i in range(1500)])
    rows = join.find([f"e{i}" for i in range(476, 1500)])
    join.write(rows, score=rows.astype(float))
    join.write_probabilities(rows, np.column_stack([rows, rows]).astype(float))

    join.enlarge(3000)
    join.rows_of([f"e{i}" for i in range(1500, 3476)])

    assert join.oldest == 476
    assert join.find(["e475", "e476", "e3475"]).tolist() == [-1, 476, 3475]
    assert np.array_equal(join.read("score", rows), rows)
    assert join.read_probabilities(rows).tolist() == np.column_stack([rows, rows]).tolist()  # type: ignore[union-attr]
    assert np.isnan(join.read("label", np.arange(476, 3476))).all()
    join.rows_of(["one more"])
    assert join.oldest == 477


def test_a_label_for_a_row_that_is_forgotten_counts_unless_the_row_had_one() -> None:
    join = Join(1024, forgotten=Forgotten(10_000))
    join.rows_of(["a", "b"])
    label(join, ["a"], [1.0])
    join.rows_of([f"e{i}" for i in range(1500)])
    assert join.take_late(["a", "b", "nobody", "b"]) == [True, True, False, True]
    assert join.labelled == 2


def test_memory_is_short_when_labels_keep_coming_too_late_for_it() -> None:
    join = Join(1024, forgotten=Forgotten(10_000))
    join.rows_of([f"e{i}" for i in range(1500)])
    join.take_late([f"e{i}" for i in range(99)])
    assert not join.short()
    join.take_late(["e99"])
    assert join.short()
    join.enlarge(2048)
    join.take_late([f"e{i}" for i in range(100, 300)])
    assert not join.short()


def test_labels_wait_for_their_event_and_are_given_up_oldest_first() -> None:
    join = Join(1024)
    for name in ("x", "y"):
        join.wait(Label(pipeline="p", id=name, label=1), 0, 7, 100.0)
    assert [w.label.id for w in join.arrived(["y", "z"])] == ["y"]
    join.rows_of([f"e{i}" for i in range(50)])
    assert join.given_up(horizon=50) == []
    join.rows_of(["one more"])
    assert [w.label.id for w in join.given_up(horizon=50)] == ["x"]
    assert join.waiting == {}


def test_positions_are_the_first_offsets_by_partition() -> None:
    join = Join(1024)
    rows = join.rows_of([f"e{i}" for i in range(6)])
    join.write(rows, partition=np.array([0, 1, 0, 1, 1, 0]), offset=np.array([10, 20, 11, 21, 22, 12]))
    assert join.positions(2, 4) == {"0": 11, "1": 21}


@given(st.permutations([("rows", i) for i in range(6)] + [("label", i) for i in range(6)]))
def test_every_order_of_events_and_labels_joins_the_same(order: list[tuple[str, int]]) -> None:
    join = Join(1024)
    for what, i in order:
        name = f"e{i}"
        if what == "rows":
            rows = join.rows_of([name])
            for waiting in join.arrived([name]):
                join.set_labels(rows, np.array([float(waiting.label.label or 0)]), np.array([0]))
        elif join.find([name])[0] >= 0:
            label(join, [name], [float(i)])
        else:
            join.wait(Label(pipeline="p", id=name, label=float(i)), 0, 0, 0.0)
    assert join.labelled == 6
    assert join.read("label", join.find([f"e{i}" for i in range(6)])).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_state_survives_bit_for_bit() -> None:
    join = Join(1024)
    label(join, ["a"], []) if False else join.rows_of(["a", "b"])
    label(join, ["b"], [1.0])
    again = unpack(pack(join), Join)
    assert pack(again) == pack(join)
    assert again.find(["b"]).tolist() == [1]


def test_new_ids_known_ones_and_repeated_ones_come_together() -> None:
    join = Join(1024)

    assert join.rows_of(["a", "b"]).tolist() == [0, 1]
    assert join.rows_of(["c", "b", "c", "d"]).tolist() == [2, 1, 2, 3]
    assert join.rows_of(["e", "e"]).tolist() == [4, 4]
    assert join.rows_of([]).tolist() == []
    assert join.next_row == 5
