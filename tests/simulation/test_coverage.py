"""The page that says where each promise and fault is shown names what there is, and leaves nothing out."""

from __future__ import annotations

import re
from pathlib import Path

from homeostat.simulation.faults import FAULTS
from homeostat.simulation.invariants import INVARIANTS

PAGE = Path("docs/faults.md").read_text()
LINES = [line for line in PAGE.splitlines() if re.match(r"\| I?\d", line)]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES]


def _named(text: str) -> set[str]:
    return set(re.findall(r"`([a-z0-9-]+)`", text))


def test_every_promise_and_every_fault_has_a_row_with_a_proof() -> None:
    assert [row[0] for row in ROWS] == [*(f"I{n}" for n in range(1, 13)), *(str(n) for n in range(1, 31))]
    assert [row[0] for row in ROWS if "::" not in row[3]] == []


def test_every_invariant_of_the_simulation_stands_by_a_promise() -> None:
    assert _named("".join(row[2] for row in ROWS[:12])) == set(INVARIANTS)


def test_every_fault_of_the_simulation_stands_by_a_fault() -> None:
    assert _named("".join(row[2] for row in ROWS[12:])) == set(FAULTS)


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE))

    assert {each for each in named if f"def {each[1]}(" not in Path(each[0]).read_text()} == set()
