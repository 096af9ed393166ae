"""The remediator's knobs, and the policies it falls back on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from services.remediator.core.limits import Limits
from shared.errors import Misconfigured
from shared.pipeline.load_policies import load_policies
from shared.pipeline.span import duration_of
from shared.pipeline.specification import Policy
from shared.settings import whole

DEFAULT_POLICIES_FILE = Path(__file__).with_name("policies.yaml")


@dataclass(frozen=True, slots=True, kw_only=True)
class RemediatorSettings:
    """`policies` answer for pipelines that have none of their own; `limits` hold for all."""

    policies: tuple[Policy, ...]
    limits: Limits = field(default_factory=Limits)


def remediator_settings(environ: Mapping[str, str]) -> RemediatorSettings:
    """The settings in `environ`; `Misconfigured` names the variable or the file that is wrong."""
    defaults = Limits()
    limits = Limits(
        wait_within=_duration(environ, "HOMEOSTAT_WAIT_WITHIN", defaults.wait_within),
        approval_within=_duration(environ, "HOMEOSTAT_APPROVAL_WITHIN", defaults.approval_within),
        request_within=_duration(environ, "HOMEOSTAT_REQUEST_WITHIN", defaults.request_within),
        escalated_within=_duration(environ, "HOMEOSTAT_ESCALATED_WITHIN", defaults.escalated_within),
        tell_after=_duration(environ, "HOMEOSTAT_TELL_AFTER", defaults.tell_after),
        max_reopens=whole(environ, "HOMEOSTAT_MAX_REOPENS", defaults.max_reopens),
        max_replicas=whole(environ, "HOMEOSTAT_MAX_REPLICAS", defaults.max_replicas),
        person_actions_per_hour=whole(environ, "HOMEOSTAT_PERSON_ACTIONS_PER_HOUR", defaults.person_actions_per_hour),
        upkeep_share=_share(environ, "HOMEOSTAT_UPKEEP_SHARE", defaults.upkeep_share),
        dry_run=_flag(environ, "HOMEOSTAT_DRY_RUN"),
    )
    path = Path(environ.get("HOMEOSTAT_POLICIES") or DEFAULT_POLICIES_FILE)
    return RemediatorSettings(policies=load_policies(path), limits=limits)


def _duration(environ: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = environ.get(name)
    if not text:
        return default
    try:
        return duration_of(text)
    except ValueError as error:
        raise Misconfigured(f"{name}: {error}") from error


def _share(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise Misconfigured(f"{name}={text!r} is not a share above 0 and up to 1")
    return share


def _flag(environ: Mapping[str, str], name: str) -> bool:
    text = (environ.get(name) or "false").lower()
    if text not in ("true", "false", "1", "0"):
        raise Misconfigured(f"{name}={text!r} is neither true nor false")
    return text in ("true", "1")
