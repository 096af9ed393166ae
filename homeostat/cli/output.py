"""How results are shown: a table for people, JSON for programs; errors on standard error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from homeostat.tables import Rows

console = Console()
errors = Console(stderr=True)


def show_json(value: Any) -> None:
    """`value` as indented JSON, and nothing else, on standard output."""
    console.print_json(json.dumps(value, default=str), highlight=False)


def show_text(text: str) -> None:
    """`text` as it is: no line is broken, so that it can go into a file."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
    """A table of `columns` (key to heading); where there are no rows, the sentence `empty`."""
    if not rows:
        console.print(empty)
        return
    console.print(Rows(rows, columns))


def show_found(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str, as_json: bool) -> None:
    """What was found, whole for programs, else as a table."""
    if as_json:
        show_json(rows)
    else:
        show_rows(rows, columns, empty=empty)
