"""Parts killed and stopped at random moments under load: nothing accepted is lost, nothing counts twice.

A few seconds of this belong to every test run. For longer and for other randomness:
``HOMEOSTAT_FAULT_SECONDS=600 HOMEOSTAT_FAULT_SEED=7 python -m pytest tests/faults``.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from homeostat.local.waiting import wait_for
from homeostat.rows import Row, frame_of, rows_of
from shared.clock import monotonic
from shared.errors import HomeostatError
from shared.pipeline.check import checked
from shared.pipeline.load import load
from tests.faults.checker import committed
from tests.faults.sender import Sender
from tests.support.stack import Home, running_home

LAP_SECONDS = 22.0
SECONDS = float(os.environ.get("HOMEOSTAT_FAULT_SECONDS", str(LAP_SECONDS)))
SEED = int(os.environ.get("HOMEOSTAT_FAULT_SEED", "20261121"))

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.kafka,
    pytest.mark.xdist_group("home"),
    pytest.mark.timeout(int(SECONDS) * 3 + 400),
]

EXAMPLE = Path("examples/electricity")
NAME = "electricity"
PARTS = ("ingest", "predictor", "monitor", "remediator", "trainer", "gateway", "redis", "mlflow")
WARM_UP = 500
STOPPED_SECONDS = 13.0
"""Longer than a consumer's session (10 s)."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What was accepted, and what stands on the topics once all of it has come to rest."""

    home: Home
    accepted: list[str]
    labelled: list[str]
    repeats: int
    predictions: list[dict[str, Any]]
    killed: list[str]


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    with running_home(tmp_path_factory.mktemp("faults")) as home:
        table = rows_of(frame_of(str(EXAMPLE / "data.parquet")))
        _first_model(home, table)
        sender = Sender(home, NAME, table, WARM_UP, a_second=200, lag=60)
        sender.start()
        with _second_predictor(home, home.data / "logs" / "second.log") as second:
            assert wait_for(lambda: len(sender.accepted) > 400, 60)
            home.client.call("POST", f"/v1/pipelines/{NAME}/retrain", json={"reason": "to be killed in the middle"})
            killed = _torment(home, second, random.Random(SEED))
            sender.stop()
        accepted = [str(row["id"]) for row in table[:WARM_UP]] + sender.accepted
        labelled = [str(row["id"]) for row in table[:WARM_UP]] + sender.labelled
        assert wait_for(lambda: _rested(home, len(accepted)), 90, every=1), home.cli("status").stdout
        predictions = committed(home.stack.urls["kafka"], home.full_name("predictions"))
        yield Aftermath(home, accepted, labelled, sender.repeats, predictions, killed)


def _first_model(home: Home, table: list[Row]) -> None:
    document = load(EXAMPLE / "pipeline.yaml").canonical
    document = {**document, "models": {**document["models"], "min_rows": 400, "search": {"seconds": 1, "trials": 2}}}
    specification, problems = checked(document)
    assert specification is not None, problems
    home.client.define(specification.canonical)
    home.client.send_events(NAME, table[:WARM_UP], "history")
    assert wait_for(lambda: bool(home.client.get(f"/v1/pipelines/{NAME}/models")["models"]), 120), "no first model"


@contextmanager
def _second_predictor(home: Home, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """One more predictor, which nobody supervises: it shares the partitions until it is stopped."""
    own = {"HOMEOSTAT_INSTANCE": "9", "HOMEOSTAT_PREDICTOR_PORT": "0", "HOMEOSTAT_HEALTH_PORT": "0"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "services.predictor"],
            env={**home.stack.environ, **own, "OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _torment(home: Home, second: subprocess.Popen[bytes], chance: random.Random) -> list[str]:
    """In each lap: kills every part once, and stops the second predictor for longer than its session."""
    killed: list[str] = []
    begun, clock = monotonic(), Event()
    for lap in range(max(1, round(SECONDS / LAP_SECONDS))):
        moments = sorted(chance.uniform(1, LAP_SECONDS - 4) for _ in PARTS)
        order = chance.sample(PARTS, len(PARTS))
        second.send_signal(signal.SIGSTOP)
        stopped_at = monotonic()
        for moment, part in zip(moments, order, strict=True):
            clock.wait(max(0.0, begun + lap * LAP_SECONDS + moment - monotonic()))
            home.stack.kill(part)
            killed.append(part)
        clock.wait(max(0.0, stopped_at + STOPPED_SECONDS - monotonic()))
        second.send_signal(signal.SIGCONT)
        clock.wait(max(0.0, begun + (lap + 1) * LAP_SECONDS - monotonic()))
    return killed


def _rested(home: Home, rows: int, *, labels: bool = True) -> bool:
    """Whether the monitor has seen every row and label, so that nothing is on its way."""
    found = home.client.get(f"/v1/pipelines/{NAME}/metrics", limit=1)
    return bool(found["rows_seen"] >= rows and (not labels or found["labelled_seen"] >= rows))


def test_every_part_was_killed_and_the_client_felt_it(aftermath: Aftermath) -> None:
    assert set(aftermath.killed) == set(PARTS)
    assert aftermath.repeats > 0
    assert len(aftermath.accepted) > WARM_UP + 50 * SECONDS


def test_every_accepted_event_has_one_prediction_and_none_has_two(aftermath: Aftermath) -> None:
    counts = Counter(prediction["id"] for prediction in aftermath.predictions)

    assert counts.keys() == set(aftermath.accepted)
    assert set(counts.values()) == {1}


def test_every_label_counts_once(aftermath: Aftermath) -> None:
    found = aftermath.home.client.get(f"/v1/pipelines/{NAME}/metrics", limit=1)

    assert found["labelled_seen"] == len(set(aftermath.labelled))
    assert found["rows_seen"] == len(set(aftermath.accepted))


def test_the_ledger_is_whole(aftermath: Aftermath) -> None:
    done = aftermath.home.cli("audit", "verify", "--json")

    assert done.returncode == 0, done.stderr


def test_every_promise_stands_as_the_topics_tell_it(aftermath: Aftermath) -> None:
    def kept() -> bool:
        return aftermath.home.cli("verify", "--grace", "0", seconds=120).returncode == 0

    assert wait_for(kept, 90, every=2), aftermath.home.cli("verify", "--grace", "0", seconds=120).stdout


def test_one_version_is_live_and_no_number_was_given_to_two_models(aftermath: Aftermath) -> None:
    home = aftermath.home

    def published() -> list[dict[str, Any]]:
        return committed(home.stack.urls["kafka"], home.full_name("model-published"))

    def agree() -> bool:
        """A training that was under way may still end between the two readings."""
        newest = [each["version"] for each in published() if each["stage"] == "champion"][-1]
        models = home.client.get(f"/v1/pipelines/{NAME}/models")
        champions = [model["version"] for model in models["models"] if model["stage"] == "champion"]
        return champions == [newest] and models["live"]["version"] == newest

    assert wait_for(agree, 20)
    artefacts: dict[str, set[str]] = {}
    for each in published():
        artefacts.setdefault(each["version"], set()).add(each["artifact"]["sha256"])
    assert all(len(found) == 1 for found in artefacts.values())


def test_every_part_runs_again(aftermath: Aftermath) -> None:
    def down() -> set[str]:
        status = aftermath.home.stack.status
        return {part for part in PARTS if status[part].phase != "ready"}

    assert wait_for(lambda: not down(), 90), down()


def test_a_killed_kafka_comes_back_and_every_event_accepted_meanwhile_is_answered_once(aftermath: Aftermath) -> None:
    home = aftermath.home
    table = rows_of(frame_of(str(EXAMPLE / "data.parquet")))
    before = home.stack.status["kafka"].starts
    sender = Sender(home, NAME, table, first=20_000, a_second=200, lag=60)
    sender.start()
    assert wait_for(lambda: len(sender.accepted) > 400, 60)

    home.stack.kill("kafka")

    assert wait_for(lambda: _answers(home, table[-1]), 150, every=1)
    sender.stop()
    everything = len(aftermath.accepted) + len(sender.accepted) + 1
    assert wait_for(lambda: _rested(home, everything, labels=False), 90, every=1), home.cli("status").stdout
    predictions = committed(home.stack.urls["kafka"], home.full_name("predictions"))
    counts = Counter(prediction["id"] for prediction in predictions)
    assert {counts[id_] for id_ in sender.accepted} == {1}
    assert home.stack.status["kafka"].starts == before + 1
    orders = home.client.get("/v1/commands", pipeline="_system")["commands"]
    assert [order for order in orders if order["arguments"].get("service") == "kafka"] == []


def _answers(home: Home, row: Row) -> bool:
    try:
        (answer,) = home.client.call("POST", f"/v1/pipelines/{NAME}/predict?timeout=5", json=row)["predictions"]
    except HomeostatError:
        return False
    return answer["prediction"] is not None
