"""What a service lost over a start is told by its place; what it kept is not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest

from homeostat.simulation.memory import forgotten


class Window(msgspec.Struct):
    rows: list[int] = []
    mean: float = float("nan")
    kept: Any = None


@dataclass
class Service:
    state: dict[str, Window] = field(default_factory=dict)
    _board: object = None


def test_what_is_equal_was_not_forgotten() -> None:
    one, other = (Service({"a": Window([1, 2], kept=np.arange(3))}, object()) for _ in range(2))

    assert list(forgotten(one, other)) == []


@pytest.mark.parametrize(
    ("was", "now"),
    [
        (Window([1]), Window()),
        (Window(mean=0.5), Window()),
        (Window(kept=np.arange(3)), Window(kept=np.arange(2))),
        (Window(kept=np.zeros(2)), Window(kept=np.zeros(2, int))),
        (Window(kept={"a": 1, "b": 2}), Window(kept={"b": 2, "a": 1})),
        (Window(kept={1}), Window(kept=set())),
        (Window(kept=(Window([1]),)), Window(kept=(Window([2]),))),
        (Window(kept=Service()), Window(kept=None)),
    ],
    ids=["list", "number", "array", "dtype", "order", "set", "inside", "object"],
)
def test_what_was_lost_is_told_by_its_place(was: Window, now: Window) -> None:
    (told,) = forgotten(Service({"a": was}), Service({"a": now}), "monitor")

    assert told.startswith("monitor.state[a].")


def test_lists_come_back_as_tuples_and_numbers_in_another_width() -> None:
    assert list(forgotten(Window(kept=[1, 2]), Window(kept=(1, 2)))) == []
    assert list(forgotten(Window(mean=np.float32(0.5)), Window(mean=0.5))) == []
