"""Messages about models: which version exists, what made it, which one is live."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Literal

import msgspec

Stage = Literal["shadow", "canary", "champion", "retired"]


class Artifact(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a model's bytes are and how to be sure they are the right ones.

    `format`: ``compiled`` (arrays and ONNX, with the estimator they were made from beside them), ``skops``
    (scikit-learn, runs no code on load) or ``signed-river`` (signed by the trainer, refused unsigned).
    `signature` is HMAC-SHA256 over `sha256`, hex.
    """

    uri: str
    sha256: str
    format: str
    size: int
    signature: str


class Lineage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that made a version: train again from it and compare.

    `features_ranges` and `labels_ranges` map partition (as text) to [from, until) offsets;
    `excluded_ranges` lists [partition, from, until) stretches of `features` left out as quarantined, and
    `excluded_sources` whose rows in them: "" or none there means everybody's.
    """

    features_ranges: dict[str, tuple[int, int]]
    labels_ranges: dict[str, tuple[int, int]]
    data_hash: str
    rows: int
    specification_version: int
    specification_digest: str
    code_revision: str
    seed: int
    libraries: dict[str, str]
    excluded_ranges: tuple[tuple[int, int, int], ...] = ()
    excluded_sources: tuple[str, ...] = ()
    estimator: str = ""
    parameters: dict[str, object] = {}

    @property
    def left_out(self) -> tuple[tuple[int, int, int, str], ...]:
        """The stretches as (partition, from, until, source)."""
        pairs = zip(self.excluded_ranges, chain(self.excluded_sources, repeat("")))  # noqa: B905 - the rest is ""
        return tuple((*stretch, source) for stretch, source in pairs)


class ModelPublished(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A version takes a stage. On `model-published`, keyed by `pipeline`, in the order it happened.

    A ``champion`` replaces the champion before it (no separate ``retired`` record is needed for
    that); ``retired`` withdraws a shadow or canary. `weight` is the canary's share in [0, 1].
    `metrics` are those of the gate, on the newest labelled rows.
    """

    pipeline: str
    version: str
    stage: Stage
    artifact: Artifact
    features: tuple[str, ...]
    definition: str
    kind: str
    lineage: Lineage
    weight: float = 1.0
    metrics: dict[str, float] = {}
    classes: tuple[str, ...] = ()
    reason: str = ""
    previous: str | None = None
    command: str | None = None
    incident: str | None = None
