"""How results are shown: a table for people, JSON for programs; errors on standard error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

console = Console()
errors = Console(stderr=True)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")


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
    console.print(table_of(rows, columns))


def table_of(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> Table:
    """Cells too long for the terminal are folded, but for ids: they are there to be copied."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, heading in columns.items():
        table.add_column(heading, overflow="fold", no_wrap=key == "id")
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key in columns))
    return table


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value)
    return told_time(value) if isinstance(value, str) else str(value)


def told_time(text: str) -> str:
    """A time of the API as people read it, to the second; any other text as it is.

    >>> told_time("2026-11-21T13:24:20.153000+00:00"), told_time("at noon")
    ('2026-11-21 13:24:20Z', 'at noon')
    """
    return f"{text[:10]} {text[11:19]}Z" if _TIME.fullmatch(text) else text
