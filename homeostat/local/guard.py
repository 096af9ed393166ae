"""Nothing outlives the stack, not even when the stack's own process is killed.

A shell of a few lines holds the reading end of a pipe. When the writing end is gone, because its
process ended in whatever way, it kills every process group that was entered.
"""

from __future__ import annotations

import subprocess
import threading

_SHELL = """
trap '' INT TERM HUP
groups=
while read -r sign group; do
  kept=
  for each in $groups; do [ "$each" = "$group" ] || kept="$kept $each"; done
  groups=$kept
  [ "$sign" = + ] && groups="$groups $group"
done
for each in $groups; do kill -s KILL -- "-$each" 2>/dev/null; done
"""


class Guard:
    """Kills the process groups entered in it when this process is no more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", _SHELL],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def enter(self, group: int) -> None:
        """From now on `group` ends with this process."""
        self._tell(f"+ {group}")

    def leave(self, group: int) -> None:
        """`group` has ended: its number may soon be somebody else's."""
        self._tell(f"- {group}")

    def close(self) -> None:
        """Kills what is still entered, at once."""
        with self._lock:
            if self._shell.stdin and not self._shell.stdin.closed:
                self._shell.stdin.close()
        self._shell.wait()

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._shell.stdin is None or self._shell.stdin.closed:
                return
            self._shell.stdin.write(line + "\n")
            self._shell.stdin.flush()
