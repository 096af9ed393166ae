"""Faults of the ground the services stand on, as they strike: asked at every point where one could."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from homeostat.simulation.faults import Fault, FaultName, Plan, Point
from shared.errors import Transient

TopicPartition = tuple[str, int]


BY_A_REPLICA = 0.5
"""Beyond this size of the fault it is a replica that takes the place of a process taken for dead."""


class Crash(BaseException):
    """The process is gone, and what it held in memory is lost. No `except Exception` may take it for an error."""


class Injector:
    """Which faults of the plan are in force now. `now` is in virtual seconds since the start."""

    def __init__(self, plan: Plan) -> None:
        self.now = 0.0
        self.struck: list[str] = []
        self.rng = Random(f"run/{plan.seed}")
        self._plan = plan
        self._left = {index: fault.skip for index, fault in enumerate(plan.faults)}
        self.take_over: Callable[[str, bool], None] = lambda _, __: None
        """Starts another process in place of this service's: told while the old one stands frozen. True: the other is
        one of its replicas, with a slot of its own.
        """

    def active(self, name: FaultName, service: str | None = None) -> Fault | None:
        """The fault of this name that is in force, on this service where one is given."""
        for fault in self._plan.faults:
            if fault.name == name and fault.on(self.now) and service in (None, fault.service):
                return fault
        return None

    def point(self, point: Point, service: str) -> None:
        """Raises `Crash` where a kill of this service is due at this point; where it is only thought
        dead, another takes its place first, and it goes on.
        """
        for fault in self._due(("crash", "zombie"), service, point):
            if fault.name == "crash":
                raise Crash(service)
            self.take_over(service, fault.amount > BY_A_REPLICA)

    def expelled(self, service: str) -> bool:
        """Whether the group takes this service's partitions away now."""
        return any(True for _ in self._due(("rebalance",), service, None))

    def paused(self) -> bool:
        return self.active("broker-paused") is not None

    def stands_still(self, service: str) -> bool:
        """Whether this service takes no turn now."""
        return any(self.active(name, service) is not None for name in ("slow-consumer", "away"))

    def cut(self, most: int) -> int:
        """How many records the next poll may give: fewer now and then, where services turn in any order."""
        return self.rng.choice((1, 3, 10, 50, most)) if self._plan.shuffled else most

    def late(self) -> bool:
        """Whether what topics outside the group hold comes only at the next asking."""
        return not self._plan.traceless and self.rng.random() < 0.5

    def held_back(self, service: str) -> Iterator[int]:
        """The partitions whose records do not reach this service yet."""
        if (fault := self.active("delay", service)) is not None:
            yield from (0, 1) if fault.amount > 0.7 else (int(fault.amount > 0.35),)

    def ground(self, what: str) -> None:
        """Raises `Transient` while nothing can be read or written."""
        if self.paused():
            raise Transient(f"{what}: the broker does not answer")

    def _due(self, names: tuple[FaultName, ...], service: str, point: Point | None) -> Iterator[Fault]:
        for index, fault in enumerate(self._plan.faults):
            if fault.name not in names or fault.service != service or self._left[index] < 0 or self.now < fault.at:
                continue
            if point is not None and fault.point != point:
                continue
            self._left[index] -= 1
            if self._left[index] < 0:
                self.struck.append(f"{fault.name} of {service} at {self.now:g} s, {fault.point}")
                yield fault
                return
