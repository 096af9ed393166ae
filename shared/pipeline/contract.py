"""The data contract: rows and labels held against the schema, one by one and quickly.

Rows come from JSON, so a number is a number: the text "12" is refused (turning text into numbers is
the work of whoever reads a CSV file). Only the id, which is text wherever rows are told apart, may be given as text or
as a number whatever its type. A whole number passes as `number`, and 3.0 as `integer`. Times
are RFC 3339, UTC where they name no zone, or seconds since 1970.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.messages import Value
from shared.pipeline.problems import Problem
from shared.pipeline.specification import FieldSpec, FieldType, Specification

_LARGEST = 1.7976931348623157e308
_BOUNDS: Mapping[FieldType, tuple[float, float]] = {
    "number": (-_LARGEST, _LARGEST),
    "integer": (-(2**63), 2**63 - 1),
}
_NO_RANGE = (float("inf"), float("-inf"))
_SHOWN = 60
_MOST_FAULTS = 5
"""Of one row, told beside the first."""
_TO_MICROSECONDS = len("2026-01-31T12:00:00.000000")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Row(msgspec.Struct, frozen=True, gc=False):
    """A row that fits. `values`: every field but the target, in the schema's order, times as UTC text.

    `at` is the timestamp field's value, `label` the target's, each None where there is none. `extra`
    counts fields that the schema does not know; they are dropped.
    """

    values: dict[str, Value]
    at: datetime | None
    label: Value
    extra: int


class _RefusedError(Exception):
    """(reason, detail): why a value is refused. It never leaves this module."""


_Check = Callable[[Any], Value]


class Contract:
    """The schema of one specification, compiled.

    >>> schema = {"x": {"type": "number"}, "y": {"type": "number"}}
    >>> spec = Specification.model_validate({"name": "p", "kind": "regression", "schema": schema, "target": "y"})
    >>> Contract(spec).check_row({"x": 1, "y": 2.5, "z": 0})
    Row(values={'x': 1.0}, at=None, label=2.5, extra=1)
    >>> str(Contract(spec).check_row({"x": "1"}))
    "x: is the text '1', not a number"
    """

    def __init__(self, specification: Specification) -> None:
        absent_is_fine = {specification.id, specification.timestamp}
        self._target = specification.target
        self._timestamp = specification.timestamp
        self._columns: list[tuple[str, float, float, bool, _Check]] = [
            (
                name,
                *(_bounds(field) if field.type == "number" and field.allowed is None else _NO_RANGE),
                field.nullable or name in absent_is_fine,
                (_id_check if name == specification.id else _check_of)(field),
            )
            for name, field in specification.fields.items()
            if name != specification.target
        ]
        target = specification.fields.get(specification.target or "")
        self._check_target = _check_of(target) if target is not None else _truth

    def check_row(self, values: Mapping[str, object], lenient: Collection[str] = ()) -> Row | Problem:
        """The row as it goes on, or the first field that breaks the contract; its detail names the others that do.

        A fault in a `lenient` field does not refuse the row: what is out of range stays as it is,
        what has the wrong type becomes null.
        """
        row: dict[str, Value] = {}
        known = len(self._columns)
        for name, low, high, nullable, check in self._columns:
            value = values.get(name)
            if type(value) is float and low <= value <= high:  # most values are, and need no call
                row[name] = value
                continue
            if value is None:
                known -= name not in values
                if not nullable and name not in lenient:
                    return self._refusal(values, lenient)
                row[name] = None
                continue
            try:
                row[name] = check(value)
            except _RefusedError as refused:
                if name not in lenient:
                    return self._refusal(values, lenient)
                row[name] = value if refused.args[0] in ("range", "not-allowed") else None  # type: ignore[assignment]
        label: Value = None
        if self._target is not None and self._target in values:
            known += 1
            answer = self.check_label(values[self._target])
            if isinstance(answer, Problem):
                return answer
            label = answer
        time = row.get(self._timestamp) if self._timestamp is not None else None
        at = datetime.fromisoformat(time) if isinstance(time, str) else None
        return Row(row, at, label, len(values) - known)

    def _refusal(self, values: Mapping[str, object], lenient: Collection[str]) -> Problem:
        """The first fault of a row that has one, with the others in its detail: a person mends them all at once."""
        first, *others = self._faults(values, lenient)
        if not others:
            return first
        told = "; ".join(f"{fault.field} {fault.detail}" for fault in others[:_MOST_FAULTS])
        rest = "; …" if len(others) > _MOST_FAULTS else ""
        return Problem(first.field, first.reason, f"{first.detail}; and {len(others)} more: {told}{rest}")

    def _faults(self, values: Mapping[str, object], lenient: Collection[str]) -> Iterator[Problem]:
        for name, _, _, nullable, check in self._columns:
            value = values.get(name)
            if name in lenient or (value is None and nullable):
                continue
            if value is None:
                yield Problem(name, "missing", "is null" if name in values else "is missing")
                continue
            try:
                check(value)
            except _RefusedError as refused:
                yield Problem(name, *refused.args)
        label = self.check_label(values.get(self._target)) if self._target is not None else None
        if isinstance(label, Problem):
            yield label

    def check_label(self, label: object) -> Value | Problem:
        """The label in the target's type (None stays None), or why it cannot be one."""
        if label is None:
            return None
        try:
            return self._check_target(label)
        except _RefusedError as refused:
            return Problem(self._target or "label", *refused.args)


def _check_of(field: FieldSpec) -> _Check:
    """What turns a value of this field into the form that goes on, or raises `_RefusedError`."""
    show = (lambda _: "(withheld: personal data)") if field.pii else _shown
    convert = _CONVERTERS[field.type](field, show)
    if field.allowed is None:
        return convert
    allowed = frozenset(field.allowed)

    def check(value: Any) -> Value:
        converted = convert(value)
        if converted not in allowed:
            raise _RefusedError("not-allowed", f"is {show(value)}, which is none of the allowed values")
        return converted

    return check


def _id_check(field: FieldSpec) -> _Check:
    """As for any field, of whichever form: ``7`` where text is due, ``"007"`` where a number is."""
    check = _check_of(field)
    if field.type == "string":
        return lambda value: check(str(value) if type(value) is int and value.bit_length() <= 256 else value)
    if field.type in ("number", "integer"):
        return lambda value: check(int(value) if type(value) is str and _WHOLE.fullmatch(value) else value)
    return check


def _number_check(field: FieldSpec, show: Callable[[object], str]) -> _Check:
    low, high = _bounds(field)

    def check(value: Any) -> Value:
        kind = type(value)
        if (kind is float or kind is int) and low <= value <= high:
            return float(value)
        raise _why_not("number", field, value, show)

    return check


def _integer_check(field: FieldSpec, show: Callable[[object], str]) -> _Check:
    low, high = _bounds(field)

    def check(value: Any) -> Value:
        kind = type(value)
        if (kind is int or (kind is float and value.is_integer())) and low <= value <= high:
            return int(value)
        raise _why_not("integer", field, value, show)

    return check


def _exact(name: FieldType, kind: type) -> Callable[[FieldSpec, Callable[[object], str]], _Check]:
    """Takes values of this very type as they are."""

    def made(field: FieldSpec, show: Callable[[object], str]) -> _Check:
        def check(value: Any) -> Value:
            taken: Value = value
            if type(value) is not kind:
                raise _why_not(name, field, value, show)
            return taken

        return check

    return made


def _timestamp_check(field: FieldSpec, show: Callable[[object], str]) -> _Check:
    def check(value: Any) -> Value:
        if type(value) not in (str, int, float):
            raise _why_not("timestamp", field, value, show)
        try:
            time = datetime.fromisoformat(value) if type(value) is str else datetime.fromtimestamp(value, UTC)
            utc = time.astimezone(UTC) if time.tzinfo is not None else time
        except (ValueError, OverflowError, OSError):
            raise _RefusedError(
                "type", f"is {show(value)}, not a time: write 2026-01-31T12:00:00Z (RFC 3339)"
            ) from None
        return utc.isoformat(timespec="microseconds")[:_TO_MICROSECONDS] + "Z"

    return check


_CONVERTERS: Mapping[FieldType, Callable[[FieldSpec, Callable[[object], str]], _Check]] = {
    "number": _number_check,
    "integer": _integer_check,
    "string": _exact("string", str),
    "boolean": _exact("boolean", bool),
    "timestamp": _timestamp_check,
}


def _truth(value: Any) -> Value:
    """The label of a pipeline without a target: whether the row was an anomaly."""
    if type(value) is bool or value in (0, 1):
        return bool(value)
    raise _RefusedError("type", f"is {_shown(value)}: the label of an anomaly pipeline is true or false")


def _bounds(field: FieldSpec) -> tuple[float, float]:
    low, high = field.range or (None, None)
    least, most = _BOUNDS[field.type]
    return (least if low is None else low), (most if high is None else high)


def _why_not(kind: str, field: FieldSpec, value: object, show: Callable[[object], str]) -> _RefusedError:
    a_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("number", "integer") and a_number:
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - NaN is what differs from itself
            return _RefusedError("not-finite", f"is {value}: a figure must be finite, and a missing one null")
        if kind == "integer" and isinstance(value, float) and not value.is_integer():
            return _RefusedError("type", f"is {show(value)}, not a whole number")
        return _RefusedError("range", f"is {show(value)}, {_beyond(field, value)}")
    names = {"number": "a number", "integer": "a whole number", "string": "text", "boolean": "true or false"}
    wanted = names.get(kind, "a time (text, as 2026-01-31T12:00:00Z)")
    return _RefusedError("type", f"is {show(value)}, not {wanted}")


def _beyond(field: FieldSpec, value: object) -> str:
    low, high = field.range or (None, None)
    if high is None and low is not None and isinstance(value, int | float) and value < low:
        return f"below {low:g}"
    if low is None and high is not None and isinstance(value, int | float) and value > high:
        return f"above {high:g}"
    least, most = _bounds(field)
    return f"outside of {least:g} to {most:g}"


def _shown(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number too large for any type"
    text = repr(value)
    text = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
    return f"the text {text}" if isinstance(value, str) else text
