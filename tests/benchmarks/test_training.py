"""The training benchmark's stages are functions that the trainer has, and its gate lets every version pass."""

from __future__ import annotations

import pytest

from benchmarks.training import STAGES, shares_of
from tests.support.rules import ROOT

TRAINER = "".join(path.read_text() for path in sorted((ROOT / "services" / "trainer").rglob("*.py")))


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_is_a_function_of_the_trainer(stage: str) -> None:
    assert f"def {stage}(" in TRAINER


def test_shares_are_of_the_whole() -> None:
    assert shares_of({"fit": 1.0, "": 4.0}, 4.0) == {"fit": 0.25, "": 1.0}
