"""What `send` and `labels` say of the rows of a file once they were answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from homeostat.cli.fitting import line_numbers
from homeostat.cli.following import Fate, Kind, told
from homeostat.cli.output import show_json, show_text
from homeostat.tally import MOST_REJECTED, Tally
from shared.errors import HomeostatError

_SHOWN = 5
_OF_BODY = re.compile(r"row \d+ of this body")


def report(file: str, tally: Tally, fate: Fate | None, kind: Kind, *, as_json: bool) -> None:
    """Shows what became of the rows; those that were rejected or refused make the command fail."""
    if as_json:
        result = {"rows": tally.rows, "accepted": tally.accepted, "rejected": tally.rejected}
        result |= {"rejected_rows": tally.refused, "reasons": dict(tally.reasons), "ignored": dict(tally.ignored)}
        show_json(result | (fate.plain() if fate is not None else {}))
    else:
        _show(file, tally, [] if fate is None else list(told(fate, kind)))
    refused = 0 if fate is None else sum(fate.refused.values())
    what = [f"{count} {word}" for count, word in ((tally.refused, "rejected"), (refused, "refused")) if count]
    if len(what) > 1:
        raise HomeostatError(f"of {tally.rows} {_rows(tally.rows)} {' and '.join(what)}; nothing else was harmed")
    if what:
        count, word = what[0].split()
        were = "was" if tally.rows == 1 else "were"
        raise HomeostatError(f"{count} of {tally.rows} {_rows(tally.rows)} {were} {word}; nothing else was harmed")


def _rows(number: int) -> str:
    """
    >>> _rows(1), _rows(0)
    ('row', 'rows')
    """
    return "row" if number == 1 else "rows"


def _show(file: str, tally: Tally, fate: Sequence[str]) -> None:
    why = ", ".join(f"{rows} {reason}" for reason, rows in tally.reasons.most_common())
    told_why = f" ({why})" if why else ""
    show_text(f"{tally.rows} {_rows(tally.rows)}: {tally.accepted} accepted, {tally.refused} rejected{told_why}")
    for line in _rejected(file, tally):
        show_text(line)
    for name, rows in tally.ignored.items():
        show_text(f"{name!r} was left out of {rows} {_rows(rows)}: it is no field of the pipeline")
    for line in fate:
        show_text(line)


def _rejected(file: str, tally: Tally) -> Iterator[str]:
    """A line for each of the first, by its place in `file`; then how many more."""
    first = tally.rejected[:_SHOWN]
    places = [place for entry in first for place in (entry["index"], entry.get("other", entry["index"]))]
    word, numbers = line_numbers(file, places) if first else ("", [])
    for entry, number, other in zip(first, numbers[::2], numbers[1::2], strict=True):
        name = f" (id {entry['id']})" if entry.get("id") else ""
        yield f"  {word} {number}{name}: {_OF_BODY.sub(f'{word} {other}', entry['detail'])}"
    if more := tally.refused - len(first):
        has = "them all" if tally.refused == len(tally.rejected) else f"the first {MOST_REJECTED}"
        yield f"  and {more} more: --json has {has}"
