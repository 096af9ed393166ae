"""Faults of policies: unknown kinds of alerts, causes and actions, and metrics that nobody measures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from shared.pipeline import vocabulary
from shared.pipeline.problems import Path, Problem, at, did_you_mean
from shared.pipeline.specification import Policies, Policy, Rung
from shared.pipeline.structure import Mended, read


def checked_policies(document: object) -> tuple[tuple[Policy, ...] | None, list[Problem]]:
    """The policies of a file of their own (a list), or None with every fault; paths begin with ``policies``."""
    if document is None:
        return None, [at((), "empty", "is empty, and a list of policies is expected; [] for none")]
    if not isinstance(document, list):
        return None, [at((), "not-a-list", "a file of policies is a list: it begins with `- name: …`")]
    found, problems, mended = read(Policies, {"policies": document})
    if found is not None:
        problems = [*problems, *(each for each in policy_problems(found.policies) if unguessed(each, mended))]
    return (None if problems or found is None else found.policies), problems


def unguessed(problem: Problem, mended: Mended) -> bool:
    """Whether the fault stands whatever was guessed to go on reading."""
    return not (mended.touches(problem.path) or (problem.reason == "invalid" and mended.beside(problem.path)))


def policy_problems(policies: Iterable[Policy]) -> Iterator[Problem]:
    """Every fault of every policy, in order; paths begin with ``policies`` and the policy's place."""
    names: set[str] = set()
    for index, policy in enumerate(policies):
        path = ("policies", index)
        if policy.name in names:
            yield at((*path, "name"), "conflict", f"there are two policies named `{policy.name}`")
        names.add(policy.name)
        yield from known_names(policy.when.kinds, vocabulary.ALERT_KINDS, (*path, "when", "kinds"), "kind of alert")
        yield from known_names(policy.when.causes, vocabulary.CAUSES, (*path, "when", "causes"), "kind of cause")
        ladder = [rung.action for rung in policy.ladder]
        if policy.when.every is not None and (policy.when.kinds or policy.when.causes or ladder != ["retrain"]):
            detail = "with `every` there are no kinds or causes, and one action: retrain"
            yield at((*path, "when", "every"), "invalid", detail)
        if not policy.ladder:
            yield at((*path, "ladder"), "invalid", "has no action; give at least one, as `- action: notify`")
        for step, rung in enumerate(policy.ladder):
            yield from _rung(rung, (*path, "ladder", step))


def _rung(rung: Rung, path: Path) -> Iterator[Problem]:
    yield from known_names([rung.action], vocabulary.ACTIONS, (*path, "action"), "action")
    family, _, name = (rung.metric or "").partition(".")
    if rung.metric not in (None, "alert.resolved") and (family not in vocabulary.METRIC_FAMILIES or not name):
        families = ", ".join(vocabulary.METRIC_FAMILIES)
        detail = (
            f"`{rung.metric}` cannot be measured: write alert.resolved, or one of {families}, a dot and a metric's name"
        )
        yield at((*path, "metric"), "invalid", detail)


def known_names(names: Iterable[str], known: Iterable[str], path: Path, what: str) -> Iterator[Problem]:
    """A fault for each of `names` that is no `what`."""
    known = list(known)
    for name in names:
        if name not in known:
            yield at(
                path,
                "unknown-name",
                f"`{name}` is no {what}{did_you_mean(name, known) or '; known are ' + ', '.join(known)}",
            )
