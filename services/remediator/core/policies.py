"""Which policy answers a diagnosis, and whether a policy can be carried out at all."""

from __future__ import annotations

from collections.abc import Sequence

from services.remediator.core.incidents import Diagnosis
from shared.messages import Alert
from shared.pipeline.specification import Policy
from shared.pipeline.vocabulary import ACTIONS, ALERT_KINDS, CAUSES, METRIC_FAMILIES


def policy_for(alert: Alert, diagnosis: Diagnosis, policies: Sequence[Policy]) -> Policy | None:
    """The first policy that answers this alert so diagnosed, or None."""
    return next((policy for policy in policies if answers(policy, alert, diagnosis)), None)


def answers(policy: Policy, alert: Alert, diagnosis: Diagnosis) -> bool:
    """Whether all given parts of the policy's trigger match; an empty part matches anything."""
    when = policy.when
    return (
        when.every is None
        and (not when.kinds or alert.kind in when.kinds)
        and (not when.causes or diagnosis.cause in when.causes)
        and (not when.severities or alert.severity in when.severities)
    )


def only_watched(alert: Alert, diagnosis: Diagnosis, policies: Sequence[Policy]) -> bool:
    """Whether nothing is to be done: severity info, and no policy asks for it by name; or answers that
    differ because they were meant to.
    """
    if diagnosis.name == "expected_shift":
        return True
    if alert.severity != "info":
        return False
    asking = (policy for policy in policies if "info" in policy.when.severities)
    return not any(answers(policy, alert, diagnosis) for policy in asking)


def problems_in(policy: Policy) -> list[str]:
    """What makes a policy impossible to carry out, each a sentence; a policy with any is not used."""
    found = [
        f"policy {policy.name}: there is no action {rung.action!r}; there are {', '.join(sorted(ACTIONS))}"
        for rung in policy.ladder
        if rung.action not in ACTIONS
    ]
    found += [
        f"policy {policy.name}: metric {rung.metric!r} can never be measured; write alert.resolved, or "
        f"performance.<name> or estimate.<name>"
        for rung in policy.ladder
        if rung.metric is not None and not _measurable(rung.metric)
    ]
    when = policy.when
    found += [
        f"policy {policy.name}: there is no alert kind {kind!r}" for kind in when.kinds if kind not in ALERT_KINDS
    ]
    found += [f"policy {policy.name}: there is no cause {cause!r}" for cause in when.causes if cause not in CAUSES]
    if when.every is not None and (when.kinds or when.causes or [r.action for r in policy.ladder] != ["retrain"]):
        found.append(f"policy {policy.name}: with `every` there are no kinds or causes, and one rung: retrain")
    if not policy.ladder:
        found.append(f"policy {policy.name}: its ladder is empty; give it at least one rung")
    return found


def _measurable(metric: str) -> bool:
    family, _, name = metric.partition(".")
    return metric == "alert.resolved" or (family in METRIC_FAMILIES and bool(name))
