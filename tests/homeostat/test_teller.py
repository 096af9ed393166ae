"""The demo's story: said before it begins, and told in the order of its rows."""

from __future__ import annotations

import io

from rich.console import Console

from homeostat.demo.story import faults_of, story_of
from homeostat.demo.teller import Teller
from homeostat.demo.view import plan_of
from tests.homeostat.test_outcome import alert


def test_rows_never_go_back_and_nothing_is_told_twice() -> None:
    out = io.StringIO()
    teller = Teller(Console(file=out, width=100))
    events = [alert(1.0, 26_900, 0), alert(1.0, 26_800, 0)]

    teller.tell(events)
    teller.say(27_000, "SABOTAGE", "now")
    teller.tell([*events, alert(2.0, 26_946, 0)])

    rows = [line.split()[1] for line in out.getvalue().splitlines()]
    assert rows == ["26,800", "26,900", "27,000", "27,000"]


def test_the_plan_says_how_much_comes_how_long_it_takes_and_what_goes_wrong_where() -> None:
    plan = "\n".join(plan_of(story_of(faults_of(()), 45_312), 300.0))

    assert "38,000 half hours" in plan
    assert "36,000 rows, 300 a second: about 120 s" in plan
    assert "96 rows after" in plan
    assert "at row 20,000 to 22,500 the price" in plan
    assert "at row 27,000 a person" in plan
    assert "ctrl-C" in plan
