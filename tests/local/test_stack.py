from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from homeostat.local.discovery import environment_of
from homeostat.local.errors import PartFailed, PortInUse, StackInUse
from homeostat.local.kafka import kafka_answers
from homeostat.local.own_log import keep_own_log
from homeostat.local.redis import redis_answers
from homeostat.local.stack import Stack, StackSettings, stack_settings
from homeostat.local.waiting import wait_for
from shared.errors import Misconfigured

MLFLOW_ELSEWHERE = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}

_PARENT = """
import os, sys
from dataclasses import replace
from pathlib import Path
from homeostat.local.stack import Stack, stack_settings
stack = Stack(replace(stack_settings(Path(sys.argv[1]), 0, os.environ), services=()))
stack.start()
print(stack.pid("kafka"), stack.pid("redis"), flush=True)
sys.stdin.read()
"""

_WAITING = """
import os, sys
from pathlib import Path
from homeostat.local.stack import Stack, stack_settings
try:
    with Stack(stack_settings(Path(sys.argv[1]), 0, os.environ)):
        print("waits", flush=True)
        sys.stdin.readline()
        print("went on")
except KeyboardInterrupt:
    print("in order")
"""


def _servers_alone(data: Path) -> StackSettings:
    return replace(stack_settings(data, 0, {**os.environ, **MLFLOW_ELSEWHERE}), services=())


def _port(address: str) -> int:
    return int(address.removesuffix("/0").rsplit(":", 1)[1])


@pytest.mark.kafka
def test_a_stack_is_up_after_start_found_by_its_folder_and_gone_after_stop(tmp_path: Path) -> None:
    lines: list[str] = []
    with Stack(_servers_alone(tmp_path)) as stack:
        stack.start(lines.append)

        urls = stack.urls
        found = environment_of(tmp_path)
        assert kafka_answers(_port(urls["kafka"]))
        assert redis_answers(_port(urls["redis"]))
        assert found["KAFKA_BOOTSTRAP_SERVERS"] == urls["kafka"]
        assert stack.api_key in lines[0]
        assert not any(stack.api_key in value for value in found.values())
        with pytest.raises(StackInUse):
            Stack(_servers_alone(tmp_path)).start()
        assert kafka_answers(_port(urls["kafka"]))

    assert not kafka_answers(_port(urls["kafka"]))
    assert not redis_answers(_port(urls["redis"]))
    assert environment_of(tmp_path) == {}


@pytest.mark.kafka
def test_a_killed_broker_comes_back_on_its_port(tmp_path: Path) -> None:
    with Stack(_servers_alone(tmp_path)) as stack:
        stack.start()
        before = stack.pid("kafka")

        stack.kill("kafka")

        assert wait_for(lambda: stack.pid("kafka") not in (None, before) and stack.status["kafka"].phase == "ready", 60)
        assert kafka_answers(_port(stack.urls["kafka"]))


@pytest.mark.kafka
def test_nothing_survives_a_stack_that_was_killed(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **MLFLOW_ELSEWHERE},
    )
    assert parent.stdout
    pids = [int(word) for word in parent.stdout.readline().split()]
    assert len(pids) == 2
    assert all(psutil.pid_exists(pid) for pid in pids)

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    assert wait_for(lambda: not any(_alive(pid) for pid in pids), 10)


@pytest.mark.parametrize(
    ("ignored", "sent", "ended"),
    [
        ("INT", signal.SIGINT, "in order"),
        ("INT", signal.SIGTERM, "in order"),
        ("QUIT", signal.SIGHUP, "in order"),
        ("HUP", signal.SIGHUP, "went on"),
    ],
    ids=["ctrl-C in the background", "kill in the background", "terminal closed", "terminal closed under nohup"],
)
def test_what_ends_a_stack_ends_it_in_order(tmp_path: Path, ignored: str, sent: signal.Signals, ended: str) -> None:
    shell = f"trap '' {ignored}; exec \"$@\""  # what a script starts in the background has SIGINT ignored like this
    waiting = subprocess.Popen(
        ["/bin/sh", "-c", shell, "sh", sys.executable, "-c", _WAITING, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout
    assert waiting.stdout.readline() == "waits\n"

    waiting.send_signal(sent)

    assert waiting.communicate(input="\n")[0] == f"{ended}\n"


def test_a_taken_gateway_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    lines: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = replace(_servers_alone(tmp_path), port=other.getsockname()[1])
        with pytest.raises(PortInUse, match=rf"gateway cannot listen on 127.0.0.1:{settings.port}.*--port"):
            Stack(settings).start(lines.append)

    assert not any("started" in line for line in lines)


def test_what_is_no_port_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"gateway cannot listen on port 99999.*--port or HOMEOSTAT_PORT"):
        Stack(replace(_servers_alone(tmp_path), port=99_999)).start()


def test_a_folder_that_cannot_be_made_is_told_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured, match=r"file/data cannot be used \(.*: Not a directory\): choose another"):
        keep_own_log(tmp_path / "file" / "data")


def test_the_port_is_read_from_the_variable_that_the_refusal_names(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        refused = subprocess.run(
            [sys.executable, "-m", "homeostat", "up", "--data", str(tmp_path)],
            env={**os.environ, **MLFLOW_ELSEWHERE, "HOMEOSTAT_PORT": str(port)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert refused.returncode == 1
    assert f"gateway cannot listen on 127.0.0.1:{port}" in refused.stderr
    assert "--port or HOMEOSTAT_PORT" in refused.stderr


def test_a_service_that_cannot_start_ends_the_whole_stack_with_its_log(tmp_path: Path) -> None:
    elsewhere = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9", "REDIS_URL": "redis://127.0.0.1:9"}
    settings = stack_settings(tmp_path, 0, {**os.environ, **MLFLOW_ELSEWHERE, **elsewhere})
    stack = Stack(replace(settings, services=("no_such_service",)))

    with pytest.raises(PartFailed, match=r"(?s)no_such_service\.log.*No module named services\.no_such_service"):
        stack.start()

    assert environment_of(tmp_path) == {}


def test_a_port_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="KAFKA_PORT='ninety'"):
        stack_settings(tmp_path, 8080, {"KAFKA_PORT": "ninety"})


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
