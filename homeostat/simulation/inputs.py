"""Faults in what comes in: each turns a world's input into another, and says nothing of it to the services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import NamedTuple

import msgspec

from homeostat.simulation.faults import Fault, FaultName, Plan
from homeostat.simulation.simulation import START, definition_of
from homeostat.simulation.world import Input, World, input_of, labelled, later, specification_of
from shared import codec
from shared.errors import Poison
from shared.messages import RawRecord
from shared.topics import PIPELINES, RAW_DATA, REQUESTS

Inputs = list[Input]


class _Case(NamedTuple):
    """What a change is made of."""

    inputs: Inputs
    world: World
    fault: Fault
    rng: Random


POISON: tuple[bytes, ...] = (
    b"",
    b"not json",
    b"\xff\xfe\x00",
    b"[]",
    b"null",
    b'{"pipeline": "plant"}',
    b'{"pipeline": "plant", "id": 7, "entity": "line-1"}',
    b'{"pipeline": "plant", "id": "p", "entity": "line-1", "values": ' + b"[" * 200 + b"]" * 200 + b"}",
)
"""Records that are no message of `raw-data` at all."""

BROKEN: tuple[dict[str, object], ...] = (
    {},
    {"heat": "warm"},
    {"heat": None, "at": "2026-01-01T00:00:00Z"},
    {"id": "broken", "at": "yesterday", "line": "line-1", "heat": 1.0},
    {"id": "broken", "at": "2026-01-01T00:00:00Z", "line": 3, "heat": {"deep": [1]}},
    {"id": "broken", "at": "2026-01-01T00:00:00Z", "line": "line-1", "heat": 1e400},
)
"""Rows that break the contract."""


def disturbed(world: World, plan: Plan) -> World:
    """The world with the plan's faults of input in it."""
    inputs = list(world.inputs)
    for number, fault in enumerate(plan.faults):
        change = _CHANGES.get(fault.name)
        if change is not None:
            rng = Random(f"input/{plan.seed}/{number}")
            inputs = change(_Case(inputs, world, fault, rng))
    return world.with_inputs(inputs)


def raw(one: Input) -> RawRecord | None:
    """The raw record of this input, or None where it is none."""
    if one.topic != RAW_DATA.name:
        return None
    try:
        return codec.decode(RAW_DATA, one.value)
    except Poison:
        return None


def _is(kind: str) -> Callable[[Input], bool]:
    def matches(one: Input) -> bool:
        record = raw(one)
        return record is not None and record.kind == kind

    return matches


_event, _label = _is("event"), _is("label")


def _struck(case: _Case, matches: Callable[[Input], bool]) -> list[bool]:
    """Which inputs a fault strikes: a share of those that match while it lasts."""
    share = 0.2 + 0.8 * case.fault.amount
    return [case.fault.on(one.at) and matches(one) and case.rng.random() < share for one in case.inputs]


def _again(case: _Case, matches: Callable[[Input], bool]) -> Inputs:
    struck = _struck(case, matches)
    return case.inputs + [
        later(one, one.at + case.rng.choice((0.0, 0.0, 1.0, 9.0)))
        for one, hit in zip(case.inputs, struck, strict=True)
        if hit
    ]


def _doubled(case: _Case) -> Inputs:
    return _again(case, lambda one: _event(one) or one.topic == REQUESTS.name)


def _conflicting(case: _Case) -> Inputs:
    """Other values under the same id, as they were, and the others again: the first row stands, whatever follows."""
    found = []
    for one, hit in zip(case.inputs, _struck(case, _event), strict=True):
        record = raw(one)
        if hit and record is not None:
            other = {**record.values, "load": round(case.rng.gauss(0.0, 1.0), 6)}
            changed = replace(one, value=codec.encode(msgspec.structs.replace(record, values=other)))
            at = one.at + case.rng.choice((0.0, 1.0, 5.0))
            found += [later(changed, at), later(one, at + 1.0), later(changed, at + 2.0)]
    return case.inputs + found


def _doubled_labels(case: _Case) -> Inputs:
    return _again(case, _label)


def _moved(case: _Case, matches: Callable[[Input], bool], by: tuple[float, ...]) -> Inputs:
    struck = _struck(case, matches)
    return [
        later(one, max(0.5, one.at + case.rng.choice(by))) if hit else one
        for one, hit in zip(case.inputs, struck, strict=True)
    ]


def _defined_late(case: _Case) -> Inputs:
    """Later than the first rows, and now and then than these are waited for."""
    at = 1.5 + 8.0 * case.fault.amount
    return [later(one, at) if one.topic == PIPELINES.name and one.at < at else one for one in case.inputs]


def _late(case: _Case) -> Inputs:
    return _moved(case, _label, (5.0, 15.0, 40.0))


def _early(case: _Case) -> Inputs:
    return _moved(case, _label, (-3.0, -8.0))


def _out_of_order(case: _Case) -> Inputs:
    return _moved(case, _event, (0.0, 0.0, 1.0, 3.0))


def _corrected(case: _Case) -> Inputs:
    found = []
    for one, hit in zip(case.inputs, _struck(case, _label), strict=True):
        record = raw(one)
        if hit and record is not None:
            truth = 1 - record.label if record.label in (0, 1) else round(case.rng.gauss(0.0, 1.0), 6)
            corrected = msgspec.structs.replace(record, label=truth)
            found.append(replace(one, at=one.at + case.rng.choice((0.0, 2.0, 9.0)), value=codec.encode(corrected)))
    return case.inputs + found


def _unknown(case: _Case) -> Inputs:
    if case.world.specification.target is None:
        return case.inputs
    count = 1 + int(case.fault.amount * 60)
    return case.inputs + [
        labelled(
            case.world.specification,
            f"nobody-{index}",
            case.rng.choice((0, 1)),
            case.fault.at + case.rng.uniform(0, case.fault.seconds),
        )
        for index in range(count)
    ]


def _poison(case: _Case) -> Inputs:
    found = []
    for index in range(1 + int(case.fault.amount * 30)):
        at = case.fault.at + case.rng.uniform(0, case.fault.seconds)
        key = f"line-{case.rng.randrange(5)}"
        if case.rng.random() < 0.5:
            found.append(Input(at, RAW_DATA.name, key.encode(), case.rng.choice(POISON)))
            continue
        values = case.rng.choice(BROKEN)
        record = RawRecord(
            pipeline=case.rng.choice(("plant", "plant", "nowhere")), id=f"poison-{index}", entity=key, values=values
        )
        found.append(input_of(RAW_DATA, record, at))
    return case.inputs + found


def _schema_change(case: _Case) -> Inputs:
    """Rows of another shape while it lasts, and at its end a second version of the specification."""
    change = case.rng.choice(("added", "removed", "renamed", "retyped", "defined-anew"))
    found = []
    for one, hit in zip(case.inputs, _struck(case, _event), strict=True):
        record = raw(one)
        if not hit or record is None or change == "defined-anew":
            found.append(one)
            continue
        values = dict(record.values)
        if change == "added":
            values["colour"] = "red"
        elif change == "retyped":
            values["flow"] = str(values.get("flow"))
        else:
            was = values.pop("flow", None)
            values.update({"stream": was} if change == "renamed" else {})
        found.append(replace(one, value=codec.encode(msgspec.structs.replace(record, values=values))))
    if change == "defined-anew":
        features = {
            name: spec.expression for name, spec in case.world.specification.features.items() if spec.lag is None
        }
        was, features = case.world.specification, {**features, "both": "heat + load"}
        other = specification_of(was.kind, sliced=bool(was.monitor.slices), features=features)  # type: ignore[arg-type]
        at = START + timedelta(seconds=case.fault.at)
        found.append(input_of(PIPELINES, definition_of(other, 2, at), case.fault.at))
    return found


def _burst(case: _Case) -> Inputs:
    """What came in ten seconds comes at once."""
    until = case.fault.at + 10.0
    return [
        later(one, case.fault.at) if case.fault.at <= one.at < until and raw(one) is not None else one
        for one in case.inputs
    ]


_CHANGES: dict[FaultName, Callable[[_Case], Inputs]] = {
    "duplicate": _doubled,
    "conflict": _conflicting,
    "defined-late": _defined_late,
    "labels-doubled": _doubled_labels,
    "labels-late": _late,
    "labels-early": _early,
    "labels-corrected": _corrected,
    "labels-unknown": _unknown,
    "out-of-order": _out_of_order,
    "poison": _poison,
    "schema-change": _schema_change,
    "burst": _burst,
}
