"""Messages of the control path: metrics, alerts, requests, commands, results, the ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

AlertKind = Literal[
    "data_quality",
    "data_drift",
    "concept_drift",
    "performance",
    "prediction_drift",
    "anomaly",
    "latency",
    "errors",
    "lag",
    "saturation",
    "service_down",
    "cost",
    "fairness",
]
Severity = Literal["info", "warning", "critical"]
AlertState = Literal["firing", "resolved"]
ActionName = Literal[
    "retrain",
    "rollback",
    "promote",
    "shift_traffic",
    "hold",
    "release_hold",
    "quarantine_source",
    "release_source",
    "recalibrate",
    "restart_service",
    "scale_service",
    "notify",
]
CommandState = Literal["accepted", "running", "succeeded", "failed", "refused", "expired"]


class LogPosition(msgspec.Struct, frozen=True, omit_defaults=True):
    """The address of one record: topic, partition, offset."""

    topic: str
    partition: int
    offset: int


class Window(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rows a statistic was computed on.

    `index` counts windows of one pipeline and metric family. `first_row` and `last_row` count
    predictions of the pipeline from 0, inclusive. `begins` and `ends` are event times. `positions`
    maps features partition (as text) to the first offset in the window: where a retrain that wants
    only rows "since the change" starts reading.
    """

    index: int
    first_row: int
    last_row: int
    rows: int
    begins: datetime | None = None
    ends: datetime | None = None
    positions: dict[str, int] = {}


class Metrics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Statistics of one window of one pipeline. On `metrics`, keyed by `pipeline`.

    `family`: ``performance`` (over labelled rows), ``estimate`` (no labels needed), ``data`` (drift
    and quality of the inputs), ``service`` (telemetry of the services). `values` maps metric name
    (``accuracy``, ``psi.nswprice``, ``missing.vicprice``) to its value; `by_version` repeats the
    performance values per model version, `by_slice` per slice (``region = NSW``). `completeness` is the
    share that have their label, of the window's rows whose labels are due. `revision` grows when labels
    that came late or were corrected change a window already published: the highest revision of
    (pipeline, family, window.index) counts.
    `rows_seen` and `labelled_seen` are the pipeline's running totals.
    """

    pipeline: str
    family: Literal["performance", "estimate", "data", "service"]
    at: datetime
    window: Window
    values: dict[str, float]
    by_version: dict[str, dict[str, float]] = {}
    by_slice: dict[str, dict[str, float]] = {}
    completeness: float = 1.0
    revision: int = 0
    rows_seen: int = 0
    labelled_seen: int = 0
    model_version: str = ""


class Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One suspect. `what` names it: a field, a slice, a source, a service or a model version."""

    kind: Literal["feature", "slice", "source", "service", "version", "model", "label", "load"]
    what: str
    score: float
    detail: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an alert fires: the statistic, what it was held against, and on how much data.

    `p_value` or `bound` is the error control of the test. `baseline` is the value before the fault.
    `change` is where the change is estimated to begin: the first window in which it shows.
    """

    statistic: str
    value: float
    threshold: float
    window: Window
    samples: int
    reference_samples: int = 0
    baseline: float | None = None
    p_value: float | None = None
    bound: float | None = None
    method: str = ""
    change: Window | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something is wrong, or no longer is. On `alerts`, keyed by `pipeline`.

    `fingerprint` stays the same for the same trouble in the same place; `id` is one firing of it.
    The same id is published again with more evidence, and last with state ``resolved``. `since` is when the
    trouble began: the arrival of the first row of `evidence.change`, or the last sign of life of a service that
    fell silent; `at` of the first word where neither is known.
    """

    id: str
    fingerprint: str
    pipeline: str
    kind: AlertKind
    severity: Severity
    state: AlertState
    since: datetime
    at: datetime
    summary: str
    evidence: Evidence
    causes: tuple[Cause, ...] = ()
    false_alarm_budget: float = 0.0
    model_version: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person asks for. On `requests`, keyed by `pipeline`. Only the remediator acts on it.

    `action` is a command's action, or one of ``approve``, ``reject``, ``acknowledge`` with
    `incident` set.
    """

    id: str
    pipeline: str
    action: str
    issued_by: str
    at: datetime
    arguments: dict[str, object] = {}
    incident: str | None = None
    reason: str = ""


class Expectation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a command is expected to do, so that it can be verified.

    `metric` names a value of `Metrics` (`family`.`name`, as ``performance.accuracy``) or
    ``alert.resolved``. Met when the value is at least (``up``) or at most (``down``) `bound` over
    `rows` rows after the command succeeded, before `by`.
    """

    metric: str
    direction: Literal["up", "down"]
    bound: float
    rows: int
    by: datetime


class Command(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order. On `commands`, keyed by `pipeline`. Acting twice on one id acts once.

    `issued_by` is ``policy:<name>@<version>`` or ``person:<who>``. Arguments by action:
    retrain {since?: {partition: offset}, until?: {partition: offset}, reason?}; rollback
    {to_version?}; promote {version, force?}; shift_traffic {version, weight}; hold/release_hold {};
    quarantine_source {source, fields, since?: {partition: offset}}; release_source {source, fields,
    until?: {partition: offset}, accept?}; restart_service {service}; scale_service {service, replicas};
    notify {message}. Offsets are those of `features`.
    """

    id: str
    incident: str
    pipeline: str
    action: ActionName
    arguments: dict[str, object]
    reason: str
    issued_by: str
    at: datetime
    deadline: datetime
    expects: Expectation | None = None


class CommandResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of a command. On `command-results`, keyed by `pipeline`, by whoever acts on it."""

    command: str
    pipeline: str
    state: CommandState
    at: datetime
    service: str
    detail: str = ""
    model_version: str | None = None
    cost_seconds: float | None = None


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One link of the ledger. On `audit`, keyed by ``ledger``; `hash` covers all else and `previous`.

    `kind` is what happened: ``incident_opened``, ``triaged``, ``command_issued``,
    ``awaiting_approval``, ``approved``, ``rejected``, ``acknowledged``, ``command_result``,
    ``measuring``, ``verified``, ``not_verified``, ``unknown``, ``undone``, ``suppressed``,
    ``escalated``, ``incident_resolved``, ``incident_expired``, ``model_published``,
    ``pipeline_defined``, ``request_refused``, ``alert_joined``, ``resumed``.
    `refs` are the log positions of the records it speaks of. No raw data: ids and figures only.
    """

    sequence: int
    at: datetime
    kind: str
    pipeline: str
    incident: str
    summary: str
    body: dict[str, object]
    refs: tuple[LogPosition, ...]
    previous: str
    hash: str


class PipelineDefined(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A pipeline's specification as of now. On `pipelines` (compacted), keyed by `pipeline`.

    `version` counts from 1; `digest` is the SHA-256 of the canonical specification.
    """

    pipeline: str
    version: int
    digest: str
    specification: dict[str, object]
    at: datetime
    issued_by: str
    removed: bool = False


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A service's pulse, written by its runtime every few seconds. On `telemetry`, keyed by `service`.

    Totals count since `started`. `lag` is records waiting per topic; `step_seconds` is the longest
    step since the last beat; `rss_bytes` the resident memory. `restarts` is filled by a supervisor
    that knows it. A supervisor also beats for the parts it runs (``kafka``, ``redis``, ``mlflow``).
    `starting`: it is there and does not serve yet; `state` then says what one who does not know this field should
    take it for. `incomplete` says what its restored state lacks; empty where it is whole.
    """

    service: str
    instance: str
    at: datetime
    started: datetime
    records_in: int = 0
    records_out: int = 0
    dead: int = 0
    errors: int = 0
    step_seconds: float = 0.0
    lag: dict[str, int] = {}
    rss_bytes: int = 0
    state: Literal["running", "draining", "down"] = "running"
    starting: bool = False
    incomplete: str = ""
