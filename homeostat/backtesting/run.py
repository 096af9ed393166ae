"""`homeostat.backtest`: a history through the loop under each policy, beside the learners it is held against."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from homeostat.backtesting.asking import (
    Variants,
    columns_of,
    delay_of,
    pace_of,
    policies_for,
    specification_of,
    variants_of,
    with_policies,
)
from homeostat.backtesting.assembling import Runs, result_of
from homeostat.backtesting.features import features_of
from homeostat.backtesting.hints import hints_of, idle_schedules, late_first_model
from homeostat.backtesting.history import history_of
from homeostat.backtesting.learners import USUAL, names_in, run_of
from homeostat.backtesting.loop import KEY, Told, replayed
from homeostat.backtesting.result import Backtest
from shared.clock import monotonic
from shared.models.artifact import ModelCache
from shared.models.base import Model
from shared.models.store import FileStore
from shared.pipeline.specification import Specification
from shared.topics import MODEL_PUBLISHED

Progress = Callable[[str, int, int], None]
"""Told (what is going on, rows done, rows in all)."""


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
    names = names_in(_listed(against))
    pace = pace_of(batch, rate, training_seconds)
    variants = variants_of(policies)
    specification = specification_of(pipeline, seed)
    started = monotonic()
    delay = delay_of(label_delay, specification)
    taken = history_of(columns_of(history, specification), specification, delay, pace.rate or 1.0)
    runs = Runs(taken, pace, {"history": monotonic() - started})
    with tempfile.TemporaryDirectory(prefix="homeostat-backtest-") as folder:
        _run(runs, variants, names, Path(folder), progress)
    chosen = [policies_for(specification, one) for one in variants.values()]
    hints = [hint for each in chosen for hint in hints_of(taken, pace, each)]
    hints += late_first_model(runs.since, taken, pace)
    if runs.since is not None:
        hints += idle_schedules(names, runs.since, len(taken))
    return result_of(runs, tuple(dict.fromkeys(hints)))


def runs_of(specification: Specification, policies: Sequence[Path | str], against: str | Sequence[str]) -> list[str]:
    """The names of all that `backtest` will run, in that order. Raises `Misconfigured` as it does."""
    others = names_in(_listed(against))
    return [*variants_of(policies), *(others if specification.kind != "anomaly" else ())]


def _listed(names: str | Sequence[str]) -> str:
    return names if isinstance(names, str) else ",".join(names)


def _run(runs: Runs, variants: Variants, names: Sequence[str], folder: Path, progress: Progress) -> None:
    """The loop under each of the policies, then the learners it is held against."""
    taken, table = runs.history, features_of(runs.history)

    def told(what: str) -> Callable[[int], None]:
        return lambda done: progress(what, done, len(taken))

    for number, (name, policies) in enumerate(variants.items()):
        started = monotonic()
        said = with_policies(taken, policies)
        runs.told[name] = replayed(said, table, runs.pace, folder / str(number), policies=policies, progress=told(name))
        runs.measured[name] = monotonic() - started
        runs.measured[f"{name}, training"] = runs.told[name].training_seconds
    first = _first_model(next(iter(runs.told.values())), folder / "0")
    if first is None:
        return
    runs.since = first[0]
    for name in names if runs.specification.kind != "anomaly" else ():
        started = monotonic()
        runs.others[name] = run_of(name, taken, table, first, told(name))
        runs.measured[name] = monotonic() - started


def _first_model(told: Told, folder: Path) -> tuple[int, Model] | None:
    """The loop's first champion, and the first row that it answered."""
    row = next((row for row, version in enumerate(told.versions) if version is not None), None)
    said = next((said for said in told.of(MODEL_PUBLISHED) if said.message.stage == "champion"), None)
    if row is None or said is None:
        return None
    return row, ModelCache(FileStore(folder / "artifacts"), KEY).get(said.message.artifact)
