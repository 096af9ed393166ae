"""Two runs of a backtest give the same bytes, whatever hash seed and number of threads their processes have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from tests.homeostat.backtesting.histories import SPECIFICATION, eventful

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
AGAINST = "static,periodic:700,river-linear,river-adaptive-tree"


def _bytes(folder: Path, *, hash_seed: str, threads: str) -> tuple[bytes, bytes]:
    """The JSON and the page of the command in a process of its own."""
    page = folder / f"{hash_seed}.html"
    command = [sys.executable, "-m", "homeostat", "backtest", str(folder / "shop.yaml"), str(folder / "shop.parquet")]
    command += ["--rate", "100", "--against", AGAINST, "--json", "--html", str(page)]
    environ = {**os.environ, **dict.fromkeys(THREADS, threads), "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, env=environ, capture_output=True, check=True)
    return done.stdout, page.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_processes_with_other_hash_seeds_and_threads_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text(json.dumps(SPECIFICATION.model_dump(mode="json", by_alias=True)))
    rows = eventful(2500, turn=1500, wrong=range(0))
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(tmp_path / "shop.parquet")

    one = _bytes(tmp_path, hash_seed="1", threads="1")
    other = _bytes(tmp_path, hash_seed="4242", threads="4")

    assert json.loads(one[0])["actions"], "nothing was done: there is little to compare"
    assert one == other
