"""Documents made from read models: the model card and the post-mortem, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def card_of(version: Mapping[str, Any], about: str) -> str:
    """A model card (Mitchell et al., 2019) from a version's full view."""
    return "\n".join(_card_lines(version, about))


def _card_lines(version: Mapping[str, Any], about: str) -> Iterator[str]:
    lineage = version["lineage"]
    yield f"# {version['pipeline']}, version {version['version']}"
    yield ""
    yield about or f"A {version['kind']} model."
    yield ""
    yield f"- Stage: {version['stage']}, since {version['at']}"
    yield f"- Why: {version['reason'] or 'no reason recorded'}"
    yield f"- Learner: {lineage['estimator'] or 'not recorded'}"
    yield f"- Features ({len(version['features'])}): {', '.join(version['features'])}"
    yield ""
    yield "## How it did at the gate, on the newest labelled rows"
    yield ""
    yield "| metric | value |"
    yield "|---|---|"
    for name, value in sorted(version["metrics"].items()):
        yield f"| {name} | {value:.6g} |"
    yield ""
    yield "## What it was made from"
    yield ""
    yield f"- Rows: {lineage['rows']}"
    yield f"- Data: SHA-256 {lineage['data_hash']}"
    for topic in ("features", "labels"):
        ranges = (f"{p}: {a} to {b}" for p, (a, b) in sorted(lineage[f"{topic}_ranges"].items()))
        yield f"- Offsets of `{topic}`, by partition: {'; '.join(ranges) or 'none'}"
    yield f"- Left out as quarantined: {len(lineage['excluded_ranges'])} stretches"
    yield f"- Specification: version {lineage['specification_version']}, {lineage['specification_digest']}"
    yield f"- Code: {lineage['code_revision']}; seed {lineage['seed']}"
    yield f"- Parameters: {', '.join(f'{k}={v}' for k, v in sorted(lineage['parameters'].items())) or 'defaults'}"
    yield f"- Libraries: {', '.join(f'{k} {v}' for k, v in sorted(lineage['libraries'].items()))}"
    yield f"- Artefact: {version['artifact']['format']}, SHA-256 {version['artifact']['sha256']}"
    yield ""


def postmortem_of(incident: Mapping[str, Any]) -> str:
    """What happened, why, what was done and what became of it, from an incident's view."""
    return "\n".join(_postmortem_lines(incident))


def _postmortem_lines(incident: Mapping[str, Any]) -> Iterator[str]:
    cause = incident["cause"]
    yield f"# {incident['id']}: {incident['summary']}"
    yield ""
    yield f"- Pipeline: {incident['pipeline']}"
    yield f"- State: {incident['state']}{_progress(incident['progress'])}"
    yield f"- Opened {incident['opened']}, last changed {incident['updated']}"
    yield f"- Cause: {_cause(cause)}"
    yield f"- Outcome: {incident['outcome'] or 'not known yet'}"
    yield ""
    yield "## What was noticed"
    yield ""
    for alert in incident["alerts"]:
        evidence = alert["evidence"]
        yield (
            f"- {alert['severity']} {alert['kind']}: {alert['summary']} "
            f"({evidence['statistic']} {evidence['value']:.4g}, threshold {evidence['threshold']:.4g}, "
            f"{evidence['samples']} samples)"
        )
    yield ""
    yield "## What was done"
    yield ""
    for action in incident["actions"]:
        yield f"- {action['action']} by {action['issued_by']}: {action['reason']}. {_became(action)}"
    if not incident["actions"]:
        yield "Nothing."
    yield ""
    yield "## Step by step"
    yield ""
    yield "| when | what | in the log |"
    yield "|---|---|---|"
    for step in incident["steps"]:
        told = str(step["summary"]).replace("|", "\\|").replace("\n", " ")
        yield f"| {step['at']} | {step['kind']}: {told} | {step['topic']}/{step['partition']}@{step['offset']} |"
    yield ""


def _progress(progress: Mapping[str, Any] | None) -> str:
    if progress is None:
        return ""
    by = f", counted {progress['window']:,} at a time" if progress["window"] else ""
    return f" ({progress['told']}{by})"


def _cause(cause: Mapping[str, Any] | None) -> str:
    if cause is None:
        return "not known"
    return " ".join(str(cause.get(name, "")) for name in ("kind", "what", "detail") if cause.get(name))


def _became(action: Mapping[str, Any]) -> str:
    expects = action["expects"]
    held = (
        ""
        if expects is None
        else f"Expected {expects['metric']} {_BOUND[expects['direction']]} {expects['bound']:.4g}. "
    )
    return f"{held}It {action['state']}" + (f": {action['detail']}" if action["detail"] else ".")


_BOUND = {"up": "at least", "down": "at most"}
