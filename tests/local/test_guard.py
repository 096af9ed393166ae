from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from homeostat.local.waiting import wait_for

_PARENT = """
import os, sys
from pathlib import Path
from homeostat.local.guard import Guard
from homeostat.local.process import Child
folder = Path(sys.argv[1])
guard = Guard()
for name in ("ended", "left"):
    child = Child(name, folder / f"{name}.log", guard)
    child.start(["/bin/sh", "-c", "sleep 600 & echo $! > " + name + ".grandchild; wait"], os.environ, cwd=folder)
    (folder / f"{name}.pid").write_text(str(child.pid))
    if name == "ended":
        child.stop()
print("up", flush=True)
sys.stdin.read()
"""


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_what_a_killed_process_started_is_killed_with_it_children_of_children_too(tmp_path: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout
    assert parent.stdout.readline() == "up\n"
    assert wait_for((tmp_path / "left.grandchild").exists, 5)
    pids = [int((tmp_path / name).read_text()) for name in ("left.pid", "left.grandchild")]
    assert all(_runs(pid) for pid in pids)

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    assert wait_for(lambda: not any(_runs(pid) for pid in pids), 5)
