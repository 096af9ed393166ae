"""How `up` and `demo` end, as the person at the terminal sees it."""

from __future__ import annotations

import pytest
import typer

from homeostat.cli.stack import _stopped


def test_an_interrupted_start_says_that_nothing_runs_any_more(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, _stopped():
        raise KeyboardInterrupt

    assert (ended.value.exit_code, capfd.readouterr().out) == (130, "stopped\n")


def test_an_ordered_end_says_so_too(capfd: pytest.CaptureFixture[str]) -> None:
    with _stopped():
        pass

    assert capfd.readouterr().out == "stopped\n"
