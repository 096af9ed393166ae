"""What a streaming peer, or the loop by hand, is told: where events come from and go, and which model answers."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.opened import FORMS, opened


@dataclass(frozen=True)
class Told:
    """The parts of a command line. `group` is a fresh consumer group."""

    bootstrap: str
    source: str
    target: str
    features: tuple[str, ...]
    probabilities: Callable[[Any], Any]

    @property
    def group(self) -> str:
        """One that has read nothing yet."""
        return f"bench-{time.monotonic_ns()}"

    def one(self, event: dict[str, Any]) -> dict[str, Any]:
        """The answer to one event."""
        return self.many([event])[0]

    def many(self, events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The answers to events that came together: the model is asked once."""
        table = np.array([[event["values"][name] for name in self.features] for event in events], dtype=np.float64)
        scores = self.probabilities(table)[:, -1].tolist()
        return [
            {"id": event["id"], "prediction": int(score > 0.5), "score": score}
            for event, score in zip(events, scores, strict=True)
        ]


def told(about: str | None) -> Told:
    """Of this process's own arguments."""
    arguments = argparse.ArgumentParser(description=about)
    arguments.add_argument("--bootstrap", required=True)
    arguments.add_argument("--source", required=True, help="the topic of events")
    arguments.add_argument("--target", required=True, help="the topic of answers")
    arguments.add_argument("--model", type=Path, required=True, help="a file that names the artefact, as JSON")
    arguments.add_argument("--form", choices=FORMS, required=True)
    given = arguments.parse_args()
    return Told(given.bootstrap, given.source, given.target, *opened(given.model, given.form))
