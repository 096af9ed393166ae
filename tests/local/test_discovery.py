from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeostat.local.discovery import (
    Claim,
    environment_of,
    is_running,
    kafka_environment,
    last_urls_of,
    starting_of,
    urls_of,
)
from homeostat.local.errors import StackInUse
from shared.errors import Misconfigured


def test_a_folder_with_a_running_stack_is_refused_by_the_process_that_holds_it(tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    claim.announce({}, {})

    with pytest.raises(StackInUse, match=rf"already runs on {tmp_path} \(process {os.getpid()}\)"):
        Claim(tmp_path)
    claim.release()


def test_a_stack_is_found_by_its_folder_while_it_runs(tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    claim.announce({"gateway": "http://127.0.0.1:1"}, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2"})

    assert is_running(tmp_path)
    assert urls_of(tmp_path) == {"gateway": "http://127.0.0.1:1"}
    assert environment_of(tmp_path) == {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2"}

    claim.release()
    assert not is_running(tmp_path)
    assert environment_of(tmp_path) == {}
    assert urls_of(tmp_path) == {}
    assert last_urls_of(tmp_path) == {"gateway": "http://127.0.0.1:1"}


def test_a_stack_that_starts_says_what_it_waits_for_and_cannot_be_reached_yet(tmp_path: Path) -> None:
    claim = Claim(tmp_path)
    before = starting_of(tmp_path)
    claim.announce({"gateway": "http://127.0.0.1:1"}, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2"}, ["kafka", "monitor"])

    assert (before, starting_of(tmp_path)) == ("starting", "starting: waiting for kafka, monitor")
    assert last_urls_of(tmp_path) == {"gateway": "http://127.0.0.1:1"}
    with pytest.raises(Misconfigured, match="starting: waiting for kafka, monitor"):
        kafka_environment(tmp_path, {})

    claim.announce({}, {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2"})
    assert starting_of(tmp_path) == ""
    assert kafka_environment(tmp_path, {}) == {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:2"}

    claim.release()
    assert starting_of(tmp_path) == ""


def test_what_a_killed_stack_left_is_taken_over(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        Claim(tmp_path).announce({"gateway": "gone"}, {"KAFKA_BOOTSTRAP_SERVERS": "gone"})
        os._exit(9)
    os.waitpid(pid, 0)

    assert (tmp_path / "stack.json").exists()
    assert environment_of(tmp_path) == {}
    Claim(tmp_path).release()
