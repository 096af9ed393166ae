"""What the first model needs is there before it comes."""

from __future__ import annotations

import sys

from services.predictor.warm import LIBRARIES, Warmth


def test_the_libraries_of_the_first_model_are_imported_beside_the_loop() -> None:
    warmth = Warmth()

    warmth.start()
    warmth._thread.join(60)

    assert set(LIBRARIES) <= set(sys.modules)
