"""What is live, what was, and what a rollback goes back to: the state of one pipeline's versions.

The good lineage is a stack: a version that becomes champion is put on top of the champion it
replaces. A rollback takes the champion off and marks it `withdrawn`, so that the next rollback goes
one further back and never returns to a version that was taken down. Only a promotion by name
(`promote`, or `rollback` with `to_version`) brings a withdrawn version back.

Every function returns new values; nothing here knows the time.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import msgspec

from shared.messages import Artifact, Lineage, ModelPublished, Stage

KEPT_VERSIONS = 100
"""Versions that are remembered beside those that answer or may answer again; the log and MLflow have all."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A trained model on its way to becoming a version: all that `ModelPublished` needs but its number.

    It is also the form in which a model from outside is brought (`promote {"candidate": {...}}`).
    `origin`: ``trained``, ``recalibrated`` or ``external``. `card` is the model card as JSON.
    """

    artifact: Artifact
    features: tuple[str, ...]
    definition: str
    kind: str
    lineage: Lineage
    metrics: dict[str, float] = {}
    classes: tuple[str, ...] = ()
    origin: str = "trained"
    card: dict[str, Any] = {}


class Version(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A numbered candidate. `gated`: it passed the gate; otherwise only force makes it champion."""

    number: str
    candidate: Candidate
    gated: bool
    withdrawn: bool = False


class Trial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version on its way to champion. `step` -1 is the shadow, from 0 on the canary's steps.

    `since_row` is the pipeline's `rows_seen` when the step began. `shown` maps window index to
    (rows, main metric) by version, as measured since the trial began.
    """

    version: str
    stage: Stage
    weight: float
    step: int
    since_row: int
    shown: dict[str, dict[str, tuple[float, float]]] = {}


class Releases(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The versions of one pipeline. `good` are the champions below the present one, oldest first.

    `before` is the good lineage with the champion on top as it was before the present one took over.
    `numbered` is the highest number given.
    """

    versions: dict[str, Version] = {}
    champion: str | None = None
    before: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    trial: Trial | None = None
    held: bool = False
    numbered: int = 0

    @property
    def previous(self) -> str | None:
        """The version that a rollback goes back to, or None."""
        return self.good[-1] if self.good else None

    @property
    def next_number(self) -> str:
        return str(max(self.numbered, len(self.versions)) + 1)


def with_version(releases: Releases, candidate: Candidate, *, gated: bool) -> tuple[Releases, Version]:
    """The candidate under the next number; the same artefact brought twice keeps its number."""
    for known in releases.versions.values():
        if known.candidate.artifact.sha256 == candidate.artifact.sha256 and known.candidate.origin == candidate.origin:
            return releases, known
    version = Version(number=releases.next_number, candidate=candidate, gated=gated)
    return msgspec.structs.replace(_with(releases, version), numbered=int(version.number)), version


def pruned(releases: Releases, needed: Container[str] = ()) -> Releases:
    """Without the oldest versions, of more than `KEPT_VERSIONS`, that nothing names: neither champion, trial, the
    newest of the good lineage, nor `needed`.
    """
    numbers = list(releases.versions)
    trial = "" if releases.trial is None else releases.trial.version
    named = {releases.champion, trial, *releases.good[-KEPT_VERSIONS:], *releases.before[-KEPT_VERSIONS:]}
    newest = set(numbers[-KEPT_VERSIONS:])
    versions = {n: releases.versions[n] for n in numbers if n in newest or n in named or n in needed}
    if len(versions) == len(numbers):
        return releases
    good, before = (tuple(n for n in stack if n in versions) for stack in (releases.good, releases.before))
    return msgspec.structs.replace(releases, versions=versions, good=good, before=before)


def without_card(releases: Releases, number: str) -> Releases:
    """The version's model card is kept elsewhere now."""
    version = releases.versions.get(number)
    if version is None or not version.candidate.card:
        return releases
    candidate = msgspec.structs.replace(version.candidate, card={})
    return _with(releases, msgspec.structs.replace(version, candidate=candidate))


def promoted(releases: Releases, number: str) -> Releases:
    """`number` is champion; the one it replaces is what a rollback goes back to."""
    if releases.champion == number:
        return msgspec.structs.replace(releases, trial=_trial_without(releases, number))
    good = tuple(each for each in releases.good if each != number)
    if releases.champion is not None:
        good = (*good, releases.champion)
    version = msgspec.structs.replace(releases.versions[number], withdrawn=False)
    return msgspec.structs.replace(
        _with(releases, version),
        champion=number,
        before=_lineage(releases),
        good=good,
        trial=_trial_without(releases, number),
    )


def rolled_back(releases: Releases, definition: str, to_version: str | None = None) -> Releases | str:
    """The last good version (or the named one) is champion again and the present one withdrawn, or why not.

    Only versions that take features of this `definition` can answer; those above the one gone back
    to leave the good lineage.
    """
    fit = [each for each in releases.good if releases.versions[each].candidate.definition == definition]
    target = to_version or (fit[-1] if fit else None)
    if target is None:
        return "no good version to go back to"
    if target not in releases.versions:
        return f"there is no version {target}; known are {', '.join(releases.versions) or 'none'}"
    if target == releases.champion:
        return f"version {target} is the champion already"
    if releases.versions[target].candidate.definition != definition:
        return f"version {target} takes features of another definition than the specification has now"
    good = releases.good[: releases.good.index(target)] if target in releases.good else releases.good
    after = _with(releases, msgspec.structs.replace(releases.versions[target], withdrawn=False))
    if releases.champion is not None:
        after = _with(after, msgspec.structs.replace(after.versions[releases.champion], withdrawn=True))
    return msgspec.structs.replace(
        after, champion=target, before=_lineage(releases), good=good, trial=_trial_without(releases, target)
    )


def refused(releases: Releases, number: str) -> Releases | None:
    """The releases once the predictor would not take champion `number`: the one before it went on answering.

    None where that changes nothing.
    """
    *good, champion = releases.before or ("",)
    if number != releases.champion or not champion:
        return None
    after = _with(releases, msgspec.structs.replace(releases.versions[number], withdrawn=True))
    after = _with(after, msgspec.structs.replace(after.versions[champion], withdrawn=False))
    rest = tuple(each for each in good if each != number)
    return msgspec.structs.replace(after, champion=champion, before=(), good=rest)


def on_trial(releases: Releases, trial: Trial) -> Releases:
    return msgspec.structs.replace(releases, trial=trial)


def trial_ended(releases: Releases) -> Releases:
    """No version is on trial; the one that was is withdrawn."""
    if releases.trial is None:
        return releases
    version = msgspec.structs.replace(releases.versions[releases.trial.version], withdrawn=True)
    return msgspec.structs.replace(_with(releases, version), trial=None)


def publication(
    pipeline: str,
    releases: Releases,
    number: str,
    stage: Stage,
    *,
    replaces: str | None,
    weight: float = 1.0,
    reason: str = "",
    command: str | None = None,
    incident: str | None = None,
) -> ModelPublished:
    """The message that says so. `replaces` is the champion before it, or beside which it is tried."""
    candidate = releases.versions[number].candidate
    return ModelPublished(
        pipeline=pipeline,
        version=number,
        stage=stage,
        artifact=candidate.artifact,
        features=candidate.features,
        definition=candidate.definition,
        kind=candidate.kind,
        lineage=candidate.lineage,
        weight=weight,
        metrics=candidate.metrics,
        classes=candidate.classes,
        reason=reason,
        previous=replaces if replaces != number else None,
        command=command,
        incident=incident,
    )


def _lineage(releases: Releases) -> tuple[str, ...]:
    return releases.good if releases.champion is None else (*releases.good, releases.champion)


def _with(releases: Releases, version: Version) -> Releases:
    return msgspec.structs.replace(releases, versions={**releases.versions, version.number: version})


def _trial_without(releases: Releases, number: str) -> Trial | None:
    trial = releases.trial
    return None if trial is not None and trial.version == number else trial
