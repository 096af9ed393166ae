from __future__ import annotations

import os
from pathlib import Path

import pytest

from homeostat.local.discovery import Claim, environment_of, is_running, last_urls_of, urls_of
from homeostat.local.errors import StackInUse


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


def test_what_a_killed_stack_left_is_taken_over(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        Claim(tmp_path).announce({"gateway": "gone"}, {"KAFKA_BOOTSTRAP_SERVERS": "gone"})
        os._exit(9)
    os.waitpid(pid, 0)

    assert (tmp_path / "stack.json").exists()
    assert environment_of(tmp_path) == {}
    Claim(tmp_path).release()
