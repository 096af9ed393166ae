"""The services' turns, on messages as they are: no bytes, no transactions, nothing to restore.

The order of turns, of topics within a turn and of ticks is that of `shared.runtime.loop` over the log in
memory; a test holds the two against each other. What goes between services by the row never becomes
JSON here; control messages do, once, so that every reader gets what it would get live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from shared.codec import decode, encode
from shared.runtime.memory import MOST_ROUNDS, InlineJobs
from shared.runtime.task import Task
from shared.service import Batch, JobResult, Service, Step
from shared.topics import TOPICS, Out, Topic

TICK = timedelta(seconds=1.0)
_TOPICS = {topic.name: topic for topic in TOPICS}
_ORDER = {topic.name: (topic.spread, index) for index, topic in enumerate(TOPICS)}


@dataclass(slots=True)
class Post:
    """Consecutive messages of one topic. `messages` is whatever its readers agree on, by the row."""

    offsets: Sequence[int]
    messages: Any
    values: Sequence[bytes] = ()


class Member(Protocol):
    """A service as it takes its turn: its handlers, some of them in columns."""

    @property
    def service(self) -> Service: ...

    def take(self, topic: Topic[Any], post: Post, now: datetime) -> Step: ...


@dataclass(slots=True)
class Plain:
    """A service by its own handlers alone."""

    service: Service

    def take(self, topic: Topic[Any], post: Post, now: datetime) -> Step:
        """Hands the post to the handler of its topic."""
        step: Step = getattr(self.service, topic.handler)(
            Batch(topic.name, 0, post.offsets, post.messages, post.values), now
        )
        return step


@dataclass(slots=True)
class _Seat:
    member: Member
    task: Task
    jobs: InlineJobs
    inbox: dict[str, list[Post]] = field(default_factory=dict)
    ended: list[JobResult] = field(default_factory=list)
    tick_at: datetime | None = None


class Exchange:
    """The services in the order of their turns. `kept` takes every control message as it is published."""

    def __init__(self, members: Mapping[str, tuple[Member, InlineJobs]], readers: Mapping[str, Sequence[str]]) -> None:
        self._seats = {name: _Seat(member, Task(name, None), jobs) for name, (member, jobs) in members.items()}
        self._readers = readers
        self._ends: dict[str, int] = {}
        self.kept: dict[str, list[Any]] = {}

    def post(self, topic: Topic[Any], post: Post, *, to: str | None = None) -> None:
        """Puts a post into the inbox of the topic's readers (or of one)."""
        for name in self._readers[topic.name] if to is None else (to,):
            if name in self._seats:
                self._seats[name].inbox.setdefault(topic.name, []).append(post)

    def publish(self, outs: Sequence[Out]) -> None:
        """Control messages, through JSON and back."""
        for out in outs:
            offset = self._ends.get(out.topic.name, 0)
            self._ends[out.topic.name] = offset + 1
            value = encode(out.message)
            message = decode(out.topic, value)
            self.kept.setdefault(out.topic.name, []).append(message)
            self.post(out.topic, Post([offset], [message], [value]))

    def run(self, now: datetime) -> None:
        """Turns every service, in order, until nothing moves at this time."""
        for _ in range(MOST_ROUNDS):
            moved = [self._turn(seat, now) for seat in self._seats.values()]
            if not any(moved):
                return
        raise RuntimeError(f"still not idle after {MOST_ROUNDS} rounds: do two services answer each other for ever?")

    def _turn(self, seat: _Seat, now: datetime) -> bool:
        inbox, seat.inbox = seat.inbox, {}
        ended, seat.ended = seat.ended, []
        tick = seat.tick_at is None or now >= seat.tick_at
        step = _step_of(seat, inbox, ended, tick, now) if inbox or ended or tick else Step()
        self.publish(step.messages)
        if finished := seat.jobs.finished(now):
            seat.jobs.forget(finished)
            seat.ended += [JobResult(e.job, e.name, e.seconds, e.result, e.error) for e in finished]
        for job in step.jobs:
            seat.jobs.start(seat.task, job, now)
        return bool(inbox or ended or finished)


def _step_of(seat: _Seat, inbox: dict[str, list[Post]], ended: list[JobResult], tick: bool, now: datetime) -> Step:
    step = Step()
    for name in sorted(inbox, key=lambda name: _ORDER[name]):
        for post in _joined(inbox[name]):
            step += seat.member.take(_TOPICS[name], post, now)
    for result in ended:
        step += seat.member.service.on_job(result, now)
    if tick:
        step += seat.member.service.on_tick(now)
        seat.tick_at = now + TICK
    return step


def _joined(posts: Sequence[Post]) -> Sequence[Post]:
    """Posts of one topic as one, as one poll would bring them; data by the row come in one post already."""
    if len(posts) == 1 or any(not isinstance(post.messages, list) for post in posts):
        return posts
    return [
        Post(
            [offset for post in posts for offset in post.offsets],
            [message for post in posts for message in post.messages],
            [value for post in posts for value in post.values],
        )
    ]
