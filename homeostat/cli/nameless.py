"""Rows of a file that leave their id empty: refused here, each by its place, while the others are sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from homeostat.tally import Tally

if TYPE_CHECKING:
    from homeostat.rows import Row

Post = Callable[[Sequence["Row"]], Tally]
REASON = "bad-id"


def without_nameless(post: Post, column: str, told: str | None = None) -> Post:
    """`post` for the rows that do not leave `column` empty; the others are among the refused. `told`: its own name."""
    detail = f"there is no id in the column {told or column!r}; give it one"

    def posting(rows: Sequence[Row]) -> Tally:
        nameless = {index for index, row in enumerate(rows) if names_nothing(row, column)}
        if not nameless:
            return post(rows)
        places = [index for index in range(len(rows)) if index not in nameless]
        tally = post([rows[index] for index in places]) if places else Tally()
        refused = [{"index": i, "id": None, "reason": REASON, "field": column, "detail": detail} for i in nameless]
        return _beside(tally, places, refused, len(rows))

    return posting


def names_nothing(row: object, column: str) -> bool:
    """Whether the row has this column and nothing in it."""
    return isinstance(row, dict) and column in row and str(row[column] if row[column] is not None else "").strip() == ""


def _beside(tally: Tally, places: Sequence[int], refused: list[dict[str, Any]], rows: int) -> Tally:
    """The tally of the rows at these places of so many, with those that were refused beside them."""
    posted = [tally.moved(entry, places.__getitem__) for entry in tally.rejected]
    tally.rejected = sorted([*posted, *refused], key=lambda entry: int(entry["index"]))
    tally.reasons += Counter({REASON: len(refused)})
    tally.rows = rows
    return tally
