"""What the inference endpoint may see of the service's state: the newest view, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from services.predictor.core.releases import Live


@dataclass(frozen=True, slots=True)
class View:
    """The live versions by pipeline as of `position` in `model-published`; never changed in place."""

    live: Mapping[str, Live] = field(default_factory=dict)
    pipelines: Set[str] = frozenset()
    position: int = -1


NOTHING_YET = View()


class Board:
    """Where a process's tasks hang up their view, and the endpoint's thread reads it.

    Several tasks follow the same topic at their own pace; a view older than the one that hangs
    there is dropped.
    """

    def __init__(self) -> None:
        self.view = NOTHING_YET

    @property
    def begun(self) -> bool:
        """Whether a task has been at work: before that, nothing is known of any model."""
        return self.view is not NOTHING_YET

    def show(self, view: View) -> None:
        """Hangs up `view`, unless a newer one hangs there."""
        if view.position >= self.view.position:
            self.view = view
