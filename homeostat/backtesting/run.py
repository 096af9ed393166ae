"""`homeostat.backtest`: a history through the loop under each policy, beside the learners it is held against."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from homeostat.backtesting import telling
from homeostat.backtesting.columns import Columns
from homeostat.backtesting.differences import differences_of
from homeostat.backtesting.features import features_of
from homeostat.backtesting.history import History, history_of
from homeostat.backtesting.learners import USUAL, names_in, run_of
from homeostat.backtesting.loop import KEY, Pace, Told, replayed
from homeostat.backtesting.result import Backtest, frame_of
from homeostat.backtesting.scores import Floats, line_of, mean_of, metric_of, scores_of, window_of
from homeostat.rows import frame_of as frame_in
from homeostat.rows import read_rows
from services.remediator.settings import policies_in
from shared.clock import monotonic
from shared.errors import Misconfigured
from shared.models.artifact import ModelCache
from shared.models.base import Model
from shared.models.store import FileStore
from shared.pipeline.load import load
from shared.pipeline.span import Span
from shared.pipeline.specification import Policy, Specification
from shared.topics import MODEL_PUBLISHED

Progress = Callable[[str, int, int], None]
"""Told (what is going on, rows done, rows in all)."""

Line = dict[str, Any]


def backtest(
    pipeline: Specification | Path | str,
    history: pl.DataFrame | Path | str,
    *,
    policies: Sequence[Path | str] = (),
    label_delay: str | None = None,
    seed: int | None = None,
    against: str | Sequence[str] = USUAL,
    rate: float | None = None,
    batch: int = 100,
    training_seconds: float = 5.0,
    progress: Progress = lambda *_: None,
) -> Backtest:
    """What the whole loop would have done on `history`, in virtual time.

    `pipeline`: a specification, or the path of one. `history`: a frame with one event a row and the
    target beside it, or a file of such (Parquet, CSV, NDJSON). `policies`: YAML files as
    `HOMEOSTAT_POLICIES` names them, each of which makes a run of its own in place of the
    specification's policies; none: what would hold live. `label_delay`: ``2d``, ``96 rows``; None: the
    specification's. `against`: learners on the same rows (see `homeostat.backtesting.learners`).
    `rate`: rows per virtual second; None: by the rows' own times. `batch`: rows that arrive together.
    `training_seconds`: virtual time that a training takes. The same arguments give the same result,
    whenever and wherever (but for the last digits that numeric libraries leave open between machines).

    Raises `HistoryError` for a history that cannot be replayed, `Misconfigured` for the rest.

    >>> import homeostat                                                        # doctest: +SKIP
    >>> found = homeostat.backtest("examples/electricity/pipeline.yaml", "examples/electricity/data.parquet")
    ...                                                                         # doctest: +SKIP
    >>> found.summary, found.actions                                            # doctest: +SKIP
    """
    names = names_in(",".join(against) if not isinstance(against, str) else against)
    pace = _pace(batch, rate, training_seconds)
    variants = _variants(policies)
    specification = _specification(pipeline, seed)
    started = monotonic()
    taken = history_of(
        _columns(history),
        specification,
        _delay(label_delay, specification),
        pace.rate or 1.0,
    )
    table = features_of(taken)
    measured = {"history": monotonic() - started}
    with tempfile.TemporaryDirectory(prefix="homeostat-backtest-") as folder:
        runs: dict[str, Told] = {}
        for number, (name, chosen) in enumerate(variants.items()):
            started = monotonic()
            said = _with_policies(taken, chosen)
            place = Path(folder) / str(number)
            runs[name] = replayed(said, table, pace, place, policies=chosen, progress=_of(progress, name, len(taken)))
            measured[name] = monotonic() - started
        first = _first_model(next(iter(runs.values())), Path(folder) / "0")
        others = {}
        for name in names:
            if first is None or specification.kind == "anomaly":
                break
            started = monotonic()
            others[name] = run_of(name, taken, table, first, _of(progress, name, len(taken)))
            measured[name] = monotonic() - started
    answers = {name: told.values for name, told in runs.items()}
    answers |= {name: run.answers for name, run in others.items()}
    since = len(taken) if first is None else first[0]
    scores = {who: scores_of(given, taken.labels, specification.kind) for who, given in answers.items()}
    trainings = {who: told.trainings for who, told in runs.items()} | {
        who: run.trained_at for who, run in others.items()
    }
    window = window_of(len(taken), specification.monitor.performance_window)
    times = taken.seconds
    frames: dict[str, list[Line]] = {
        "summary": [_summary(who, found, since, trainings[who], pace, runs.get(who)) for who, found in scores.items()],
        "accuracy": [
            {"who": who, "row": row, "at": None if times is None else taken.time_of(row), "value": value, "rows": rows}
            for who, found in scores.items()
            for row, value, rows in line_of(found, window)
        ],
        "alerts": [line for name, told in runs.items() for line in telling.alerts_of(told, name)],
        "decisions": [line for name, told in runs.items() for line in telling.decisions_of(told, name)],
        "actions": [
            line for name, told in runs.items() for line in telling.actions_of(told, name, pace.training_seconds)
        ],
        "versions": [line for name, told in runs.items() for line in telling.versions_of(told, name)],
    }
    frames["differences"] = differences_of(frames["actions"], tuple(runs))
    return Backtest(
        pipeline=specification.name,
        kind=specification.kind,
        metric=metric_of(specification.kind),
        rows=len(taken),
        window=window,
        compared_from=since,
        seed=specification.models.seed,
        pace={"batch": pace.batch, "rate": pace.rate, "training_seconds": pace.training_seconds},
        treatments=taken.treatments,
        measured=measured,
        **{name: frame_of(name, lines) for name, lines in frames.items()},
    )


def _columns(history: pl.DataFrame | Path | str) -> Columns:
    if isinstance(history, pl.DataFrame):
        return Columns.of_frame(history)
    if Path(history).suffix == ".parquet":
        return Columns.of_frame(frame_in(str(history)))
    return Columns.of_rows(read_rows(str(history)))


def _specification(pipeline: Specification | Path | str, seed: int | None) -> Specification:
    """The specification with this seed (None: its own)."""
    specification = pipeline if isinstance(pipeline, Specification) else load(Path(pipeline))
    if seed is None:
        return specification
    document = specification.canonical
    return Specification.model_validate({**document, "models": {**document["models"], "seed": seed}})


def _delay(text: str | None, specification: Specification) -> Span:
    if text is None:
        return Span(time=specification.label_delay)
    try:
        return Span.of(text)
    except ValueError as error:
        raise Misconfigured(f"label delay: {error}") from error


def _pace(batch: int, rate: float | None, training_seconds: float) -> Pace:
    if batch < 1 or (rate is not None and not 0 < rate < float("inf")) or training_seconds < 0:
        raise Misconfigured("batch and rate must be above 0, training seconds not below")
    return Pace(batch=batch, rate=rate, training_seconds=training_seconds)


def _variants(policies: Sequence[Path | str]) -> dict[str, tuple[Policy, ...] | None]:
    """The policies by the name of their file; two files of one name are told apart by a number."""
    found: dict[str, tuple[Policy, ...] | None] = {}
    for path in map(Path, policies):
        name = path.stem if path.stem not in found else f"{path.stem} ({len(found) + 1})"
        found[name] = policies_in(path)
    return found or {"default": None}


def _with_policies(history: History, policies: Sequence[Policy] | None) -> History:
    """The specification's own policies go before those of a file: they make room where a file is given."""
    if policies is None or not history.specification.policies:
        return history
    from dataclasses import replace

    bare = Specification.model_validate({**history.specification.canonical, "policies": []})
    return replace(history, specification=bare)


def _of(progress: Progress, what: str, total: int) -> Callable[[int], None]:
    return lambda done: progress(what, done, total)


def _first_model(told: Told, folder: Path) -> tuple[int, Model] | None:
    """The loop's first champion, and the first row that it answered."""
    row = next((row for row, version in enumerate(told.versions) if version is not None), None)
    said = next((said for said in told.of(MODEL_PUBLISHED) if said.message.stage == "champion"), None)
    if row is None or said is None:
        return None
    return row, ModelCache(FileStore(folder / "artifacts"), KEY).get(said.message.artifact)


def _summary(who: str, scores: Floats, since: int, trainings: Sequence[int], pace: Pace, told: Told | None) -> Line:
    counted = scores[since:]
    known = int((~np.isnan(counted)).sum())
    line: Line = {
        "who": who,
        "value": mean_of(counted),
        "rows": known,
        "unanswered": len(counted) - known,
        "trainings": len(trainings),
        "training_seconds": len(trainings) * pace.training_seconds,
    }
    return {**line, **(telling.counts_of(told) if told is not None else dict.fromkeys(telling.COUNTS))}
