"""The help of every command reads well on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from typer.main import get_command

from homeostat.cli import app
from shared.topics import BY_NAME
from tests.homeostat.cli.conftest import Call


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield words
    for name, each in getattr(command, "commands", {}).items():
        yield from commands(each, (*words, name))


ALL = sorted(commands(get_command(app)))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_no_line_of_help_ends_before_it_is_full(words: tuple[str, ...], call: Call) -> None:
    shown = call(*words, "--help")

    lines = shown.out.split("╭")[0].splitlines()
    assert shown.status == 0
    for line, following in pairwise(lines):
        if line.strip() and following.strip():
            assert len(line.rstrip()) + 1 + len(following.split()[0]) >= 80, f"{line}\n{following}"


def test_the_help_of_tail_names_every_topic(call: Call) -> None:
    shown = call("tail", "--help").out.replace("│", " ").split()

    assert set(BY_NAME) <= {word.rstrip(",.") for word in shown}
