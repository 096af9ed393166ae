"""The faults that a seed draws from, and the plan it draws: what goes wrong, where, when and for how long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from shared.errors import Misconfigured

FaultName = Literal[
    "crash",
    "zombie",
    "away",
    "rebalance",
    "duplicate",
    "conflict",
    "delay",
    "broker-paused",
    "slow-consumer",
    "slow-job",
    "failing-job",
    "jobs-doubled",
    "commands-doubled",
    "results-doubled",
    "model-store-away",
    "redis-away",
    "disk-full",
    "offsets-astray",
    "clock-jump",
    "defined-late",
    "labels-late",
    "labels-early",
    "labels-doubled",
    "labels-corrected",
    "labels-unknown",
    "poison",
    "out-of-order",
    "schema-change",
    "burst",
]
Where = Literal["runtime", "input"]
Point = Literal["idle", "polled", "committing", "committed", "saving"]
POINTS: tuple[Point, ...] = ("idle", "polled", "committing", "committed", "saving")
"""Where a service may die: between two turns, with records in hand, with outputs made and nothing
committed, with all committed and nothing remembered of it, and in the middle of a snapshot."""

SERVICES = ("ingest", "predictor", "monitor", "remediator", "trainer")


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a fault. `traceless`: what the services say must be the same as without it.

    `where`: in what they run on, or in what comes in.
    """

    what: str
    where: Where
    traceless: bool = False


FAULTS: dict[FaultName, About] = {
    "crash": About("a service is killed at a point of its turn and starts from its state", "runtime", traceless=True),
    "zombie": About("a process taken for dead goes on beside the one that took its place", "runtime", traceless=True),
    "away": About("a service is killed and comes back only after a while", "runtime"),
    "rebalance": About("the group takes the partitions away while a batch is in hand", "runtime"),
    "duplicate": About("a client sends the same rows or requests twice", "input", traceless=True),
    "conflict": About("rows are sent again with other values under the same id, and once more as they were", "input"),
    "delay": About("the records of some partitions reach a service late", "runtime"),
    "broker-paused": About("nothing can be read, written or committed for a while", "runtime"),
    "slow-consumer": About("a service stands still while the others go on", "runtime"),
    "slow-job": About("jobs take longer, some longer than they may", "runtime"),
    "failing-job": About("jobs end with an error", "runtime"),
    "jobs-doubled": About("the end of a job is told again, by a process given up", "runtime", traceless=True),
    "commands-doubled": About("orders are there a second time, the old ones too", "runtime"),
    "results-doubled": About("the answer to an order is told again, later", "runtime", traceless=True),
    "model-store-away": About("artefacts can neither be read nor written", "runtime"),
    "redis-away": About("the first snapshot store is away, or has forgotten all", "runtime", traceless=True),
    "disk-full": About("no snapshot can be written, or only a part of one, or other bytes", "runtime", traceless=True),
    "offsets-astray": About(
        "a service is killed, and its group shows it offsets that were never committed", "runtime", traceless=True
    ),
    "clock-jump": About("a service's clock is put forward or back, and right again later", "runtime"),
    "defined-late": About("rows and labels come before their pipeline is defined", "input"),
    "labels-late": About("labels come long after their events", "input"),
    "labels-early": About("labels come before their events", "input"),
    "labels-doubled": About("labels are sent twice", "input"),
    "labels-corrected": About("labels are sent again with another truth", "input"),
    "labels-unknown": About("labels for events that never were", "input"),
    "poison": About("records that are no messages, and rows that break the contract", "input"),
    "out-of-order": About("rows arrive in another order than they happened", "input"),
    "schema-change": About("columns appear, vanish or change their type; the specification is defined anew", "input"),
    "burst": About("ten times the rows at once", "input"),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a plan. `at` and `seconds` in virtual seconds since the start; `skip`: how many
    occasions pass before it strikes; `amount` is its size, in the fault's own measure (0 to 1).
    """

    name: FaultName
    at: float
    seconds: float = 0.0
    service: str = ""
    point: Point = "idle"
    skip: int = 0
    amount: float = 0.0

    def on(self, now: float) -> bool:
        """Whether it is in force."""
        return self.at <= now < self.at + self.seconds


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a seed decides besides its world. `shuffled`: services turn in any order, with batches cut anywhere."""

    seed: int
    faults: tuple[Fault, ...]
    shuffled: bool

    @property
    def traceless(self) -> bool:
        """Whether the services must say what they say without any of these faults."""
        return not self.shuffled and all(FAULTS[fault.name].traceless for fault in self.faults)


def plan_of(seed: int, names: Sequence[str] = (), *, until: float) -> Plan:
    """The seed's plan; with `names`, made of these faults alone (each at least once, in any order)."""
    chosen = known(names)
    rng = Random(f"plan/{seed}")
    traceless = rng.random() < 0.4 and not chosen
    shuffled = not traceless and rng.random() < 0.7
    drawn = chosen or list(_any_of(rng, traceless=traceless))
    faults = [fault for name in drawn for fault in _drawn(rng, name, until)]
    return Plan(seed, tuple(sorted(faults, key=lambda fault: fault.at)), shuffled)


def _any_of(rng: Random, *, traceless: bool) -> Iterator[FaultName]:
    """What goes wrong together: only what leaves no trace; else, in two plans of five, only what services run on."""
    without_trace: list[FaultName] = [name for name, about in FAULTS.items() if about.traceless]
    ground: list[FaultName] = [name for name, about in FAULTS.items() if about.where == "runtime"]
    coming_in: list[FaultName] = [name for name, about in FAULTS.items() if about.where == "input"]
    disturbed = 0.0 if traceless or rng.random() < 0.4 else 0.5
    for _ in range(rng.choice((2, 3, 4, 5) if traceless else (4, 5, 6, 8))):
        pool = coming_in + OFTENER_IN if rng.random() < disturbed else ground + OFTENER
        yield rng.choice(without_trace if traceless else pool)


_MOST_KILLS: dict[FaultName, int] = {"crash": 6, "zombie": 6, "rebalance": 6, "away": 3}

OFTENER: list[FaultName] = ["away", "away", "away", "away", "commands-doubled"]
OFTENER_IN: list[FaultName] = ["conflict", "labels-late"]
"""Drawn oftener, since few moments are those in which they do harm."""

NO_FAULTS = Plan(0, (), shuffled=False)


def known(names: Sequence[str]) -> list[FaultName]:
    """The names as fault names; `Misconfigured` says which is none, and which there are."""
    found: list[FaultName] = [name for name in FAULTS if name in names]
    wrong = sorted(set(names) - set(found))
    if wrong:
        raise Misconfigured(f"there is no fault {', '.join(wrong)}; there are {', '.join(FAULTS)}")
    return found


def _drawn(rng: Random, name: FaultName, until: float) -> list[Fault]:
    """One or a few of this fault: kills come in numbers."""
    count = rng.randint(1, _MOST_KILLS.get(name, 1))
    return [_one(rng, name, until) for _ in range(count)]


def _one(rng: Random, name: FaultName, until: float) -> Fault:
    service = rng.choice(SERVICES)
    if name == "clock-jump":
        return Fault(
            name, rng.uniform(3, until), rng.choice((5.0, 30.0)), service, amount=rng.choice((-1, -0.1, 0.1, 1))
        )
    at, seconds = round(rng.uniform(1.0, until), 3), round(rng.uniform(1.0, 12.0), 3)
    return Fault(
        name,
        at=at,
        seconds=until if name in ("commands-doubled", "results-doubled") else seconds,  # orders are few
        service=service,
        point=rng.choice(POINTS),
        skip=rng.choice((0, 0, 1, 2, 5)),
        amount=round(rng.random(), 3),
    )
