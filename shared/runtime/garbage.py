"""How often a process looks for cycles of objects that nobody uses."""

from __future__ import annotations

import gc

_THRESHOLDS = (50_000, 20, 20)
"""New objects before a look. A batch makes thousands that end with it, none of them in a cycle: at Python's own 700 a
predictor spent a fifth of its time on walking through them, and who reads a topic more than half."""


def collect_seldom() -> None:
    """To be called when a process has loaded what it runs with: that is never gone through again."""
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
