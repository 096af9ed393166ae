"""Tables in a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from homeostat.cli.output import table_of


def test_an_id_is_shown_whole_where_other_cells_are_folded() -> None:
    out = io.StringIO()
    row = {"id": "incident-80c2e1d083e28d57", "summary": "its level fits a change of unit " * 3}

    Console(file=out, width=50).print(table_of([row], {"id": "id", "summary": "what"}))

    assert "incident-80c2e1d083e28d57 " in out.getvalue()
    assert max(map(len, out.getvalue().splitlines())) <= 50
