"""What stands between the fields of a CSV file: commas, or what people's spreadsheets write instead."""

from __future__ import annotations

import csv

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}


def separator_in(names: str) -> str:
    """What splits the first line into most names; the comma, unless another does better.

    >>> separator_in('id;"a;b";c,d'), separator_in("id,a;b"), separator_in("id")
    (';', ',', ',')
    """
    return max(SEPARATORS, key=lambda each: len(next(csv.reader([names], delimiter=each), [])))
