"""Tables for a terminal of any width: no word is broken, nothing is cut off.

Only columns of sentences give way. Where too little room is left for them, they stand below their row, and only where
the other cells alone do not fit is a word of those broken; where there are no sentences, they make several tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)")
_NUMBER = re.compile(r"-|-?[\d.,]+(e[+-]\d+)?%?|\d+ s, [\d,]+")
_GAP = 2
_INDENT = 4
_LONGEST_WORD = 24
"""Text with spaces that is longer than this is a sentence."""
_NARROWEST_SENTENCE = 30


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as a table of `columns` (key to heading). Numbers stand on the right, times are to the second.

    A value may be a `Text` of rich, to give it a style; no other text is taken for markup.
    """

    rows: Sequence[Mapping[str, Any]]
    columns: Mapping[str, str]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [_column(heading, [row.get(key) for row in self.rows]) for key, heading in self.columns.items()]
        fixed = [column for column in columns if not column.sentences]
        sentences = [column for column in columns if column.sentences]
        room = options.max_width - sum(column.width + _GAP for column in fixed)
        if sum(min(column.width, _NARROWEST_SENTENCE) + _GAP for column in sentences) - _GAP <= room:
            yield _table(columns)
        elif not sentences:
            yield from _parts(columns, options.max_width)
        elif not fixed:
            yield _table(columns, folded=True)
        else:
            yield from _rows_with_sentences_below(_narrowed(fixed, options.max_width), sentences)


@dataclass(frozen=True, slots=True)
class _Column:
    """`width` is that of its widest cell. `sentences`: its cells may be broken, between words."""

    heading: str
    cells: list[Text]
    width: int
    numbers: bool
    sentences: bool


def _column(heading: str, values: Sequence[Any]) -> _Column:
    known = [value for value in values if value is not None]
    years = {value[:4] for value in known if _is_time(value)}
    of_one_year = len(years) == 1 and all(_is_time(value) for value in known)
    cells = [_cell(value, of_one_year) for value in values]
    lines = [heading, *(cell.plain for cell in cells)]
    return _Column(
        heading,
        cells,
        max(Text(line).cell_len for line in lines),
        numbers=bool(known) and all(_NUMBER.fullmatch(cell.plain) for cell in cells),
        sentences=any(len(line) > _LONGEST_WORD and " " in line for line in lines),
    )


def _table(columns: Sequence[_Column], *, folded: bool = False) -> Table:
    """One line per row, but for sentences; `folded`: nothing fits, so that anything may be broken anywhere."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0))
    for column in columns:
        justify: Any = "right" if column.numbers else "left"
        table.add_column(column.heading, justify=justify, overflow="fold", no_wrap=not (folded or column.sentences))
    for cells in zip(*(column.cells for column in columns), strict=True):
        table.add_row(*cells)
    return table


def _parts(columns: Sequence[_Column], width: int) -> Iterator[Table | Text]:
    """As many tables as it takes, one below the other, each with the first column."""
    first, rest = columns[0], list(columns[1:])
    if not rest:
        yield _table([first], folded=True)
    while rest:
        part, room = [first], width - first.width
        while rest and room >= _GAP + rest[0].width:
            room -= _GAP + rest[0].width
            part.append(rest.pop(0))
        if len(part) == 1:
            yield _table([first, *rest], folded=True)
            return
        yield _table(part)
        if rest:
            yield Text()


def _narrowed(columns: Sequence[_Column], room: int) -> list[_Column]:
    """The columns within so much room: the widest give way, a cell at a time."""
    widths = [column.width for column in columns]
    while sum(widths) + _GAP * (len(widths) - 1) > room and max(widths) > 1:
        widths[widths.index(max(widths))] -= 1
    return [replace(column, width=width) for column, width in zip(columns, widths, strict=True)]


def _rows_with_sentences_below(fixed: Sequence[_Column], sentences: Sequence[_Column]) -> Iterator[Table | Padding]:
    yield _line(fixed, [Text(column.heading, style="bold") for column in fixed])
    for number, cells in enumerate(zip(*(column.cells for column in fixed), strict=True)):
        yield _line(fixed, cells)
        for column in sentences:
            head = f"{column.heading}: " if len(sentences) > 1 else ""
            yield Padding(Text.assemble((head, "dim"), column.cells[number]), (0, 0, 0, _INDENT))


def _line(columns: Sequence[_Column], cells: Sequence[Text]) -> Table:
    line = Table.grid(padding=(0, _GAP, 0, 0))
    for column in columns:
        justify: Any = "right" if column.numbers else "left"
        line.add_column(width=column.width, justify=justify, overflow="fold")
    line.add_row(*cells)
    return line


def _cell(value: Any, of_one_year: bool = False) -> Text:
    if isinstance(value, Text):
        return value
    if value is None or value == []:
        return Text("-")
    if isinstance(value, float):
        return Text(f"{value:.4g}")
    if isinstance(value, list | tuple):
        return Text(", ".join(_cell(item).plain for item in value))
    text = told_time(value) if isinstance(value, str) else str(value)
    return Text(text[5:] if of_one_year else text)


def _is_time(value: object) -> bool:
    return isinstance(value, str) and _TIME.fullmatch(value) is not None


def told_time(text: str) -> str:
    """A time of the API as people read it, to the second; any other text as it is.

    >>> told_time("2026-11-21T13:24:20.153000+00:00"), told_time("at noon")
    ('2026-11-21 13:24:20Z', 'at noon')
    """
    return f"{text[:10]} {text[11:19]}Z" if _TIME.fullmatch(text) else text
