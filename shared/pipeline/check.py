"""Every fault of a specification at once: unknown names, wrong types, expressions that cannot be computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from shared.pipeline import vocabulary
from shared.pipeline.check_features import feature_problems
from shared.pipeline.check_policies import known_names, policy_problems, unguessed
from shared.pipeline.problems import Problem, at, did_you_mean
from shared.pipeline.specification import FieldSpec, Specification
from shared.pipeline.structure import Mended, read

_PYTHON: Mapping[str, tuple[type, ...]] = {
    "number": (int, float),
    "integer": (int,),
    "string": (str,),
    "boolean": (bool,),
}
_OF_KIND = (("target",), ("models", "candidates"), ("gate", "metric"))
"""What is right for one kind of pipeline and wrong for another."""


def checked(document: object) -> tuple[Specification | None, list[Problem]]:
    """The specification as it came in (JSON or YAML, read), or None with every fault."""
    if not isinstance(document, dict):
        return None, [at((), "not-an-object", "a specification is an object with name, kind, schema and target")]
    specification, problems, mended = read(Specification, document)
    if specification is not None:
        problems = [*problems, *_semantic(specification, mended)]
    return (None if problems else specification), problems


def _semantic(spec: Specification, mended: Mended) -> list[Problem]:
    """Faults that only show when the parts are held against each other, but for those that a guess may have made."""
    found = [*_roles(spec), *_fields(spec.fields), *feature_problems(spec, mended.names)]
    found += [*_learning(spec), *policy_problems(spec.policies)]
    return [each for each in found if _is_sure(each, mended, spec)]


def _is_sure(problem: Problem, mended: Mended, spec: Specification) -> bool:
    path = problem.path
    if path[0] == "features" and problem.reason not in ("invalid", "missing"):
        return True  # what the names of an expression say does not depend on anything that was guessed
    if not unguessed(problem, mended):
        return False
    if path[0] == "policies":
        return True
    if mended.touches(("kind",)) and path in _OF_KIND:
        return problem.reason == "unknown-field"
    if path[0] == "features":
        return not (problem.reason == "missing" and mended.touches(("key",)))
    return not (problem.reason == "invalid" and len(path) == 1 and getattr(spec, str(path[0]), None) in mended.names)


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
    yield from known_names(
        spec.models.candidates,
        vocabulary.CANDIDATES[spec.kind],
        ("models", "candidates"),
        f"candidate of a {spec.kind} pipeline",
    )
    if spec.gate.metric is not None:
        yield from known_names(
            [spec.gate.metric], vocabulary.METRICS[spec.kind], ("gate", "metric"), f"metric of a {spec.kind} pipeline"
        )
    if spec.models.train_rows < spec.models.min_rows:
        yield at(
            ("models", "train_rows"),
            "invalid",
            f"is less than min_rows ({spec.models.min_rows}): nothing could be trained",
        )
    yield from known_names(spec.monitor.slices, spec.fields, ("monitor", "slices"), "field of the schema")
