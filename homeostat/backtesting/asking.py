"""What was asked for, made into what a run needs. Each fault is `Misconfigured`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from homeostat.backtesting.columns import Columns
from homeostat.backtesting.history import History
from homeostat.backtesting.loop import Pace
from homeostat.column_types import of_events
from homeostat.rows import frame_of, plain_frame, read_rows
from services.remediator.settings import remediator_settings
from shared.errors import Misconfigured
from shared.pipeline.load import load
from shared.pipeline.load_policies import load_policies
from shared.pipeline.span import Span
from shared.pipeline.specification import Policy, Specification

Variants = Mapping[str, tuple[Policy, ...] | None]
"""Policies by the name of their file; None: those that would hold live."""


def columns_of(history: pl.DataFrame | Path | str, specification: Specification) -> Columns:
    """A frame, or a Parquet, CSV or NDJSON file, with ids and values as the commands would send them."""
    types = of_events(specification.canonical)
    if not isinstance(history, pl.DataFrame) and Path(history).suffix != ".parquet":
        return Columns.of_rows(read_rows(str(history), types=types))
    if isinstance(history, pl.DataFrame):
        return Columns.of_frame(plain_frame(history, "the history", types))
    return Columns.of_frame(plain_frame(frame_of(str(history)), str(history), types))


def specification_of(pipeline: Specification | Path | str, seed: int | None) -> Specification:
    """The specification with this seed (None: its own)."""
    specification = pipeline if isinstance(pipeline, Specification) else load(Path(pipeline))
    if seed is None:
        return specification
    document = specification.canonical
    return Specification.model_validate({**document, "models": {**document["models"], "seed": seed}})


def delay_of(text: str | None, specification: Specification) -> Span:
    """How long labels take."""
    if text is None:
        return Span(time=specification.label_delay)
    try:
        return Span.of(text)
    except ValueError as error:
        raise Misconfigured(f"label delay: {error}") from error


def pace_of(batch: int, rate: float | None, training_seconds: float) -> Pace:
    """The pace, if it can be one."""
    if batch < 1:
        raise Misconfigured(f"batch {batch}: at least one row must arrive at a time")
    if rate is not None and not (0 < rate < math.inf):
        raise Misconfigured(f"rate {rate:g}: give rows per virtual second, above 0, or none for the rows' own times")
    if not 0 <= training_seconds < math.inf:
        raise Misconfigured(f"training seconds {training_seconds:g}: give 0 or more")
    return Pace(batch=batch, rate=rate, training_seconds=training_seconds)


def variants_of(policies: Sequence[Path | str]) -> Variants:
    """The policies in these files; two files of one name are told apart by a number."""
    found: dict[str, tuple[Policy, ...] | None] = {}
    for path in map(Path, policies):
        name = path.stem if path.stem not in found else f"{path.stem} ({len(found) + 1})"
        found[name] = load_policies(path)
    return found or {"default": None}


def policies_for(specification: Specification, chosen: tuple[Policy, ...] | None) -> tuple[Policy, ...]:
    """Those that decide: a file's, else the specification's own, else what the remediator falls back on."""
    return chosen or specification.policies or remediator_settings({}).policies


def with_policies(history: History, policies: Sequence[Policy] | None) -> History:
    """The specification's own policies go before those of a file: they make room where a file is given."""
    if policies is None or not history.specification.policies:
        return history
    bare = Specification.model_validate({**history.specification.canonical, "policies": []})
    return replace(history, specification=bare)
