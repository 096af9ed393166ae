"""Whether the rows of a file are those of a pipeline: told before any of them is sent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from shlex import quote
from typing import TYPE_CHECKING, Any

from homeostat.cli.nameless import names_nothing
from shared.errors import Misconfigured

if TYPE_CHECKING:
    from homeostat.rows import Row
    from homeostat.separated import Say

MOST_LINES = 10
_MOST_NAMES = 12
_ENOUGH = 100
"""So many first rows of standard input without an id are no accident."""


def fitting(specification: Mapping[str, Any], file: str, parts: Iterable[list[Row]], say: Say) -> Iterator[list[Row]]:
    """The parts as they are. `Misconfigured`, before a part is given on, where it cannot be the pipeline's.

    `say` is told once of columns that the pipeline does not take. The first lines of standard input are a part too:
    where they are few, none of them having an id says nothing of those to come.
    """
    coming = iter(parts)
    first = next(coming, [])
    fit_columns(specification, file, first, say)
    if file != "-" or len(first) >= _ENOUGH:
        with_ids(file, first, id_column(specification))
    return chain([first], coming)


def fit_columns(specification: Mapping[str, Any], file: str, rows: Sequence[Row], say: Say) -> None:
    """`Misconfigured` where `rows` have none of the pipeline's inputs; `say` is told what it does not take."""
    fields, name = list(specification["schema"]), specification["name"]
    columns = columns_of(rows)
    inputs = [field for field in fields if field not in (specification.get("id"), specification.get("target"))]
    if columns and not set(columns) & set(inputs):
        raise Misconfigured(_not_events(specification, file, columns, inputs))
    if ignored := [column for column in columns if column not in fields and column != "id"]:
        say(f"ignored columns: {named(ignored)} (the specification of {name} has none such)")


def _not_events(specification: Mapping[str, Any], file: str, columns: Sequence[str], inputs: Sequence[str]) -> str:
    name = specification["name"]
    if {specification.get("target"), "label"} & set(columns):
        return (
            f"{file} holds labels, and events are expected: its columns are {named(columns)}, those of events of "
            f"{name} {named(inputs)}. Nothing was sent; to send them as labels: homeostat labels {name} {quote(file)}"
        )
    ids = [column for column in columns if column in (id_column(specification), "id")]
    beside = f" beside the id ({ids[0]})" if ids else ""
    others = [column for column in columns if column not in ids] or ["nothing else"]
    return (
        f"{file} has none of the inputs that {name} takes: it has {named(others)}{beside}; {name} takes "
        f"{named(inputs)}. "
        "Nothing was sent: is it another pipeline's (homeostat status lists them), or has it no line of names?"
    )


def columns_of_labels(
    specification: Mapping[str, Any], file: str, rows: Sequence[Row], id_column: str | None, label_column: str | None
) -> tuple[str, str]:
    """The columns of ids and of labels: those asked for, else those called as the specification or as usual.

    `Misconfigured` where the rows do not have both.
    """
    asked = [id_column] if id_column else [specification.get("id"), "id"]
    truths = [label_column] if label_column else [specification.get("target"), "label"]
    columns = columns_of(rows[:1])
    found = [
        next((each for each in names if each and (not rows or each in columns)), None) for names in (asked, truths)
    ]
    if found[0] is None or found[1] is None:
        raise Misconfigured(_not_labels(specification, file, columns, (_either(asked), _either(truths)), found))
    return found[0], found[1]


def _not_labels(
    specification: Mapping[str, Any],
    file: str,
    columns: Sequence[str],
    wanted: tuple[str, str],
    found: Sequence[str | None],
) -> str:
    name, target = specification["name"], specification.get("target")
    events = found[1] is None and set(columns) & (set(specification["schema"]) - {specification.get("id"), target})
    what = (
        "holds events, and labels are expected" if events else "has no column of " + ("labels" if found[0] else "ids")
    )
    send = f"; as events: homeostat send {name} {quote(file)}" if events else ""
    return (
        f"{file} {what}: its columns are {named(columns)}; labels of {name} need {wanted[0]} and {wanted[1]}. "
        f"Nothing was sent{send}. If the columns have other names: homeostat labels {name} {quote(file)} "
        "--id-column NAME --label-column NAME"
    )


def _either(names: Sequence[str | None]) -> str:
    return " or ".join(repr(name) for name in dict.fromkeys(names) if name)


def with_ids(file: str, rows: Sequence[Row], column: str) -> None:
    """`Misconfigured` where all rows leave the column of ids empty: then it is the wrong column, not the wrong rows."""
    if rows and all(names_nothing(row, column) for row in rows):
        raise Misconfigured(
            f"{file}: {len(rows)} of {len(rows)} rows have no id in the column {column!r}: "
            f"{places(file, range(len(rows)))}. Give each an id; nothing of these rows was sent"
        )


def only_objects(file: str, rows: Sequence[object]) -> None:
    """`Misconfigured` names what is no row at all, as a number in an array of JSON."""
    if others := [index for index, row in enumerate(rows) if not isinstance(row, dict)]:
        raise Misconfigured(f"{file}: a row is a JSON object, and these are none: {places(file, others)}")


def id_column(specification: Mapping[str, Any]) -> str:
    """Where the pipeline's rows carry their id."""
    return specification.get("id") or "id"


def columns_of(rows: Iterable[Row]) -> list[str]:
    """Every name that a row has, in the order in which they come."""
    found: dict[str, None] = {}
    for row in rows:
        if isinstance(row, dict) and not row.keys() <= found.keys():
            found |= dict.fromkeys(row)
    return list(found)


def places(file: str, indices: Sequence[int]) -> str:
    """Where these rows stand in the file: the first few, and how many more.

    >>> places("-", [3])
    'row 4'
    """
    word, numbers = line_numbers(file, indices[:MOST_LINES])
    more = len(indices) - len(numbers)
    plural = "s" if len(numbers) > 1 else ""
    return f"{word}{plural} {', '.join(map(str, numbers))}" + (f" and {more} more" if more else "")


def line_numbers(file: str, indices: Sequence[int]) -> tuple[str, list[int]]:
    """The lines on which these rows stand in the file; their numbers, from 1, where it has no lines.

    >>> line_numbers("-", [0, 2])
    ('row', [1, 3])
    """
    from homeostat.rows import lines_in  # imported here: every other command starts faster without polars

    lines = lines_in(file)
    if lines is None or max(indices, default=-1) >= len(lines):
        return "row", [index + 1 for index in indices]
    return "line", [lines[index] for index in indices]


def named(names: Sequence[str]) -> str:
    """The first names of many, and how many more there are.

    >>> named(["a", "b"])
    'a, b'
    """
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
