"""What can stop the local stack, each with what to do about it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from shared.errors import HomeostatError, Misconfigured


class Taken(NamedTuple):
    """A port that a part wants and another process has, and the setting that names it."""

    part: str
    port: int
    setting: str


class PortInUse(Misconfigured):
    """Other processes listen where parts of the stack want to: all of `taken`. `instead`: settings that would do."""

    def __init__(self, *taken: Taken, instead: str = "") -> None:
        one = len(taken) == 1
        where = ", ".join(f"{each.part} cannot listen on 127.0.0.1:{each.port}" for each in taken)
        who = "another process does. End that one" if one else "other processes do, perhaps another stack. End them"
        what = "another port" if one else "other ports"
        settings = ", ".join(dict.fromkeys(each.setting for each in taken))
        super().__init__(f"{where}: {who}, or choose {what} with {settings}{instead}")
        self.taken = taken


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
