"""The names that a specification may use for what other parts provide: learners, metrics, alerts, actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args, get_type_hints

from shared.messages import ActionName, AlertKind, Cause
from shared.pipeline.specification import Kind

_CLASSES = (
    "logistic",
    "online-logistic",
    "hist-gradient-boosting",
    "random-forest",
    "river-adaptive-tree",
    "river-logistic",
)

CANDIDATES: Mapping[Kind, tuple[str, ...]] = {
    "binary": _CLASSES,
    "multiclass": _CLASSES,
    "regression": ("ridge", "online-linear", "river-linear", "hist-gradient-boosting", "random-forest", "river-tree"),
    "anomaly": (
        "isolation-forest",
        "gaussian-mixture",
        "river-half-space-trees",
        "elliptic-envelope",
        "river-one-class-svm",
    ),
}
"""The trainer's learners by kind of pipeline."""

METRICS: Mapping[Kind, tuple[str, ...]] = {
    "binary": ("accuracy", "balanced_accuracy", "f1", "log_loss", "roc_auc"),
    "multiclass": ("accuracy", "balanced_accuracy", "f1", "log_loss", "roc_auc"),
    "regression": ("mae", "rmse", "r2"),
    "anomaly": ("accuracy", "balanced_accuracy", "f1", "roc_auc"),
}
"""What a gate can hold a challenger to."""

METRIC_FAMILIES = ("performance", "estimate")
"""Whose figures a remedy can be held to: those that are told per model version."""

ALERT_KINDS: tuple[str, ...] = get_args(AlertKind)
ACTIONS: tuple[str, ...] = get_args(ActionName)
CAUSES: tuple[str, ...] = get_args(get_type_hints(Cause)["kind"])
