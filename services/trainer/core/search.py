"""Which candidate with which parameters does best on earlier folds: defaults first, then Optuna's TPE.

The answer depends on the data, the seed and the number of trials alone. The budget in seconds only
cuts the list of trials short, and an unfinished trial counts for nothing; `clock` is read for that
and nothing else. TPE: Bergstra, Bardenet, Bengio and Kégl, "Algorithms for Hyper-Parameter
Optimization", 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.trainer.core.candidates import Candidate, Knob, Parameters
from services.trainer.core.evaluate import folds
from services.trainer.core.fitting import Data, fitted, showing
from services.trainer.core.gate import LOWER_IS_BETTER

SEARCH_ROWS = 5_000
"""Candidates are compared on the newest rows, at most this many; the winner is fitted on all."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One candidate with parameters, and its mean over the folds; None where it failed, with why."""

    candidate: str
    parameters: Parameters
    value: float | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The best attempt, and the way there. `cut`: the time budget ended the search before its trials did."""

    best: Attempt
    attempts: tuple[Attempt, ...]
    cut: bool


class NothingFitsError(Exception):
    """No candidate could be fitted on these rows; the message says why for each."""


def search(
    candidates: Sequence[Candidate],
    data: Data,
    *,
    metric: str,
    fold_count: int,
    seed: int,
    trials: int,
    seconds: float,
    clock: Callable[[], float],
    known: tuple[Candidate, Parameters] | None = None,
) -> Found:
    """The best of the candidates' defaults and of `trials` more, within `seconds` (0: only the defaults, uncut).

    At least one attempt is always finished. `known` is tried before all others, and stays at a tie.
    """
    data = data[-SEARCH_ROWS:]
    off = trials == 0 or seconds == 0
    deadline = float("inf") if off else clock() + seconds
    attempts: list[Attempt] = []

    def expired() -> bool:
        return clock() >= deadline and any(each.value is not None for each in attempts)

    def attempt(candidate: Candidate, parameters: Parameters) -> Attempt | None:
        return _attempt(candidate, parameters, data, metric, fold_count, seed, expired)

    for candidate, parameters in ([known] if known else []) + [(each, each.defaults) for each in candidates]:
        made = None if expired() else attempt(candidate, parameters)
        if made is not None:
            attempts.append(made)
    if not off and not expired():
        _explore(candidates, attempts, attempt, metric, seed, trials)
    finished = [each for each in attempts if each.value is not None]
    if not finished:
        raise NothingFitsError("; ".join(f"{each.candidate}: {each.error}" for each in attempts))
    best = max(finished, key=lambda each: _signed(metric, each.value))
    return Found(best, tuple(attempts), cut=not off and len(attempts) < len(candidates) + trials)


def cross_validated(
    candidate: Candidate,
    parameters: Parameters,
    data: Data,
    metric: str,
    fold_count: int,
    seed: int,
    expired: Callable[[], bool] = lambda: False,
) -> float | None:
    """The metric's mean over time-ordered folds, or None when the time ran out between two of them."""
    values: list[float] = []
    for fit, test in folds(len(data), fold_count):
        if expired():
            return None
        model = fitted(candidate, parameters, data[fit], seed)
        value = showing(model, data[fit], data[test], seed).metrics.get(metric)
        if value is None or not np.isfinite(value):
            raise ValueError(f"{metric} cannot be computed on a fold of {test.stop - test.start} rows")
        values.append(value)
    return float(np.mean(values))


def _attempt(
    candidate: Candidate,
    parameters: Parameters,
    data: Data,
    metric: str,
    fold_count: int,
    seed: int,
    expired: Callable[[], bool],
) -> Attempt | None:
    try:
        value = cross_validated(candidate, parameters, data, metric, fold_count, seed, expired)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError) as error:
        return Attempt(candidate.name, parameters, None, str(error).splitlines()[0][:200])
    return None if value is None else Attempt(candidate.name, parameters, value)


def _explore(
    candidates: Sequence[Candidate],
    attempts: list[Attempt],
    attempt: Callable[[Candidate, Parameters], Attempt | None],
    metric: str,
    seed: int,
    trials: int,
) -> None:
    """Adds up to `trials` attempts that TPE proposes, knowing those already made."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=len(candidates))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    by_name = {candidate.name: candidate for candidate in candidates}
    for made in list(attempts):
        study.add_trial(_as_trial(by_name, made, metric))
    for _ in range(trials):
        trial = study.ask()
        candidate = by_name[trial.suggest_categorical("candidate", list(by_name))]
        parameters = {
            name: _suggested(trial, f"{candidate.name}.{name}", knob) for name, knob in candidate.space.items()
        }
        done = attempt(candidate, parameters)
        if done is None:
            return
        attempts.append(done)
        if done.value is None:
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            study.tell(trial, _signed(metric, done.value))


def _suggested(trial: Any, name: str, knob: Knob) -> float | int:
    if knob.whole:
        return int(trial.suggest_int(name, int(knob.low), int(knob.high), log=knob.log))
    return float(trial.suggest_float(name, knob.low, knob.high, log=knob.log))


def _as_trial(by_name: dict[str, Candidate], made: Attempt, metric: str) -> Any:
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.trial import TrialState, create_trial

    spaces: dict[str, BaseDistribution] = {"candidate": CategoricalDistribution(list(by_name))}
    for name, knob in by_name[made.candidate].space.items():
        spaces[f"{made.candidate}.{name}"] = (
            IntDistribution(int(knob.low), int(knob.high), log=knob.log)
            if knob.whole
            else FloatDistribution(knob.low, knob.high, log=knob.log)
        )
    parameters = {f"{made.candidate}.{name}": value for name, value in made.parameters.items()}
    return create_trial(
        params={"candidate": made.candidate, **parameters},
        distributions=spaces,
        value=None if made.value is None else _signed(metric, made.value),
        state=TrialState.FAIL if made.value is None else TrialState.COMPLETE,
    )


def _signed(metric: str, value: float | None) -> float:
    if value is None:
        return float("-inf")
    return -value if metric in LOWER_IS_BETTER else value
