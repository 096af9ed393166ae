from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from homeostat.local.errors import NoSpace, PartFailed
from homeostat.local.guard import Guard
from homeostat.local.parts import Part
from homeostat.local.supervisor import Event, Supervisor
from homeostat.local.waiting import wait_for
from shared.clock import monotonic
from shared.errors import Misconfigured
from tests.local.programs import part


@contextmanager
def _supervised(
    *parts: Part, on_event: Callable[[Event], None] = lambda _: None, logs_every: float = 60.0
) -> Iterator[Supervisor]:
    supervisor = Supervisor(parts, on_event, logs_every=logs_every)
    supervisor.start()
    try:
        yield supervisor
    finally:
        supervisor.stop()


def _runs(pid: int | None) -> bool:
    try:
        os.kill(pid or -1, 0)
    except OSError:
        return False
    return pid is not None


def test_parts_start_when_what_they_need_is_ready(tmp_path: Path, guard: Guard) -> None:
    events: list[Event] = []
    first, second = part("first", tmp_path, guard), part("second", tmp_path, guard, needs=("first",))

    with _supervised(second, first, on_event=events.append) as supervisor:
        supervisor.wait_until_ready(10)

    told = [(event.part, event.phase) for event in events]
    assert told.index(("first", "ready")) < told.index(("second", "starting"))


def test_a_part_may_start_a_while_after_what_it_needs(tmp_path: Path, guard: Guard) -> None:
    times: dict[tuple[str, str], float] = {}
    first = part("first", tmp_path, guard)
    second = part("second", tmp_path, guard, needs=("first",), after_seconds=0.5)

    with _supervised(second, first, on_event=lambda event: times.setdefault((event.part, event.phase), monotonic())):
        assert wait_for(lambda: ("second", "ready") in times, 10)

    assert times["second", "starting"] - times["first", "ready"] >= 0.5


def test_a_killed_part_runs_again_and_its_restart_is_told(tmp_path: Path, guard: Guard) -> None:
    events: list[Event] = []
    with _supervised(part("only", tmp_path, guard), on_event=events.append) as supervisor:
        supervisor.wait_until_ready(10)
        before = supervisor.pid("only")

        supervisor.kill("only")
        wait_for(lambda: supervisor.pid("only") not in (None, before) and supervisor.is_ready("only"), 10)

        assert supervisor.is_ready("only")
        assert supervisor.pid("only") != before
    assert any("ended by SIGKILL (crash 1)" in event.what for event in events)


def test_a_restart_on_request_is_not_a_crash_and_says_who_asked(tmp_path: Path, guard: Guard) -> None:
    events: list[Event] = []
    with _supervised(part("only", tmp_path, guard), on_event=events.append) as supervisor:
        supervisor.wait_until_ready(10)

        supervisor.restart("only", "a test wants it")
        wait_for(lambda: supervisor.status()["only"].starts == 2 and supervisor.is_ready("only"), 10)

        assert supervisor.status()["only"].restarts == 0
        assert supervisor.status()["only"].starts == 2
    assert "stopping: a test wants it" in [event.what for event in events]


def test_a_part_can_be_added_and_taken_away(tmp_path: Path, guard: Guard) -> None:
    with _supervised(part("only", tmp_path, guard)) as supervisor:
        supervisor.add(part("more", tmp_path, guard))
        assert wait_for(lambda: supervisor.is_ready("more"), 10)
        pid = supervisor.pid("more")

        supervisor.remove("more")

        assert wait_for(lambda: "more" not in supervisor.status(), 10)
        assert not _runs(pid)


def test_a_part_that_keeps_ending_at_the_start_is_an_error_with_its_last_words(tmp_path: Path, guard: Guard) -> None:
    broken = part("broken", tmp_path, guard, "echo the disk is upside down; rm -f broken.ready; exit 3")
    broken.ready = lambda: False

    with (
        _supervised(broken) as supervisor,
        pytest.raises(PartFailed, match=r"(?s)broken ended by itself 3 times.*broken\.log.*upside down"),
    ):
        supervisor.wait_until_ready(20)


def test_what_a_launch_raises_reaches_whoever_waits(tmp_path: Path, guard: Guard) -> None:
    full = part("full", tmp_path, guard)

    def launch() -> None:
        raise NoSpace("the disk is full")

    full.launch = launch
    with _supervised(full) as supervisor, pytest.raises(NoSpace, match="the disk is full"):
        supervisor.wait_until_ready(10)


def test_nobody_waits_for_a_part_that_is_not_awaited(tmp_path: Path, guard: Guard) -> None:
    late = part("late", tmp_path, guard, awaited=False)
    late.ready = lambda: False

    with _supervised(part("only", tmp_path, guard), late) as supervisor:
        supervisor.wait_until_ready(10)

        assert not supervisor.is_ready("late")


def test_a_stop_ends_even_what_does_not_listen_and_its_children(tmp_path: Path, guard: Guard) -> None:
    deaf = part("deaf", tmp_path, guard, f"trap '' TERM; sleep 600 & echo $! > {tmp_path}/grandchild; sleep 600")
    with _supervised(deaf) as supervisor:
        supervisor.wait_until_ready(10)
        pid = supervisor.pid("deaf")
        assert wait_for((tmp_path / "grandchild").exists, 5)

    assert not _runs(pid)
    assert wait_for(lambda: not _runs(int((tmp_path / "grandchild").read_text())), 5)


@pytest.mark.parametrize("raised", [BrokenPipeError("the terminal is closed"), SystemExit(1)], ids=repr)
def test_a_closed_terminal_does_not_end_the_watch(tmp_path: Path, guard: Guard, raised: BaseException) -> None:
    def told(_: Event) -> None:
        raise raised

    with _supervised(part("only", tmp_path, guard), on_event=told) as supervisor:
        supervisor.wait_until_ready(10)
        supervisor.kill("only")

        assert wait_for(lambda: supervisor.status()["only"].starts == 2 and supervisor.is_ready("only"), 10)


def test_a_part_that_cannot_be_asked_leaves_the_others_watched(
    tmp_path: Path, guard: Guard, caplog: pytest.LogCaptureFixture
) -> None:
    mute = part("mute", tmp_path, guard, awaited=False)

    def ready() -> bool:
        raise ValueError("no such socket")

    mute.ready = ready
    with _supervised(mute, part("other", tmp_path, guard)) as supervisor:
        supervisor.wait_until_ready(10)
        supervisor.kill("other")

        assert wait_for(lambda: supervisor.status()["other"].starts == 2 and supervisor.is_ready("other"), 10)
        assert not supervisor.is_ready("mute")
    assert [record.getMessage() for record in caplog.records if "mute" in record.getMessage()] == [
        "mute: ValueError('no such socket')"
    ]


def test_a_part_that_writes_without_end_has_a_bounded_log(tmp_path: Path, guard: Guard) -> None:
    script = "head -c 6000000 /dev/zero; while :; do echo after; sleep 0.05; done"
    chatty = part("chatty", tmp_path, guard, script)
    log = tmp_path / "chatty.log"

    with _supervised(chatty, logs_every=0.0) as supervisor:
        supervisor.wait_until_ready(10)

        assert wait_for((tmp_path / "chatty.old.log").exists, 10)
        assert wait_for(lambda: log.stat().st_size < 5_000_000 and log.read_bytes().endswith(b"after\n"), 10)
    assert (tmp_path / "chatty.old.log").stat().st_size > 5_000_000


def test_an_unknown_part_is_an_error_that_names_the_known(tmp_path: Path, guard: Guard) -> None:
    with _supervised(part("only", tmp_path, guard)) as supervisor, pytest.raises(Misconfigured, match="it has only"):
        supervisor.restart("lonely")


def test_servers_end_after_the_services_that_use_them(tmp_path: Path, guard: Guard) -> None:
    log = tmp_path / "order"
    script = "trap 'echo {0} >> " + str(log) + "; exit 0' TERM; while :; do sleep 0.05; done"
    kafka = part("kafka", tmp_path, guard, script.format("kafka"))
    ingest = part("ingest", tmp_path, guard, script.format("ingest"), needs=("kafka",))

    with _supervised(kafka, ingest) as supervisor:
        supervisor.wait_until_ready(10)
        os.kill(supervisor.pid("ingest") or 0, signal.SIGCONT)

    assert log.read_text().split() == ["ingest", "kafka"]
