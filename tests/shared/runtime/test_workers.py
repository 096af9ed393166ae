"""Jobs in real worker processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from shared.bus.base import MAX_RECORD_BYTES, NewRecord, refuse_too_large
from shared.clock import monotonic, utc_now
from shared.codec import encode
from shared.messages import JobFinished
from shared.runtime import JobContext, Task
from shared.runtime.workers import WorkerJobs
from shared.service import Job
from shared.settings import CommonSettings

TASK = Task("trainer", None)


def double(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    return {"answer": 2 * arguments["number"], "pid": os.getpid(), "threads": os.environ.get("OMP_NUM_THREADS")}


def fail(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    raise ValueError("no such number")


def hang(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    time.sleep(3600)
    return {}


def die(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def overflow(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    return {"text": "x" * MAX_RECORD_BYTES}


def misshape(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    return {"value": object()}


def prepared(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
    return {"warm": os.environ.get("HOMEOSTAT_TEST_WARM"), "pid": os.getpid(), "nice": os.nice(0)}


def mark_warm() -> None:
    os.environ["HOMEOSTAT_TEST_WARM"] = f"{os.environ.get('HOMEOSTAT_TEST_WARM', '')} {os.getpid()}"


def break_warm() -> None:
    raise ImportError("no such library")


JOBS = {
    "double": double,
    "fail": fail,
    "hang": hang,
    "die": die,
    "overflow": overflow,
    "misshape": misshape,
    "prepared": prepared,
}


@pytest.fixture
def settings(tmp_path: Path) -> CommonSettings:
    return CommonSettings(bootstrap_servers="127.0.0.1:1", data_dir=tmp_path)


@pytest.fixture(params=[None, mark_warm], ids=["spawned", "from-nursery"])
def workers(request: pytest.FixtureRequest, settings: CommonSettings) -> Iterator[WorkerJobs]:
    """Each way a worker is started."""
    made = WorkerJobs(JOBS, settings, request.param)
    yield made
    made.stop()


@pytest.fixture
def spawned(settings: CommonSettings) -> Iterator[WorkerJobs]:
    made = WorkerJobs(JOBS, settings)
    yield made
    made.stop()


@pytest.fixture
def warmed(settings: CommonSettings) -> Iterator[WorkerJobs]:
    made = WorkerJobs(JOBS, settings, mark_warm)
    yield made
    made.stop()


def _ends(workers: WorkerJobs, count: int) -> list[JobFinished]:
    deadline = monotonic() + 60.0
    while len(found := workers.finished(utc_now())) < count:
        assert monotonic() < deadline
        os.sched_yield()
    return found


def _results(ends: list[JobFinished]) -> list[dict[str, Any]]:
    return [end.result or {"error": end.error} for end in ends]


def test_imports_are_done_once_before_there_is_work_for_any_worker(warmed: WorkerJobs) -> None:
    warmed.prepare()
    for number in range(2):
        warmed.start(TASK, Job(f"j{number}", "prepared", {}), utc_now())

    first, second = _results(_ends(warmed, 2))

    (nursery,) = first["warm"].split()
    assert second["warm"] == first["warm"]
    assert nursery not in {str(first["pid"]), str(second["pid"]), str(os.getpid())}


def test_a_worker_from_a_nursery_ends_with_its_job(warmed: WorkerJobs) -> None:
    warmed.start(TASK, Job("j1", "double", {"number": 1}), utc_now())

    (result,) = _results(_ends(warmed, 1))

    assert not psutil.pid_exists(result["pid"])


def test_jobs_give_way_to_what_answers_but_an_urgent_one_does_not(workers: WorkerJobs) -> None:
    workers.start(TASK, Job("urgent", "prepared", {}, urgent=True), utc_now())
    workers.start(TASK, Job("other", "prepared", {}), utc_now())

    urgent, other = _results(_ends(workers, 2))

    assert (urgent["nice"], other["nice"] > urgent["nice"]) == (os.nice(0), True)


def test_imports_that_fail_are_each_jobs_error(settings: CommonSettings) -> None:
    workers = WorkerJobs(JOBS, settings, break_warm)
    try:
        for number in (1, 2):
            workers.start(TASK, Job(f"j{number}", "double", {"number": number}), utc_now())
        errors = [end.error for end in _ends(workers, 2)]
    finally:
        workers.stop()

    assert errors == ["its worker process ended with status 1"] * 2


def test_a_nursery_that_was_killed_takes_its_workers_along_and_another_takes_the_next_job(warmed: WorkerJobs) -> None:
    warmed.prepare()
    warmed.start(TASK, Job("j1", "prepared", {}), utc_now())
    (first,) = _results(_ends(warmed, 1))
    warmed.start(TASK, Job("j2", "hang", {}), utc_now())

    os.kill(int(first["warm"]), signal.SIGKILL)
    warmed.start(TASK, Job("j3", "prepared", {}), utc_now())

    _, hung, third = _ends(warmed, 3)
    assert hung.error == "its worker process ended with status -9"
    assert third.result is not None
    assert third.result["warm"] != first["warm"]


def hold_a_job(told: Connection, folder: Path) -> None:
    workers = WorkerJobs(JOBS, CommonSettings(bootstrap_servers="127.0.0.1:1", data_dir=folder), mark_warm)
    workers.start(TASK, Job("j1", "prepared", {}), utc_now())
    nursery = psutil.Process(int(_results(_ends(workers, 1))[0]["warm"]))
    workers.start(TASK, Job("j2", "hang", {}), utc_now())
    while not (children := nursery.children()):
        os.sched_yield()
    told.send_bytes(msgspec.json.encode([nursery.pid, *(child.pid for child in children)]))
    signal.pause()


def test_a_service_that_was_killed_leaves_neither_nursery_nor_worker_behind(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    told, tells = context.Pipe()
    service = context.Process(target=hold_a_job, args=(tells, tmp_path))
    service.start()
    assert told.poll(60.0)
    left = [psutil.Process(pid) for pid in msgspec.json.decode(told.recv_bytes(), type=list[int])]

    service.kill()
    service.join()

    _, living = psutil.wait_procs(left, timeout=30.0)
    assert (len(left), living) == (2, [])


def test_a_worker_takes_one_job_after_another_and_tells_each_end_until_it_is_forgotten(spawned: WorkerJobs) -> None:
    for number in (1, 2, 2):
        spawned.start(TASK, Job(f"j{number}", "double", {"number": number}), utc_now())

    ends = _ends(spawned, 2)
    again = spawned.finished(utc_now())
    spawned.forget(ends)

    results = [end.result or {} for end in ends]
    assert [(end.job, end.error) for end in ends] == [("j1", None), ("j2", None)]
    assert [result["answer"] for result in results] == [2, 4]
    assert results[0]["pid"] == results[1]["pid"] != os.getpid()
    assert again == ends
    assert spawned.finished(utc_now()) == []


def test_a_job_that_raises_overruns_or_dies_ends_with_its_error_and_the_next_one_runs(workers: WorkerJobs) -> None:
    workers.start(TASK, Job("j1", "fail", {}), utc_now())
    workers.start(TASK, Job("j2", "hang", {}, timeout_seconds=0.1), utc_now())
    workers.start(TASK, Job("j3", "die", {}), utc_now())
    workers.start(TASK, Job("j4", "double", {"number": 4}), utc_now())

    ends = _ends(workers, 4)

    assert [end.error for end in ends] == [
        "ValueError: no such number",
        "stopped after 0.1 s",
        "its worker process ended with status -9",
        None,
    ]


def test_an_urgent_job_queues_behind_no_other_and_its_worker_ends_with_it(workers: WorkerJobs) -> None:
    workers.start(TASK, Job("long", "hang", {}), utc_now())
    workers.start(TASK, Job("next", "double", {"number": 1}), utc_now())
    workers.start(TASK, Job("urgent", "double", {"number": 2}, urgent=True), utc_now())

    (urgent,) = _ends(workers, 1)

    assert (urgent.job, urgent.error) == ("urgent", None)
    workers.forget([urgent])
    assert workers.finished(utc_now()) == []
    assert not psutil.pid_exists((urgent.result or {})["pid"])


def test_an_urgent_job_takes_a_free_worker_before_those_that_wait(workers: WorkerJobs) -> None:
    for name in ("j1", "j2"):
        workers.start(TASK, Job(name, "double", {"number": 1}), utc_now())
    for name in ("urgent 1", "urgent 2"):
        workers.start(TASK, Job(name, "double", {"number": 2}, urgent=True), utc_now())

    ends = [end.job for end in _ends(workers, 4)]

    assert ends.index("urgent 2") < ends.index("j2")


def test_the_jobs_of_a_task_that_went_elsewhere_are_stopped(workers: WorkerJobs) -> None:
    workers.start(TASK, Job("j1", "hang", {}), utc_now())

    workers.cancel(TASK)
    workers.start(TASK, Job("j2", "double", {"number": 1}), utc_now())

    assert [end.job for end in _ends(workers, 1)] == ["j2"]


def test_a_result_that_no_record_can_carry_is_the_jobs_error_and_not_the_services(workers: WorkerJobs) -> None:
    workers.start(TASK, Job("j1", "overflow", {}), utc_now())
    workers.start(TASK, Job("j2", "misshape", {}), utc_now())

    large, shapeless = _ends(workers, 2)

    refuse_too_large([NewRecord("job-results", b"", encode(large))], {})
    assert "bytes; at most" in str(large.error)
    assert "object" in str(shapeless.error)
    assert "worker process" not in str(shapeless.error)


def test_a_worker_that_dies_before_it_takes_a_job_fails_that_job_alone(tmp_path: Path) -> None:
    settings = CommonSettings(bootstrap_servers="127.0.0.1:1", data_dir=tmp_path, kafka_client="none")
    workers = WorkerJobs({"double": double}, settings)
    try:
        workers.start(TASK, Job("j1", "double", {"number": 1, "large": "x" * 1_000_000}), utc_now())
        (end,) = _ends(workers, 1)
    finally:
        workers.stop()

    assert "its worker process ended with status 1" in str(end.error)


def test_a_worker_that_has_been_idle_for_long_is_ended_and_a_new_one_takes_the_next_job(spawned: WorkerJobs) -> None:
    spawned.idle_seconds = 0.0
    pids = []
    for number in range(2):
        spawned.start(TASK, Job(f"job-{number}", "double", {"number": number}, 60.0), utc_now())
        ended = _ends(spawned, 1)
        spawned.forget(ended)
        pids.append(ended[0].result["pid"] if ended[0].result else 0)

    assert 0 not in pids
    assert pids[0] != pids[1]
    assert not psutil.pid_exists(pids[0])
