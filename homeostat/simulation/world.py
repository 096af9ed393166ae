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
from typing import Any, Literal

import msgspec

from homeostat.simulation.assembly import REVISION, Knobs
from homeostat.simulation.brought import Brought, brought
from homeostat.simulation.simulation import KEY, START, definition_of, event_of, label_of
from services.ingest.settings import IngestSettings
from services.remediator.core.limits import Limits
from services.remediator.settings import RemediatorSettings, remediator_settings
from services.trainer.settings import TrainerSettings
from shared import codec
from shared.messages import Request
from shared.pipeline.span import Span
from shared.pipeline.specification import Policy, Specification
from shared.topics import BY_NAME, PIPELINES, RAW_DATA, REQUESTS, Topic

Trouble = Literal["none", "unit-change", "concept-change", "missing-values", "bad-labels", "person"]
Kind = Literal["binary", "regression", "anomaly"]
TROUBLES: tuple[Trouble, ...] = ("none", "unit-change", "concept-change", "missing-values", "bad-labels", "person")
KINDS: tuple[Kind, ...] = ("binary", "binary", "regression", "anomaly")
DATA_SETS = 2
"""Data sets per kind and trouble: few, so that the run without faults is made once for many seeds."""

ROWS = 720
WARM_UP = 140
A_SECOND = 20
LABEL_LAG = 2.0
TROUBLE = (260, 420)
UNIT_IS_RIGHT = 380
"""Where a unit is right again: soon enough for models to be made after the field was given back."""
LATE_TURN: dict[Kind, tuple[int, int]] = {"regression": (400, 920)}
"""Where a concept changes, and how many rows there are, by kinds whose models have no reference but their first 200
answered rows: sooner, nobody could know.
"""

SLICED = 1
"""The data set whose rows come from two shifts, by which answers are told apart."""
NIGHT = 7
"""One row in so many is of the night: a window has enough of the day to tell figures of it."""

STREAM_ENDS = 37.0
"""The virtual second of the last rows: faults begin before."""

SETTLING = 75.0
"""Virtual seconds after the last row, in which every incident must come to its end."""

UPKEEP = "keep-fresh"

_RELEASES: dict[Kind, dict[str, Any]] = {
    "binary": {},
    "regression": {"shadow_rows": 30, "canary": [{"weight": 0.3, "rows": 60}]},
    "anomaly": {},
}
"""Where one kind of pipeline tries its versions in steps, the others let them answer at once."""

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
    cooldown = Span(time=timedelta(seconds=5))
    return policy.model_copy(update={"ladder": ladder, "cooldown": cooldown, "approval": asks or policy.approval})


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
    return build(rng.choice(KINDS), rng.choice(TROUBLES), rng.randrange(DATA_SETS))


@cache
def build(kind: Kind, trouble: Trouble, data: int) -> World:
    """The world of this kind, with this trouble in its middle."""
    rng = Random(f"data/{kind}/{trouble}/{data}")
    specification = specification_of(kind, sliced=data == SLICED)
    rows = _turn_and_rows(kind, trouble)[1]
    inputs = [input_of(PIPELINES, definition_of(specification, 1, START), 0.0)]
    last = 0.0
    for index in range(rows):
        at = 1.0 if index < WARM_UP else 8.0 + (index - WARM_UP) // A_SECOND
        row, label = _row(rng, kind, index, trouble)
        row |= {"shift": "day" if index % NIGHT else "night"} if data == SLICED else {}
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
        inputs += [request(specification, *order) for order in _versions(found)]
        return replace(world, artifacts=found.artifacts).with_inputs(inputs)
    if trouble == "person":
        inputs += [request(specification, *order) for order in _orders(rng)]
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


def _turn_and_rows(kind: Kind, trouble: Trouble) -> tuple[int, int]:
    """The row from which a changed concept holds, and how many rows there are."""
    return LATE_TURN.get(kind, (TROUBLE[0], ROWS)) if trouble == "concept-change" else (TROUBLE[0], ROWS)


def _row(rng: Random, kind: Kind, index: int, trouble: Trouble) -> tuple[dict[str, Any], object]:
    heat, load, flow = (round(rng.gauss(0.0, 1.0), 6) for _ in range(3))
    inside = TROUBLE[0] <= index < TROUBLE[1]
    wrong_unit = trouble == "unit-change" and TROUBLE[0] <= index < UNIT_IS_RIGHT
    turned = trouble == "concept-change" and index >= _turn_and_rows(kind, trouble)[0]
    level = (2.0 * heat - load) * (-1.0 if turned else 1.0) + 0.3 * rng.gauss(0.0, 1.0)
    label: object = int(level > 0.0) if kind == "binary" else round(level, 6)
    if trouble == "bad-labels" and inside:
        label = 0 if kind == "binary" else 0.0
    row: dict[str, Any] = {
        "id": f"row-{index:04d}",
        "at": (START + timedelta(minutes=index)).isoformat(),
        "line": f"line-{index % 5}",
        "heat": heat * 1000.0 if wrong_unit else heat,
        "load": load,
        "flow": None if trouble == "missing-values" and inside else flow,
    }
    return row, label


def _orders(rng: Random) -> list[tuple[str, float, Mapping[str, object] | None]]:
    """Among them a version by name, that a rollback may have taken down: without force, and with it."""
    return [
        ("retrain", 14.0, None),
        (rng.choice(["rollback", "recalibrate", "notify"]), 20.0, None),
        ("rollback", 21.0, None),
        ("hold", 23.0, None),
        ("retrain", 24.0, None),
        ("release_hold", 26.0, None),
        ("promote", 28.0, {"version": "2"}),
        ("promote", 31.0, {"version": "2", "force": True}),
    ]


def _versions(found: Brought) -> list[tuple[str, float, Mapping[str, object]]]:
    """A version from outside, a canary by hand that is taken back, and versions that must not answer."""
    return [
        ("promote", 13.0, {"candidate": found.fit, "force": True}),
        ("shift_traffic", 17.0, {"version": "1", "weight": 0.5}),
        ("shift_traffic", 20.0, {"version": "1", "weight": 0.0}),
        ("promote", 24.0, {"candidate": found.other, "force": True}),
        ("promote", 28.0, {"candidate": found.old, "force": True}),
    ]


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
