"""Every fault of a specification at once: unknown names, wrong types, expressions that cannot be computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.pipeline import vocabulary
from shared.pipeline.check_features import feature_problems
from shared.pipeline.problems import Path, Problem, at, did_you_mean
from shared.pipeline.specification import FieldSpec, Rung, Specification

_PYTHON: Mapping[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "string": (str,),
    "boolean": (bool,),
}


def checked(document: object) -> tuple[Specification | None, list[Problem]]:
    """The specification as it came in (JSON or YAML, read), or None with every fault."""
    if not isinstance(document, dict):
        return None, [at((), "not-an-object", "a specification is an object with name, kind, schema and target")]
    try:
        specification = Specification.model_validate(document)
    except ValidationError as error:
        return None, [_structural(each) for each in error.errors(include_url=False)]
    problems = semantic_problems(specification)
    return (None, problems) if problems else (specification, [])


def semantic_problems(specification: Specification) -> list[Problem]:
    """Faults that only show when the parts are held against each other."""
    found = [*_roles(specification), *_fields(specification.fields), *feature_problems(specification)]
    return [*found, *_learning(specification), *_policies(specification)]


def _structural(error: ErrorDetails) -> Problem:
    path: Path = tuple(part for part in error["loc"] if part != "[key]")
    if error["type"] == "extra_forbidden":
        known = _names_at(Specification, path[:-1])
        return at(path, "unknown-field", f"unknown field `{path[-1]}`{did_you_mean(str(path[-1]), known)}")
    if error["type"] == "missing":
        return at(path, "missing", "is missing")
    text = error["msg"].removeprefix("Value error, ")
    given = error.get("input")
    shown = f"{text} (found {given!r})" if isinstance(given, str | int | float | bool | None) else text
    expected = [
        word.strip("'") for word in str(error.get("ctx", {}).get("expected", "")).replace(" or ", ", ").split(", ")
    ]
    return at(path, "invalid", shown + (did_you_mean(given, expected) if isinstance(given, str) else ""))


def _names_at(kind: Any, path: Path) -> Iterable[str]:
    """The fields that an object at `path` may have."""
    for part in path:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            kind = next(
                (field.annotation for name, field in kind.model_fields.items() if part in (name, field.alias)), None
            )
        elif get_origin(kind) in (dict, tuple):
            kind = get_args(kind)[1 if get_origin(kind) is dict else 0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    return []


def _roles(spec: Specification) -> Iterator[Problem]:
    for role, name in (("target", spec.target), ("id", spec.id), ("key", spec.key), ("timestamp", spec.timestamp)):
        if name is not None and name not in spec.fields:
            hint = did_you_mean(name, spec.fields)
            yield at((role,), "unknown-field", f"`{name}` is not a field of the schema{hint}")
        elif name is not None and role != "target" and name == spec.target:
            yield at((role,), "conflict", f"`{name}` is the target already")
    if spec.target is None and spec.kind != "anomaly":
        yield at(("target",), "missing", f"is missing: a {spec.kind} pipeline needs one")
    time = spec.fields.get(spec.timestamp or "")
    if time is not None and time.type != "timestamp":
        yield at(("timestamp",), "invalid", f"`{spec.timestamp}` has type {time.type}, not timestamp")
    target = spec.fields.get(spec.target or "")
    if target is None:
        return
    if target.type == "timestamp" or (spec.kind == "regression" and target.type not in ("number", "integer")):
        yield at(
            ("target",), "invalid", f"`{spec.target}` has type {target.type}, which no {spec.kind} model can predict"
        )
    if spec.kind == "binary" and target.allowed is not None and len(target.allowed) != 2:
        yield at(("schema", str(spec.target), "allowed"), "invalid", "a binary target has two allowed values")


def _fields(fields: Mapping[str, FieldSpec]) -> Iterator[Problem]:
    for name, field in fields.items():
        path = ("schema", name)
        if field.range is not None:
            low, high = field.range
            if field.type not in ("number", "integer"):
                yield at((*path, "range"), "invalid", f"a {field.type} has no range")
            elif low is not None and high is not None and low > high:
                yield at((*path, "range"), "invalid", f"the range ends ({high}) below where it begins ({low})")
        for index, value in enumerate(field.allowed or ()):
            if not _fits(value, field.type):
                yield at((*path, "allowed", index), "invalid", f"{value!r} is no {field.type}")


def _fits(value: object, kind: str) -> bool:
    fits = isinstance(value, _PYTHON.get(kind, ()))
    return fits and (kind == "boolean" or not isinstance(value, bool))


def _learning(spec: Specification) -> Iterator[Problem]:
    yield from _known(
        spec.models.candidates,
        vocabulary.CANDIDATES[spec.kind],
        ("models", "candidates"),
        f"candidate of a {spec.kind} pipeline",
    )
    if spec.gate.metric is not None:
        yield from _known(
            [spec.gate.metric], vocabulary.METRICS[spec.kind], ("gate", "metric"), f"metric of a {spec.kind} pipeline"
        )
    if spec.models.train_rows < spec.models.min_rows:
        yield at(
            ("models", "train_rows"),
            "invalid",
            f"is less than min_rows ({spec.models.min_rows}): nothing could be trained",
        )
    yield from _known(spec.monitor.slices, spec.fields, ("monitor", "slices"), "field of the schema")


def _policies(spec: Specification) -> Iterator[Problem]:
    names: set[str] = set()
    for index, policy in enumerate(spec.policies):
        path = ("policies", index)
        if policy.name in names:
            yield at((*path, "name"), "conflict", f"there are two policies named `{policy.name}`")
        names.add(policy.name)
        yield from _known(policy.when.kinds, vocabulary.ALERT_KINDS, (*path, "when", "kinds"), "kind of alert")
        yield from _known(policy.when.causes, vocabulary.CAUSES, (*path, "when", "causes"), "kind of cause")
        if not policy.ladder:
            yield at((*path, "ladder"), "invalid", "has no action; give at least one, as `- action: notify`")
        for step, rung in enumerate(policy.ladder):
            yield from _rung(rung, (*path, "ladder", step))


def _rung(rung: Rung, path: Path) -> Iterator[Problem]:
    yield from _known([rung.action], vocabulary.ACTIONS, (*path, "action"), "action")
    family, _, name = (rung.metric or "").partition(".")
    if rung.metric not in (None, "alert.resolved") and (family not in vocabulary.METRIC_FAMILIES or not name):
        families = ", ".join(vocabulary.METRIC_FAMILIES)
        detail = (
            f"`{rung.metric}` cannot be measured: write alert.resolved, or one of {families}, a dot and a metric's name"
        )
        yield at((*path, "metric"), "invalid", detail)


def _known(names: Iterable[str], known: Iterable[str], path: Path, what: str) -> Iterator[Problem]:
    known = list(known)
    for name in names:
        if name not in known:
            yield at(
                path,
                "unknown-name",
                f"`{name}` is no {what}{did_you_mean(name, known) or '; known are ' + ', '.join(known)}",
            )
