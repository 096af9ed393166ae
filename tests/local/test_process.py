from __future__ import annotations

from pathlib import Path

from homeostat.local.guard import Guard
from homeostat.local.process import Child
from homeostat.local.waiting import wait_for


def test_a_child_keeps_its_bytecode_whatever_the_environment_says(tmp_path: Path, guard: Guard) -> None:
    child = Child("shell", tmp_path / "shell.log", guard)

    child.start(
        ["/bin/sh", "-c", 'echo "<$PYTHONDONTWRITEBYTECODE$KEPT>"'], {"PYTHONDONTWRITEBYTECODE": "1", "KEPT": "kept"}
    )

    assert wait_for(lambda: child.exit_status == 0, 10)
    assert child.log.read_text() == "<kept>\n"
    child.kill()
