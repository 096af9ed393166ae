"""What can stop the local stack, each with what to do about it."""

from __future__ import annotations

from pathlib import Path

from shared.errors import HomeostatError, Misconfigured


class PortInUse(Misconfigured):
    """Another process listens where a part of the stack wants to."""

    def __init__(self, part: str, port: int, setting: str) -> None:
        super().__init__(
            f"{part} cannot listen on 127.0.0.1:{port}: another process does. "
            f"End that one, or choose another port with {setting}"
        )
        self.port = port


class NoSpace(Misconfigured):
    """The disk has less free space than a part needs, or ran full under it."""


class StackInUse(Misconfigured):
    """Another stack runs on the same data folder."""


class PartFailed(HomeostatError):
    """A part of the stack ended or never answered. `log` is the file that says why."""

    def __init__(self, part: str, what: str, log: Path) -> None:
        super().__init__(f"{part} {what}. Its log is {log}{_last_words(log)}")
        self.part = part
        self.log = log


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, or nothing where there is none."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""


def _last_words(log: Path) -> str:
    words = tail(log)
    return f", which ends with:\n{words}" if words else ""
