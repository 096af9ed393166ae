"""Faults of form: unknown names, missing parts, wrong types; and the document with each of them mended.

A document with a fault of form makes no value, so what else is wrong with it could not be told. Each such fault is
therefore mended as far as anyone can guess (the name that was meant, else the part's default, else a stand-in), and
what is left is checked too. What depends on a guess is not told: see `Mended`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from shared.pipeline.problems import Path, Problem, at, did_you_mean, nearest

M = TypeVar("M", bound=BaseModel)

_ROUNDS = 5
"""Mending one fault may show another, as a value under the name that was meant; so often at most."""

_RUNG = {"action": "notify"}
_STAND_INS: Sequence[tuple[tuple[str | None, ...], Any]] = (
    (("name",), "unnamed"),
    (("kind",), "binary"),
    (("schema", None), {"type": "number"}),
    (("schema", None, "type"), "number"),
    (("features", None), "1"),
    (("features", None, "expression"), "1"),
    (("policies", None), {"name": "(unnamed)", "when": {}, "ladder": [_RUNG]}),
    (("policies", None, "name"), "(unnamed)"),
    (("policies", None, "when"), {}),
    (("policies", None, "ladder"), [_RUNG]),
    (("policies", None, "ladder", None), _RUNG),
    (("policies", None, "ladder", None, "action"), _RUNG["action"]),
)
"""Parts that must be there, and what does for each; None is any name or place."""


@dataclass(frozen=True, slots=True)
class Mended:
    """Where a document was changed by guessing, so that what is said of these parts may be wrong."""

    paths: frozenset[Path] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """Fields and features that are not known for what they are."""
        return frozenset(str(p[1]) for p in self.paths if len(p) > 1 and p[0] in ("schema", "features"))

    def touches(self, path: Path) -> bool:
        """Whether what stands at `path`, or something above or below it, was guessed."""
        return any(path[: len(p)] == p[: len(path)] for p in self.paths)

    def beside(self, path: Path) -> bool:
        """Whether another part of the same object was guessed."""
        return len(path) > 1 and any(p[:-1] == path[:-1] for p in self.paths)


def read(model: type[M], document: Any) -> tuple[M | None, list[Problem], Mended]:
    """The document as `model`, its faults of form mended, which are told; None where too much is missing."""
    problems: list[Problem] = []
    renamed: set[Path] = set()
    guessed: set[Path] = set()
    for number in range(_ROUNDS):
        try:
            return model.model_validate(document), problems, Mended(frozenset(guessed))
        except ValidationError as error:
            faults = sorted(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
        now: set[Path] = set()
        for fault in faults:
            path = _path(fault)
            if fault["type"] == "missing" and path in renamed:
                continue
            if number == 0 or fault["type"] != "missing":
                problems.append(_problem(model, fault))
            if fault["type"] == "extra_forbidden":
                document, meant = _without_extra(model, document, path)
                renamed |= {meant} if meant else set()
                continue
            if any(path[: len(p)] == p for p in now):
                continue
            document, changed = _guess(document, path)
            if not changed:
                return None, problems, Mended()
            now.add(changed)
        guessed |= now
    return None, problems, Mended()


def _path(fault: ErrorDetails) -> Path:
    return tuple(part for part in fault["loc"] if part != "[key]")


def _problem(model: type[BaseModel], fault: ErrorDetails) -> Problem:
    path = _path(fault)
    if fault["type"] == "extra_forbidden":
        known = _names_at(model, path[:-1])
        return at(path, "unknown-field", f"unknown field `{path[-1]}`{did_you_mean(str(path[-1]), known)}")
    if fault["type"] == "missing":
        return at(path, "missing", "is missing")
    text = fault["msg"].removeprefix("Value error, ")
    given = fault.get("input")
    shown = f"{text} (found {given!r})" if isinstance(given, str | int | float | bool | None) else text
    expected = [
        word.strip("'") for word in str(fault.get("ctx", {}).get("expected", "")).replace(" or ", ", ").split(", ")
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


def _without_extra(model: type[BaseModel], document: Any, path: Path) -> tuple[Any, Path | None]:
    """Without the unknown name; where the name that was meant is free, under that."""
    parent = _at(document, path[:-1])
    if not isinstance(parent, dict):
        return document, None
    meant = nearest(str(path[-1]), _names_at(model, path[:-1]))
    kept = {name: value for name, value in parent.items() if name != path[-1]}
    if meant is None or meant in parent:
        return _with(document, path[:-1], kept), None
    return _with(document, path[:-1], kept | {meant: parent[path[-1]]}), (*path[:-1], meant)


def _guess(document: Any, path: Path) -> tuple[Any, Path]:
    """With a stand-in at the place that is wrong, else without the part it belongs to; and what was changed."""
    for length in range(len(path), 0, -1):
        here = path[:length]
        parent = _at(document, here[:-1])
        stand_in = _stand_in(here)
        if stand_in is not None and isinstance(parent, dict | list):
            return _with(document, here, stand_in), here
        if isinstance(parent, dict) and here[-1] in parent:
            kept = {name: value for name, value in parent.items() if name != here[-1]}
            return _with(document, here[:-1], kept), here
    return document, ()


def _stand_in(path: Path) -> Any:
    """What can stand for a part that must be there; None where it may be left out."""
    alike = (value for shape, value in _STAND_INS if len(shape) == len(path) and all(map(_is_like, shape, path)))
    return next(alike, None)


def _is_like(shape: str | None, part: str | int) -> bool:
    return shape is None or shape == part


def _at(node: Any, path: Sequence[str | int]) -> Any:
    for part in path:
        inside = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
        if not inside:
            return None
        node = node[part]
    return node


def _with(node: Any, path: Path, value: Any) -> Any:
    """A copy of the document in which `value` stands at `path`."""
    if not path:
        return value
    first, rest = path[0], path[1:]
    if isinstance(node, list):
        return [_with(each, rest, value) if index == first else each for index, each in enumerate(node)]
    return {**node, first: _with(node.get(first), rest, value)}
