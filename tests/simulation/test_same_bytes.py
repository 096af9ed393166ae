"""The same seed gives the same bytes on every topic, whatever hash seed, cores or threads a process has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from homeostat.simulation.written import differences
from shared.errors import Misconfigured
from shared.topics import TOPICS

SEEDS = (3, 28)
PROGRAM = """
import json, sys
from pathlib import Path
from homeostat.simulation.campaign import outcome_of
found = outcome_of(int(sys.argv[1]), (), Path(sys.argv[2]), always=True)
print(json.dumps(found.digests))
"""


def _digests(seed: int, folder: Path, hash_seed: str, threads: str) -> dict[str, str]:
    """Of a run in a process of its own, on other cores where the machine has some."""
    threading = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), threads)
    environment = {**os.environ, **threading, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", PROGRAM, str(seed), str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    digests: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return digests


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(600)
def test_two_processes_with_other_hash_seeds_and_threads_write_the_same(seed: int, tmp_path: Path) -> None:
    one = _digests(seed, tmp_path / "one", hash_seed="1", threads="1")
    other = _digests(seed, tmp_path / "other", hash_seed="4242", threads="4")

    assert one.keys() == {topic.name for topic in TOPICS}
    assert {topic for topic in one if one[topic] != other[topic]} == set()
    assert list(differences(tmp_path / "one", tmp_path / "other")) == []


def _run_folder(folder: Path, lines: list[str]) -> Path:
    (folder / "topics").mkdir(parents=True)
    (folder / "run.json").write_text("{}")
    (folder / "topics" / "alerts.ndjson").write_text("".join(line + "\n" for line in lines))
    return folder


def test_the_first_record_that_differs_is_named(tmp_path: Path) -> None:
    left, right = _run_folder(tmp_path / "a", ["1", "2", "3"]), _run_folder(tmp_path / "b", ["1", "9"])

    assert [tuple(each) for each in differences(left, right)] == [("alerts", 2, "2", "9")]


def test_a_run_that_is_longer_differs_where_the_other_ends(tmp_path: Path) -> None:
    left, right = _run_folder(tmp_path / "a", ["1", "2"]), _run_folder(tmp_path / "b", ["1"])

    assert [tuple(each) for each in differences(left, right)] == [("alerts", 2, "2", None)]


def test_a_folder_without_a_run_is_an_error_that_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="homeostat sim run"):
        list(differences(tmp_path, tmp_path))
