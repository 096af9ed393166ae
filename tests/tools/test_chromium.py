from __future__ import annotations

from pathlib import Path

from tools.chromium import NoChromium, find


def test_the_one_that_is_named_comes_before_the_one_on_the_path(tmp_path: Path) -> None:
    program = tmp_path / "google-chrome"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert find({"PATH": str(tmp_path)}) == str(program)
    assert find({"PATH": str(tmp_path), "CHROMIUM": "/opt/chromium"}) == "/opt/chromium"


def test_where_none_can_be_had_the_error_says_what_to_do_and_what_was_tried() -> None:
    error = str(NoChromium(["tried: no network"]))

    assert "apt-get install chromium" in error
    assert "CHROMIUM" in error
    assert "tried: no network" in error
