"""Tables in terminals of any width."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from rich.console import Console

from homeostat.tables import Rows

INCIDENT = {
    "id": "incident-80c2e1d083e28d57",
    "at": "2026-11-21T21:12:22.153000+00:00",
    "pipeline": "electricity",
    "summary": "its level fits a change of unit: times one thousand, since the market wrote it otherwise",
}
COLUMNS = {"id": "id", "at": "opened", "pipeline": "pipeline", "summary": "what"}


def shown(width: int, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width).print(Rows(rows, columns))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_an_id_is_shown_whole_where_other_cells_are_folded() -> None:
    lines = shown(50, [INCIDENT], {"id": "id", "summary": "what"})

    assert any("incident-80c2e1d083e28d57" in line for line in lines)
    assert max(map(len, lines)) <= 50


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_word_is_broken_and_no_line_too_long(width: int) -> None:
    lines = shown(width, [INCIDENT, INCIDENT], COLUMNS)

    words = {"2026-11-21T21:12:22.153000+00:00"} ^ {word for value in INCIDENT.values() for word in value.split()}
    assert words <= set(" ".join(lines).split())
    assert max(map(len, lines)) <= width


def test_sentences_stand_below_their_row_where_they_have_no_room_beside_it() -> None:
    narrow, wide = shown(80, [INCIDENT], COLUMNS), shown(120, [INCIDENT], COLUMNS)

    assert narrow[1] == "incident-80c2e1d083e28d57  11-21 21:12:22Z  electricity"
    assert narrow[2].startswith("    its level fits")
    assert wide[1].startswith("incident-80c2e1d083e28d57  11-21 21:12:22Z  electricity  its level fits")


def test_where_the_short_cells_alone_do_not_fit_a_sentence_still_has_the_whole_width() -> None:
    lines = shown(48, [INCIDENT], COLUMNS)

    assert [line for line in lines if line.startswith("    its level fits a change of unit")]
    assert max(map(len, lines)) <= 48
    assert len(lines) <= 7


def test_several_sentences_below_a_row_each_have_their_heading() -> None:
    lines = shown(60, [{**INCIDENT, "why": "somebody asked for it on the command line"}], {**COLUMNS, "why": "why"})

    assert any(line.startswith("    what: its level") for line in lines)
    assert any(line.startswith("    why: somebody asked") for line in lines)


def test_the_year_is_left_out_where_all_times_share_it() -> None:
    other = {**INCIDENT, "at": "2025-12-31T23:59:59Z"}

    assert "11-21 21:12:22Z" in shown(80, [INCIDENT], {"at": "at"})
    assert shown(80, [INCIDENT, other], {"at": "at"}) == ["at", "2026-11-21 21:12:22Z", "2025-12-31 23:59:59Z"]


def test_numbers_stand_on_the_right_and_text_in_brackets_is_no_markup() -> None:
    rows = [{"n": 7, "what": "[bold]x[/]"}, {"n": 12345, "what": "y"}]

    assert shown(80, rows, {"n": "rows", "what": "what"}) == [" rows  what", "    7  [bold]x[/]", "12345  y"]


def test_what_reads_as_numbers_stands_on_the_right_too() -> None:
    rows = [{"since": "0 s, 78", "share": "8.5%"}, {"since": "15 s, 4,919", "share": "-"}]

    assert shown(80, rows, {"since": "alert", "share": "before"})[1:] == ["    0 s, 78    8.5%", "15 s, 4,919       -"]


def test_more_short_cells_than_fit_make_several_tables_each_with_the_first_column() -> None:
    row = {name: name * 12 for name in "abcd"}

    lines = shown(40, [row, row], {name: name for name in row})

    words = " ".join(lines).split()
    assert max(map(len, lines)) <= 40
    assert [words.count(name * 12) for name in "abcd"] == [4, 2, 2, 2]


def test_where_not_even_two_cells_fit_nothing_is_cut_off() -> None:
    row = {name: name * 12 for name in "abcd"}

    lines = shown(20, [row], {name: name for name in row})

    assert max(map(len, lines)) <= 20
    assert all("".join(lines).count(name) == 13 for name in row)


def test_a_single_column_wider_than_the_terminal_is_folded() -> None:
    lines = shown(40, [{"a": "x" * 60}, {"a": "y"}], {"a": "A"})

    assert lines == ["A", "x" * 40, "x" * 20, "y"]
