"""A service with something done to it: to what it is given, what it says, and what it keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from shared.runtime.host import Make
from shared.service import NOTHING, Batch, Step
from shared.topics import Out

Arguments = tuple[Any, ...]
Services = dict[str, Make]


class Mutant:
    """A service with something done to what its handlers are given, to what they return, or to its state."""

    def __init__(
        self,
        inner: Any,
        given: Callable[[str, Arguments], Arguments] | None = None,
        said: Callable[[str, Step], Step] | None = None,
        saved: Callable[[bytes], bytes] | None = None,
        restored: Callable[[Any], None] | None = None,
        before: Callable[[Any], None] | None = None,
    ) -> None:
        self.inner = inner
        self._given = given or (lambda _, arguments: arguments)
        self._said = said or (lambda _, step: step)
        self._saved = saved or (lambda state: state)
        self._restored = restored or (lambda _: None)
        self._before = before or (lambda _: None)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not name.startswith("on_"):
            return found
        return lambda *arguments: self._called(name, found, self._given(name, arguments))

    def _called(self, name: str, handler: Callable[..., Step], arguments: Arguments) -> Step:
        self._before(self.inner)
        nothing_left = isinstance(arguments[0], Batch) and not len(arguments[0])
        return NOTHING if nothing_left else self._said(name, handler(*arguments))

    def save(self) -> bytes:
        return self._saved(self.inner.save())

    def restore(self, state: bytes) -> None:
        self.inner.restore(state)
        self._restored(self.inner)


def mutated(service: str, **how: Any) -> Callable[[Services], Services]:
    """The services with this one replaced by its mutant."""

    def change(services: Services) -> Services:
        make = services[service]
        return {**services, service: lambda task: Mutant(make(task), **how)}

    return change


def each(handler: str, of: Callable[[list[Out]], list[Out]]) -> Callable[[str, Step], Step]:
    """Does something to the messages of one handler."""
    return lambda name, step: Step(of(step.messages), step.jobs) if name == handler else step


def messages(kind: type, of: Callable[[Any], Any]) -> Callable[[str, Step], Step]:
    """Does something to each message of one kind; None takes it away."""

    def said(_: str, step: Step) -> Step:
        found = [(out, of(out.message) if isinstance(out.message, kind) else out.message) for out in step.messages]
        return Step([Out(out.topic, message, out.trace) for out, message in found if message is not None], step.jobs)

    return said


def without(handler: str, of: Callable[[Any], bool]) -> Callable[[str, Arguments], Arguments]:
    """Keeps messages from a handler."""

    def given(name: str, arguments: Arguments) -> Arguments:
        if name != handler:
            return arguments
        batch, now = arguments
        kept = [index for index, message in enumerate(batch.messages) if not of(message)]
        return _picked(batch, kept), now

    return given


def _picked(batch: Batch[Any], kept: Sequence[int]) -> Batch[Any]:
    def pick(values: Sequence[Any]) -> list[Any]:
        return [values[index] for index in kept] if values else []

    return Batch(
        batch.topic,
        batch.partition,
        pick(batch.offsets),
        pick(batch.messages),
        pick(batch.values),
        pick(batch.traces),
    )


def forgetting(*path: str) -> Callable[[bytes], bytes]:
    """Snapshots without what lies there; ``*`` stands for every name."""

    def saved(state: bytes) -> bytes:
        form: Any = msgspec.json if state.startswith(b"{") else msgspec.msgpack
        kept = form.decode(state)
        _drop(kept, path)
        return bytes(form.encode(kept))

    return saved


def _drop(state: Any, path: Sequence[str]) -> None:
    name, rest = path[0], path[1:]
    if not rest:
        state.pop(name, None)
        return
    for each in state if name == "*" else {name} & state.keys():
        _drop(state[each], rest)


def altered(**changes: Any) -> Callable[[Any], Any]:
    return lambda message: msgspec.structs.replace(message, **changes)
