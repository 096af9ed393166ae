"""The pipeline specification as a checked value. Only name, kind, schema and target are needed.

Unknown fields are refused. The canonical form (`canonical`) has every default filled in; its
SHA-256 (`digest`) is the address of a specification.
"""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.functional_validators import BeforeValidator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from shared.pipeline import kinds
from shared.pipeline.span import Span, duration_of, duration_text

Kind = kinds.Kind
FieldType = Literal["number", "integer", "string", "boolean", "timestamp"]
Duration = Annotated[
    timedelta,
    BeforeValidator(lambda v: duration_of(v) if isinstance(v, str) else v),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d|w)$"}, mode="validation"),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FieldSpec(_Part):
    """One field of the data contract. `range` is inclusive; None on a side leaves it open."""

    type: FieldType
    unit: str | None = None
    range: tuple[float | None, float | None] | None = None
    allowed: tuple[str | int | float | bool, ...] | None = None
    nullable: bool = False
    pii: bool = False
    about: str = ""


class FeatureSpec(_Part):
    """One feature: an SQL expression over the fields, or a window of one by key.

    `expression` is SQL over the row's fields (``nswprice - vicprice``). With `window` (rows, the
    current one included) or `lag` (rows back), it is taken over the rows of the same key in stream
    order: `statistic` of the window, or the value `lag` rows before. `min_rows`: fewer give null (a
    count never is). An expression without window or lag may also name a feature declared before it
    (a field of the same name comes first). `input` False: a step towards other features, not given
    to the model. What cannot be computed or is not finite is null.
    """

    expression: str
    window: int | None = Field(default=None, ge=1, le=10_000)
    lag: int | None = Field(default=None, ge=1, le=10_000)
    statistic: Literal["mean", "std", "min", "max", "sum", "count", "median"] = "mean"
    min_rows: int = Field(default=1, ge=1)
    input: bool = True

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"expression": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The short form is text: the expression alone."""
        return {"anyOf": [{"type": "string"}, handler.resolve_ref_schema(handler(core))]}

    @model_validator(mode="after")
    def _one_of(self) -> FeatureSpec:
        if self.window is not None and self.lag is not None:
            raise ValueError("a feature has a window or a lag, not both")
        return self


class SearchSpec(_Part):
    """The hyper-parameter search: it ends at `seconds` or at `trials`, whichever is first."""

    seconds: float = Field(default=10.0, ge=0)
    trials: int = Field(default=20, ge=0)


class ModelsSpec(_Part):
    """Which learners compete. Empty `candidates`: the defaults for the pipeline's kind.

    `train_rows` bounds the training set to the newest rows; `min_rows` is what a first model needs.
    """

    candidates: tuple[str, ...] = ()
    search: SearchSpec = SearchSpec()
    folds: int = Field(default=3, ge=2, le=20)
    min_rows: int = Field(default=500, ge=50)
    train_rows: int = Field(default=20_000, ge=100)
    seed: int = 0


class GateSpec(_Part):
    """What a challenger must show on the newest labelled rows to replace the champion.

    `metric` defaults by kind (accuracy, accuracy, mae). The challenger must be better by at least
    `min_improvement` (in the metric's unit), on `holdout` (a share) of the training rows, at least
    `min_rows` of them. `must_beat_baseline`: also better than the majority class or the mean.
    """

    metric: str | None = None
    min_improvement: float = 0.0
    holdout: float = Field(default=0.2, gt=0, lt=1)
    min_rows: int = Field(default=50, ge=10)
    must_beat_baseline: bool = True


class CanaryStep(_Part):
    weight: float = Field(gt=0, lt=1)
    rows: int = Field(gt=0)


class ReleaseSpec(_Part):
    """How a version that passed the gate goes live. Without steps it becomes champion at once."""

    shadow_rows: int = Field(default=0, ge=0)
    canary: tuple[CanaryStep, ...] = ()


class MonitorSpec(_Part):
    """What is watched and how often it may cry wolf.

    `window` is the rows per data window, `performance_window` the labelled rows per performance
    window. `false_alarms_per_million` is the budget, over all detectors of the pipeline together,
    in false alarms per million rows. `tolerance` is the loss of the main metric that nobody needs
    to act on (accuracy points for classes, a share of the error for regression).

    `slices` are fields whose values are told apart in the performance figures; one that is answered
    worse than the rest by more than `tolerance`, beyond chance, is a `fairness` alert.
    `latency_objective_ms` is what 99 % of answers may take, from an event's arrival to its answer;
    where more take longer, that is a `latency` alert. `anomalies`: whether rows far outside the usual
    ranges are told of.
    """

    window: int = Field(default=500, ge=50)
    performance_window: int = Field(default=250, ge=20)
    reference_rows: int = Field(default=2000, ge=100)
    false_alarms_per_million: float = Field(default=10.0, gt=0)
    tolerance: float = Field(default=0.03, ge=0)
    slices: tuple[str, ...] = ()
    anomalies: bool = True
    latency_objective_ms: float = Field(default=1000.0, gt=0)


class Trigger(_Part):
    """Which alerts a policy answers: all given parts must match; an empty part matches anything.

    `every`: no alert at all, but so many labelled rows (or so much time) since the last training.
    """

    kinds: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()
    severities: tuple[Literal["info", "warning", "critical"], ...] = ("warning", "critical")
    every: Span | None = None


class Rung(_Part):
    """One action of a ladder, and how its effect is judged.

    `recover`: the share of the loss (baseline minus level at the alert) that must be won back over
    `verify_rows` labelled rows within `verify_within`. ``alert.resolved`` as `metric` waits for the
    alert to end instead. `undo`: take the action back when it did not help.
    """

    action: str
    arguments: dict[str, str | int | float | bool] = {}
    metric: str | None = None
    recover: float = Field(default=0.5, ge=0, le=1)
    verify_rows: int = Field(default=500, ge=1)
    verify_within: Duration = timedelta(hours=24)
    deadline: Duration = timedelta(minutes=15)
    undo: bool = True


class Budget(_Part):
    """At most `actions` in any stretch of `per`."""

    actions: int = Field(default=3, ge=0)
    per: Span = Span(time=timedelta(days=1))


class Policy(_Part):
    """What to do about a kind of trouble: a ladder of actions, tried in order until one is verified."""

    name: str
    when: Trigger
    ladder: tuple[Rung, ...]
    cooldown: Span = Span(rows=1000)
    budget: Budget = Budget()
    approval: bool = False
    dry_run: bool = False


class Policies(_Part):
    """A file of policies: those alone, without a pipeline."""

    policies: tuple[Policy, ...]


class RetentionSpec(_Part):
    """How long history is kept as Parquet."""

    history: Duration = timedelta(days=365)


class Specification(_Part):
    """One pipeline, whole. See `examples/` for three real ones.

    `label_delay` is how long after the row's own time its label is due: completeness is judged over
    rows that are due, and labels that are due and do not come are noticed. 0: due with the row.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    kind: Kind
    fields: dict[str, FieldSpec] = Field(alias="schema", min_length=1)
    target: str | None = None
    id: str | None = None
    key: str | None = None
    timestamp: str | None = None
    label_delay: Duration = timedelta(0)
    features: dict[str, FeatureSpec] = {}
    models: ModelsSpec = ModelsSpec()
    gate: GateSpec = GateSpec()
    release: ReleaseSpec = ReleaseSpec()
    monitor: MonitorSpec = MonitorSpec()
    policies: tuple[Policy, ...] = ()
    retention: RetentionSpec = RetentionSpec()
    about: str = ""

    @cached_property
    def canonical(self) -> dict[str, Any]:
        """Plain JSON with every default filled in, in a fixed order of fields."""
        return self.model_dump(mode="json", by_alias=True)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical form, hex."""
        text = json.dumps(self.canonical, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    @cached_property
    def feature_specs(self) -> dict[str, FeatureSpec]:
        """All features by name, steps (`input` False) included: those declared, else each field that can be one."""
        if self.features:
            return dict(self.features)
        not_inputs = {self.target, self.id, self.timestamp, self.key}
        return {
            name: FeatureSpec(expression=f'"{name}"')
            for name, field in self.fields.items()
            if name not in not_inputs and field.type != "timestamp" and not field.pii
        }

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """The model's inputs, in order."""
        return tuple(name for name, spec in self.feature_specs.items() if spec.input)

    @cached_property
    def withholdable(self) -> tuple[str, ...]:
        """The fields that a quarantine can withhold from features: not the target, id, key or timestamp."""
        fixed = {self.target, self.id, self.key, self.timestamp}
        return tuple(name for name in self.fields if name not in fixed)

    @cached_property
    def definition(self) -> str:
        """A hash of the features' definition: a model answers only rows computed by its own."""
        text = json.dumps({name: spec.model_dump(mode="json") for name, spec in self.feature_specs.items()})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def main_metric(self) -> str:
        """The metric that gates and verification speak of, by its name in `Metrics`."""
        return self.gate.metric or ("mae" if self.kind == "regression" else "accuracy")
