"""The example's rows over and over, for as long as a fault run lasts: each with an id and a region of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from homeostat.rows import Row, frame_of, rows_of

REGIONS = 16
"""So many keys that every partition has some of the load."""


class Rows(Sequence[Row]):
    """A million rows, made when they are asked for."""

    def __init__(self, path: str) -> None:
        self._table = rows_of(frame_of(path))

    def __len__(self) -> int:
        return 1_000_000

    @overload
    def __getitem__(self, at: int) -> Row: ...

    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...

    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self._row(index) for index in range(*at.indices(len(self)))]
        return self._row(range(len(self))[at])

    def _row(self, index: int) -> Row:
        row = self._table[index % len(self._table)]
        return {**row, "id": f"row-{index:07}", "region": f"R{index % REGIONS}"}
