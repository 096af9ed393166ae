"""The small world of a seeded run: a pipeline, its rows and labels, and the trouble its data get into.

Everything is made from the seed with the standard library's generator, whose numbers are the same on
every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from random import Random
from typing import Any

import msgspec

from homeostat.simulation.asked import SCRIPT, orders, versions
from homeostat.simulation.assembly import REVISION, Knobs
from homeostat.simulation.brought import brought
from homeostat.simulation.rows import A_SECOND, WARM_UP, Kind, Trouble, length_of, row_of, shift_of
from homeostat.simulation.simulation import KEY, START, definition_of, event_of, label_of
from services.ingest.settings import IngestSettings
from services.remediator.core.limits import Limits
from services.remediator.settings import RemediatorSettings, remediator_settings
from services.trainer.settings import TrainerSettings
from shared import codec
from shared.messages import Request
from shared.pipeline.span import Span
from shared.pipeline.specification import Budget, Policy, Specification
from shared.topics import BY_NAME, PIPELINES, RAW_DATA, REQUESTS, Topic

TROUBLES: tuple[Trouble, ...] = ("none", "unit-change", "concept-change", "missing-values", "bad-labels", "person")
KINDS: tuple[Kind, ...] = ("binary", "binary", "regression", "anomaly")
FURTHER: tuple[tuple[Kind, Trouble, int], ...] = (
    ("binary", "noise", 0),
    ("regression", "noise", 1),
    ("binary", "unfair", 1),
    ("binary", "refused-rows", 0),
    ("anomaly", "refused-rows", 0),
    ("binary", "script", 0),
    ("regression", "script", 0),
)
"""Worlds of troubles that not every kind of pipeline can get into, or that need no second data set."""
FURTHER_SHARE = 0.25
"""Of all seeds."""
DATA_SETS = 2
"""Data sets per kind and trouble: few, so that the run without faults is made once for many seeds."""

LABEL_LAG = 2.0

SLICED = 1
"""The data set whose rows come from two shifts, by which answers are told apart."""

STREAM_ENDS = 37.0
"""The virtual second of the last rows: faults begin before."""

SETTLING = 75.0
"""Virtual seconds after the last row, in which every incident must come to its end."""

UPKEEP = "keep-fresh"
COOLDOWN = Span(time=timedelta(seconds=8))
"""Longer than a training takes: one that came to nothing is not followed by another at once."""
BUDGET = Budget(actions=2, per=Span(time=timedelta(minutes=10)))
"""A ladder of four rungs is not climbed to its end."""
PERSON_ACTIONS = 14
"""What people may order in an hour: fewer than a script gone wild asks for."""

_RELEASES: dict[Kind, dict[str, Any]] = {
    "binary": {},
    "regression": {"shadow_rows": 30, "canary": [{"weight": 0.4, "rows": 60}]},
    "anomaly": {},
}
"""Where one kind of pipeline tries its versions in steps, the others let them answer at once. Of five keys, two lie
below the canary's weight.
"""

WATCHED: tuple[Trouble, ...] = ("concept-change", "missing-values")
"""Troubles in one of whose data sets a person approves or rejects what is to be done about them."""

_OTHER: dict[Kind, Kind] = {"binary": "regression", "regression": "binary", "anomaly": "regression"}

_CANDIDATES = {"binary": ("logistic",), "regression": ("ridge",), "anomaly": ("gaussian-mixture",)}


@cache
def knobs(*, upkeep: bool = True, approvals: bool = False) -> Knobs:
    """The services' own settings, with waits of seconds where they are hours live. `upkeep`: models are kept fresh;
    `approvals`: what else changes anything waits for a person.
    """
    limits = Limits(
        wait_within=timedelta(seconds=40),
        approval_within=timedelta(seconds=20),
        request_within=timedelta(seconds=20),
        escalated_within=timedelta(seconds=30),
        tell_after=timedelta(seconds=5),
        person_actions_per_hour=PERSON_ACTIONS,
    )
    usual = [policy for policy in remediator_settings({}).policies if upkeep or policy.name != UPKEEP]
    return Knobs(
        remediator=RemediatorSettings(
            policies=tuple(_hurried(policy, approvals=approvals) for policy in usual), limits=limits
        ),
        trainer=TrainerSettings(code_revision=REVISION, registry=True, register_pause=timedelta(seconds=2)),
        ingest=IngestSettings(archive_rows=400),
    )


def _hurried(policy: Policy, *, approvals: bool) -> Policy:
    within, deadline = timedelta(seconds=30), timedelta(seconds=15)
    ladder = tuple(
        rung.model_copy(update={"verify_within": within, "deadline": deadline, "verify_rows": 40})
        for rung in policy.ladder
    )
    asks = approvals and policy.name not in (UPKEEP, "tell-a-person")
    limits = {"cooldown": COOLDOWN, "budget": BUDGET}
    return policy.model_copy(update={"ladder": ladder, **limits, "approval": asks or policy.approval})


@dataclass(frozen=True, slots=True)
class Input:
    """One record that a client writes: when (virtual seconds since the start), where, and its bytes."""

    at: float
    topic: str
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class World:
    """A run's pipeline and what comes in, in order of time. `ends` is when the run is over.

    `upkeep`: models are kept fresh without any trouble. Where they are not, a calm world gets no order at all.
    `approvals`: what policies want waits for a person. `artifacts` were brought from outside.
    """

    name: str
    specification: Specification
    inputs: tuple[Input, ...]
    ends: float
    upkeep: bool = True
    approvals: bool = False
    artifacts: tuple[bytes, ...] = ()

    def with_inputs(self, inputs: list[Input]) -> World:
        """The same world with other input, put in order of time."""
        ends = max(self.ends, max((one.at for one in inputs), default=0.0) + SETTLING)
        return replace(self, inputs=tuple(sorted(inputs, key=lambda one: one.at)), ends=ends)


def world_of(seed: int) -> World:
    """The world of this seed: one of a few dozen."""
    rng = Random(f"world/{seed}")
    if rng.random() < FURTHER_SHARE:
        return build(*rng.choice(FURTHER))
    return build(rng.choice(KINDS), rng.choice(TROUBLES), rng.randrange(DATA_SETS))


@cache
def build(kind: Kind, trouble: Trouble, data: int) -> World:
    """The world of this kind, with this trouble in its middle."""
    rng = Random(f"data/{kind}/{trouble}/{data}")
    specification = specification_of(kind, sliced=data == SLICED)
    inputs = [input_of(PIPELINES, definition_of(specification, 1, START), 0.0)]
    last = 0.0
    for index in range(length_of(kind, trouble)):
        at = 1.0 if index < WARM_UP else 8.0 + (index - WARM_UP) // A_SECOND
        row, label = row_of(rng, kind, index, trouble)
        row |= {"shift": shift_of(index, trouble)} if data == SLICED else {}
        inputs.append(input_of(RAW_DATA, event_of(specification, row, f"plant-{index % 2}", _time(at)), at))
        if kind != "anomaly":
            told = at if index < WARM_UP else at + LABEL_LAG
            inputs.append(labelled(specification, row["id"], label, told))
        last = max(last, at + LABEL_LAG)
    world = World(
        name=f"{kind}/{trouble}/{data}",
        specification=specification,
        inputs=(),
        ends=last + SETTLING,
        upkeep=trouble != "none",
        approvals=trouble in WATCHED and data % 2 == 1,
    )
    if trouble == "person" and data % 2 == 1:
        found = brought(specification, specification_of(_OTHER[kind]), KEY)
        inputs += [request(specification, *order) for order in versions(found)]
        return replace(world, artifacts=found.artifacts).with_inputs(inputs)
    if trouble == "person":
        inputs += [request(specification, *order) for order in orders(rng)]
    if trouble == "script":
        inputs += [request(specification, *order) for order in SCRIPT]
    return world.with_inputs(inputs)


def input_of(topic: Topic[Any], message: msgspec.Struct, at: float) -> Input:
    """The message as a client would write it at this second."""
    return Input(at, topic.name, topic.key(message).encode(), codec.encode(message))


def labelled(specification: Specification, id_: str, label: object, at: float) -> Input:
    """A label told at this second."""
    return input_of(RAW_DATA, label_of(specification, id_, label, "office", _time(at)), at)


def later(one: Input, at: float) -> Input:
    """The same record at another second."""
    return replace(one, at=at)


def topic_of(one: Input) -> Topic[Any]:
    return BY_NAME[one.topic]


def specification_of(kind: Kind, *, sliced: bool = False, **changes: Any) -> Specification:
    """A pipeline whose models train in milliseconds and whose monitor decides on some dozens of rows."""
    target = {"binary": {"type": "integer", "allowed": [0, 1]}, "regression": {"type": "number"}}
    document: dict[str, Any] = {
        "name": "plant",
        "kind": kind,
        "schema": {
            "id": {"type": "string"},
            "at": {"type": "timestamp"},
            "line": {"type": "string"},
            "heat": {"type": "number"},
            "load": {"type": "number", "nullable": True},
            "flow": {"type": "number", "nullable": True},
            **({"shift": {"type": "string"}} if sliced else {}),
            **({} if kind == "anomaly" else {"fault": target[kind]}),
        },
        "id": "id",
        "key": "line",
        "timestamp": "at",
        "target": None if kind == "anomaly" else "fault",
        "features": {
            "heat": "heat",
            "load": "load",
            "flow": "flow",
            "heat_before": {"expression": "heat", "lag": 1},
            "load_mean": {"expression": "load", "window": 8},
        },
        "models": {
            "candidates": list(_CANDIDATES[kind]),
            "min_rows": 100,
            "train_rows": 300,
            "folds": 2,
            "search": {"seconds": 1, "trials": 0},
        },
        "gate": {"min_rows": 20},
        "release": _RELEASES[kind],
        "monitor": {
            "window": 50,
            "performance_window": 25,
            "reference_rows": 100,
            "false_alarms_per_million": 1000.0,
            "slices": ["shift"] if sliced else [],
        },
        **changes,
    }
    return Specification.model_validate(document)


def request(
    specification: Specification, action: str, at: float, arguments: Mapping[str, object] | None = None
) -> Input:
    """What a person asks for at this second."""
    if arguments is None:
        arguments = {"message": "the plant is being rebuilt"} if action == "notify" else {}
    request = Request(
        id=f"request-{action}-{at:g}",
        pipeline=specification.name,
        action=action,
        issued_by="person:operator",
        at=_time(at),
        arguments=dict(arguments),
    )
    return input_of(REQUESTS, request, at)


def _time(at: float) -> Any:
    return START + timedelta(seconds=at)
