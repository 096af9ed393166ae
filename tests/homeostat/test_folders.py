"""Which earlier runs of the demo keep their files."""

from __future__ import annotations

from pathlib import Path

from homeostat.demo.folders import CHART, clear_earlier, told
from homeostat.local.discovery import Claim


def runs(base: Path, *names: str, ended: bool = True) -> list[Path]:
    for name in names:
        (base / name).mkdir(parents=True)
        if ended:
            (base / name / CHART.format(0)).write_text("a chart")
    return [base / name for name in names]


def left(base: Path) -> list[str]:
    return sorted(folder.name for folder in base.iterdir())


def test_with_a_new_run_the_last_three_are_kept(tmp_path: Path) -> None:
    runs(tmp_path, "20260101", "20260102", "20260103")
    (newest,) = runs(tmp_path, "20260104", ended=False)

    clear_earlier(newest)

    assert left(tmp_path) == ["20260102", "20260103", "20260104"]


def test_a_run_that_stopped_before_its_end_takes_no_others_place(tmp_path: Path) -> None:
    runs(tmp_path, "20260101", "20260102")
    runs(tmp_path, "20260103", "20260104", ended=False)
    (newest,) = runs(tmp_path, "20260105", ended=False)

    clear_earlier(newest)

    assert left(tmp_path) == ["20260101", "20260102", "20260105"]


def test_a_run_that_still_plays_is_left_alone(tmp_path: Path) -> None:
    (playing, newest) = runs(tmp_path, "20260101", "20260102", ended=False)
    claim = Claim(playing)

    clear_earlier(newest)

    assert left(tmp_path) == ["20260101", "20260102"]
    claim.release()


def test_it_is_said_that_only_the_last_three_runs_are_kept_unless_a_person_chose_the_folder(tmp_path: Path) -> None:
    assert "the last 3 are kept" in told(tmp_path, given=False)
    assert "may be deleted" in told(tmp_path, given=True)
