"""What `send` ends with: every row that did not go in is counted."""

from __future__ import annotations

from collections import Counter

import pytest

from homeostat.cli.following import Fate
from homeostat.cli.reporting import report
from homeostat.tally import Tally
from shared.errors import HomeostatError


@pytest.mark.parametrize(
    ("rejected", "refused", "says"),
    [
        (3, 0, "3 of 9 rows were rejected; nothing else was harmed"),
        (0, 2, "2 of 9 rows were refused; nothing else was harmed"),
        (3, 2, "of 9 rows 3 rejected and 2 refused; nothing else was harmed"),
    ],
)
def test_rows_refused_at_the_door_and_behind_it_are_both_counted(rejected: int, refused: int, says: str) -> None:
    tally = Tally(9 - rejected, rows=9, reasons=Counter(type=rejected))

    with pytest.raises(HomeostatError, match=says):
        report("-", tally, Fate(refused=Counter({"id-conflict": refused})), "events", as_json=True)


def test_a_single_row_is_told_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HomeostatError, match="1 of 1 row was rejected"):
        report("-", Tally(0, rows=1, reasons=Counter(type=1)), None, "events", as_json=False)

    assert "1 row: 0 accepted, 1 rejected (1 type)" in capsys.readouterr().out
