"""What a fault makes of a row."""

from __future__ import annotations


def times_1000(row: dict[str, object]) -> dict[str, object]:
    return row | {"price": row["price"] * 1000}  # type: ignore[operator]
