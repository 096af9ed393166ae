"""The loop, the journal and the recovery, on the log in memory."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from shared.messages import JobFinished
from shared.runtime import JobContext, Task
from shared.runtime.memory import MemoryRuntime
from shared.settings import CommonSettings
from shared.state import MemoryStore
from shared.topics import (
    COMMAND_RESULTS,
    COMMANDS,
    DEAD_LETTERS,
    FEATURES,
    JOB_RESULTS,
    PIPELINES,
    PREDICTIONS,
    STEPS,
    TELEMETRY,
)
from tests.shared.runtime.counting import JOBS, Counter, Worker, event, order, pipeline


def _counting(**options: object) -> MemoryRuntime:
    return MemoryRuntime({"predictor": Counter}, **options)  # type: ignore[arg-type]


def _working(**options: object) -> MemoryRuntime:
    return MemoryRuntime({"trainer": Worker}, jobs={"trainer": JOBS}, **options)  # type: ignore[arg-type]


def _counted(runtime: MemoryRuntime, *, ticks_since: int = 0) -> list[tuple[int, int]]:
    """(events, ticks) that each task has seen."""
    services = [runtime.service("predictor", partition) for partition in range(4)]
    return [(service.count, service.ticks - ticks_since) for service in services]  # type: ignore[attr-defined]


def _by_partition(runtime: MemoryRuntime) -> dict[int, list[object]]:
    found: dict[int, list[object]] = {}
    for answer in runtime.messages(PREDICTIONS):
        found.setdefault(answer.origin[0], []).append(answer.prediction)
    return found


def test_every_event_is_answered_once_and_counted_in_its_partition() -> None:
    runtime = _counting()
    for number in range(100):
        runtime.put(FEATURES, event(number))

    runtime.run_until_idle()

    assert sorted(int(answer.id) for answer in runtime.messages(PREDICTIONS)) == list(range(100))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in _by_partition(runtime).values())


def test_a_task_takes_the_pipelines_that_are_there_before_any_event() -> None:
    few = CommonSettings(bootstrap_servers="memory", data_dir=Path("none"), batch_records=2)
    runtime = _counting(settings=few)
    for number in range(5):
        runtime.put(FEATURES, event(number))
        runtime.put(PIPELINES, pipeline(f"p{number}"))

    runtime.run_until_idle()

    assert {answer.model_version for answer in runtime.messages(PREDICTIONS)} == {"5"}


def test_a_service_that_crashes_after_each_event_counts_as_one_that_never_did() -> None:
    runtime = _counting()
    for number in range(60):
        runtime.put(FEATURES, event(number))
        runtime.advance(0.4)
        runtime.crash("predictor")

    runtime.run_until_idle()

    assert sorted(int(answer.id) for answer in runtime.messages(PREDICTIONS)) == list(range(60))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in _by_partition(runtime).values())


def test_state_is_rebuilt_from_the_journal_alone_when_every_snapshot_is_lost() -> None:
    store = MemoryStore()
    runtime = _counting(stores=[store])
    for number in range(50):
        runtime.put(FEATURES, event(number))
        runtime.advance(1.0)
    before = _counted(runtime)

    store.saved.clear()
    runtime.crash("predictor")
    runtime.run_until_idle()

    assert _counted(runtime, ticks_since=1) == before  # it ticks when it starts


class _Slow(MemoryStore):
    """Lets something happen while the first task's snapshot is on its way."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], None] | None = None

    def waits(self) -> bool:
        return self.meanwhile is not None

    def save(self, name: str, data: bytes) -> None:
        super().save(name, data)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()


def test_a_process_that_lost_its_tasks_while_it_saved_them_leaves_no_snapshot_that_hides_later_steps() -> None:
    store = _Slow()
    runtime = _counting(stores=[store])
    for number in range(40):
        runtime.put(FEATURES, event(number))
    runtime.run_until_idle()
    runtime.advance(20.0)

    def another_takes_over() -> None:
        runtime.crash("predictor")
        for number in range(40, 80):
            runtime.put(FEATURES, event(number))
        runtime.run_until_idle()

    store.meanwhile = another_takes_over
    while store.waits():
        runtime.advance(1.0)
    runtime.crash("predictor")
    runtime.run_until_idle()

    assert sum(count for count, _ in _counted(runtime)) == 80
    assert len(runtime.messages(PREDICTIONS)) == 80


def test_a_corrupt_snapshot_is_passed_over() -> None:
    store = MemoryStore()
    runtime = _counting(stores=[store])
    for number in range(50):
        runtime.put(FEATURES, event(number))
        runtime.advance(1.0)
    before = _counted(runtime)

    store.saved = {name: data[:-1] + b"?" for name, data in store.saved.items()}
    runtime.crash("predictor")
    runtime.run_until_idle()

    assert len(store.saved) == 4
    assert _counted(runtime, ticks_since=1) == before  # it ticks when it starts


def test_what_cannot_be_decoded_becomes_a_dead_letter_with_its_bytes_and_the_rest_goes_on() -> None:
    runtime = _counting()
    runtime.put(FEATURES, event(1, "a"))
    runtime.put_bytes(FEATURES, b'{"pipeline": "p", "id": "broken"}', key="a")
    runtime.put_bytes(FEATURES, b"\xff no json", key="a")
    runtime.put(FEATURES, event(2, "a"))

    runtime.run_until_idle()

    letters = runtime.messages(DEAD_LETTERS)
    assert [answer.prediction for answer in runtime.messages(PREDICTIONS)] == [1, 2]
    assert [letter.value for letter in letters] == [b'{"pipeline": "p", "id": "broken"}', b"\xff no json"]
    assert [(letter.reason, letter.offset, letter.id) for letter in letters] == [
        ("malformed", 1, "broken"),
        ("not-json", 2, None),
    ]


def test_events_a_handler_refuses_are_singled_out_and_leave_no_trace_in_the_state() -> None:
    runtime = _counting()
    for number in range(20):
        spoiled = {4: {"poison": 1}, 11: {"bug": 1}}.get(number, {})
        runtime.put(FEATURES, event(number, "a", **spoiled))

    runtime.run_until_idle()

    letters = {letter.id: letter.reason for letter in runtime.messages(DEAD_LETTERS)}
    assert letters == {"4": "test", "11": "handler-failed"}
    assert [answer.prediction for answer in runtime.messages(PREDICTIONS)] == list(range(1, 19))


def test_a_step_with_refused_events_is_replayed_to_the_same_state() -> None:
    store = MemoryStore()
    runtime = _counting(stores=[store])
    for number in range(20):
        runtime.put(FEATURES, event(number, "a", **({"poison": 1} if number in (4, 19) else {})))
    runtime.run_until_idle()
    store.saved.clear()

    runtime.crash("predictor")
    runtime.put(FEATURES, event(20, "a"))
    runtime.run_until_idle()

    assert len(runtime.messages(DEAD_LETTERS)) == 2
    assert [answer.prediction for answer in runtime.messages(PREDICTIONS)] == list(range(1, 20))


def test_a_transient_failure_is_repeated_until_it_passes_and_others_go_on_meanwhile() -> None:
    away = {"3"}
    runtime = MemoryRuntime({"predictor": lambda task: Counter(task, away)})
    for number in range(14):
        runtime.put(FEATURES, event(number))
    runtime.run_until_idle()
    partition_of_3 = {answer.entity for answer in runtime.messages(PREDICTIONS)}
    answered = len(runtime.messages(PREDICTIONS))

    away.clear()
    runtime.advance(30.0)

    assert 0 < answered < 14
    assert "e3" not in partition_of_3
    assert sorted(int(answer.id) for answer in runtime.messages(PREDICTIONS)) == list(range(14))
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in _by_partition(runtime).values())


def test_a_task_that_starts_again_reads_what_all_read_from_its_own_place_and_no_other_reads_it_twice() -> None:
    away = {"3"}
    runtime = MemoryRuntime({"predictor": lambda task: Counter(task, away)})
    runtime.put(FEATURES, event(3))
    for number in range(6):
        runtime.put(PIPELINES, pipeline(f"p{number}"))
        runtime.advance(1.0)

    away.clear()
    runtime.advance(30.0)

    seen = [runtime.service("predictor", partition).pipelines for partition in range(4)]  # type: ignore[attr-defined]
    assert seen == [[f"p{number}" for number in range(6)]] * 4


def test_a_second_end_of_the_same_job_is_not_delivered() -> None:
    runtime = _working()
    runtime.put(COMMANDS, order("c1", "double", number=1))
    runtime.run_until_idle()

    runtime.put(JOB_RESULTS, runtime.messages(JOB_RESULTS)[0])
    runtime.run_until_idle()

    assert len(runtime.messages(JOB_RESULTS)) == 2
    assert len(runtime.messages(COMMAND_RESULTS)) == 1
    assert runtime.messages(DEAD_LETTERS) == []


def test_a_job_whose_end_stands_in_the_log_is_not_started_again_after_a_crash() -> None:
    started: list[int] = []

    def noted(arguments: dict[str, Any], context: JobContext) -> dict[str, Any]:
        started.append(arguments["number"])
        return {"answer": 0}

    runtime = MemoryRuntime({"trainer": Worker}, jobs={"trainer": {"noted": noted}}, job_seconds=lambda _: 60.0)
    runtime.put(COMMANDS, order("c1", "noted", number=1))
    runtime.advance(2.0)
    runtime.crash("trainer")
    ended = JobFinished(
        task="trainer", service="trainer", job="c1", name="noted", at=runtime.now, seconds=1.0, result={}
    )
    runtime.put(JOB_RESULTS, ended)
    runtime.advance(90.0)

    assert started == [1]
    assert len(runtime.messages(COMMAND_RESULTS)) == 1


def test_a_task_that_keeps_failing_is_tried_less_and_less_often() -> None:
    tried: list[str] = []

    def make(task: Task) -> Counter:
        tried.append(task.name)
        return Counter(task, {"3"})

    runtime = MemoryRuntime({"predictor": make})
    runtime.put(FEATURES, event(3))
    runtime.advance(120.0, by=0.1)

    assert 10 < len(tried) < 30


def test_a_job_comes_back_after_its_time_and_once() -> None:
    runtime = _working(job_seconds=lambda _: 60.0)
    runtime.put(COMMANDS, order("c1", "double", number=21))
    runtime.advance(59.0)
    early = runtime.messages(COMMAND_RESULTS)

    runtime.advance(10.0)

    assert early == []
    assert [(result.state, result.detail) for result in runtime.messages(COMMAND_RESULTS)] == [("succeeded", "42")]


def test_a_job_that_fails_or_runs_too_long_comes_back_with_its_error() -> None:
    runtime = _working(job_seconds=lambda _: 5.0)
    runtime.put(COMMANDS, order("c1", "fail"))
    runtime.put(COMMANDS, order("c2", "double", number=1, timeout=2.0))

    runtime.advance(10.0)

    details = sorted(result.detail for result in runtime.messages(COMMAND_RESULTS))
    assert details == ["ValueError: no such number", "stopped after 2 s"]


def test_a_job_that_was_pending_at_a_crash_runs_again_and_one_that_ended_does_not() -> None:
    runtime = _working(job_seconds=lambda _: 60.0)
    runtime.put(COMMANDS, order("c1", "double", number=1))
    runtime.advance(30.0)
    runtime.crash("trainer")
    runtime.advance(45.0)
    between = len(runtime.messages(JOB_RESULTS))

    runtime.advance(30.0)
    runtime.crash("trainer")
    runtime.advance(90.0)

    assert between == 0
    assert len(runtime.messages(JOB_RESULTS)) == 1
    assert len(runtime.messages(COMMAND_RESULTS)) == 1


def test_control_messages_carry_cloudevents_and_every_message_a_trace() -> None:
    runtime = _working()
    runtime.put(COMMANDS, order("c1", "double", number=1))

    runtime.run_until_idle()

    headers = dict(runtime.records(COMMAND_RESULTS)[0].headers)
    assert headers["ce_type"] == b"io.homeostat.command.result"
    assert headers["ce_source"] == b"/homeostat/trainer"
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_id"].startswith(b"trainer/")
    assert len(headers["traceparent"]) == 55


def test_the_same_calls_give_the_same_bytes() -> None:
    def story() -> list[bytes]:
        runtime = _counting()
        for number in range(40):
            runtime.put(FEATURES, event(number))
            runtime.advance(0.7)
        return [msgspec.json.encode([record.value.decode(), str(record.headers)]) for record in runtime.records(STEPS)]

    assert story() == story()


def test_each_service_beats_about_every_two_seconds_with_its_totals() -> None:
    runtime = _counting()
    runtime.put(FEATURES, event(1))
    runtime.advance(10.0)

    beats = runtime.messages(TELEMETRY)

    assert 5 <= len(beats) <= 7
    assert beats[-1].records_in == 1
    assert beats[-1].at - beats[-2].at == timedelta(seconds=2)


def test_what_a_service_published_is_measured_once_it_is_committed() -> None:
    runtime = _counting()
    for number in range(5):
        runtime.put(FEATURES, event(number))

    runtime.run_until_idle()

    text = runtime.meters("predictor").text().decode()
    assert 'homeostat_predictions_total{model_version="0",pipeline="p",service="predictor"} 5.0' in text
    assert 'homeostat_tasks{service="predictor"} 4.0' in text


def test_a_clock_that_was_put_back_stops_neither_ticks_nor_pulses() -> None:
    runtime = _counting()
    runtime.skew["predictor"] = timedelta(hours=1)
    runtime.advance(3)
    runtime.skew.clear()
    before = len(runtime.records(TELEMETRY))

    runtime.advance(6)

    assert len(runtime.records(TELEMETRY)) - before >= 3
