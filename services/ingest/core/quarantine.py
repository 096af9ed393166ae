"""Quarantine: which fields of which source are blanked before features are computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.pipeline.problems import did_you_mean
from shared.pipeline.specification import Specification

ANY_SOURCE = "*"


class RefusedError(ValueError):
    """A quarantine that cannot be: the message says why, for a person."""


@dataclass(slots=True)
class Quarantine:
    """Fields by source. The source ``*`` stands for every source."""

    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def withheld(self, source: str) -> tuple[str, ...]:
        """The fields blanked in rows of `source`, sorted.

        >>> Quarantine({"a": ("x",), "*": ("y",)}).withheld("a")
        ('x', 'y')
        """
        if not self.fields:
            return ()
        own, everyone = self.fields.get(source, ()), self.fields.get(ANY_SOURCE, ())
        return tuple(sorted({*own, *everyone}))

    def begin(self, source: str, names: Sequence[str]) -> None:
        """`names` of `source` are withheld from here on, with those that are already."""
        self.fields[source] = tuple(sorted({*self.fields.get(source, ()), *names}))

    def end(self, source: str, names: Sequence[str]) -> tuple[str, ...]:
        """`names` of `source` count again; returns those that were withheld."""
        held = self.fields.pop(source, ())
        left = tuple(name for name in held if name not in names)
        if left:
            self.fields[source] = left
        return tuple(name for name in held if name in names)


def subject_of(arguments: Mapping[str, object], specification: Specification) -> tuple[str, tuple[str, ...]]:
    """(source, fields) of a quarantine command. No `fields`: every field that can be withheld."""
    can_be = specification.withholdable
    source, fields = arguments.get("source"), arguments.get("fields")
    if not isinstance(source, str) or not source:
        raise RefusedError("`source` is missing: name the source, or * for all")
    if isinstance(fields, str):
        fields = [fields]
    if not fields:
        return source, can_be
    if not isinstance(fields, list | tuple):
        raise RefusedError("`fields` is not a list of names")
    for name in fields:
        if name in specification.fields and name not in can_be:
            raise RefusedError(f"`{name}` is the target, id, key or timestamp, which cannot be withheld from features")
        if name not in can_be:
            raise RefusedError(f"`{name}` is not a field of {specification.name}{did_you_mean(str(name), can_be)}")
    return source, tuple(fields)
