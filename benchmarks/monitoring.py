"""The monitor beside Evidently and NannyML: drift of a window of 1,000 rows in 20 fields, performance without labels.

All statistics of our window (PSI, KS, Jensen-Shannon, Wasserstein, p-values) are held against one statistic of a
peer's at a time. Where both have the same statistic of the same numbers they are compared: the greatest difference is
told. Then the whole monitor (features, answers and labels in, all checks and tests, metrics out), rows a second.
Seconds are those of the processor, so that other work on the machine counts little. Run it with
`homeostat bench --only monitoring`.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.common import Figure, compared, in_turn, keep, options_in_rounds, table_of
from benchmarks.peer_process import Peer, asked
from benchmarks.watched_rows import FIELDS, rows_a_second
from services.monitor.core.drift import Shift, references_of, shifts_in
from services.monitor.core.estimate import Estimator, class_estimator

ROWS = 1_000
REPEATS = 20
OURS = "homeostat"
EVIDENTLY = {"PSI": "psi", "KS": "ks", "Wasserstein": "wasserstein"}
NANNYML = {"KS": "kolmogorov_smirnov", "Wasserstein": "wasserstein", "Jensen-Shannon": "jensen_shannon"}
WHOLE = f"{OURS}, the whole monitor"


@dataclass(frozen=True)
class Answers:
    """Of calibrated answers the chance of class 1, the class answered, and the truth."""

    probability: NDArray[np.float64]
    answer: NDArray[np.bool_]
    truth: NDArray[np.bool_]

    @property
    def confidence(self) -> NDArray[np.float64]:
        """The chance of the class that was answered."""
        return np.where(self.answer, self.probability, 1 - self.probability)


@dataclass(frozen=True)
class Window:
    """Numbers in 20 fields, and answers."""

    numbers: NDArray[np.float64]
    answers: Answers

    def kept(self, folder: Path, name: str) -> dict[str, str]:
        """Written for the peers, as arguments of theirs."""
        paths = {part: str(folder / f"{name}-{part}.npy") for part in ("numbers", "answers")}
        np.save(paths["numbers"], self.numbers)
        np.save(paths["answers"], np.array([self.answers.probability, self.answers.answer, self.answers.truth]))
        return paths


def main() -> int:
    given = options_in_rounds(__doc__).parse_args()
    rng = np.random.default_rng(20260101)
    reference, window = _window(rng, 0.0), _window(rng, 0.1)
    with tempfile.TemporaryDirectory() as folder, asked("monitoring", "drift") as peer:
        peer.ask("reference", **reference.kept(Path(folder), "reference"))
        peer.ask("window", **window.kept(Path(folder), "window"))
        drift = _drift(peer, reference.numbers, window.numbers, given.rounds)
        labels = _without_labels(peer, reference.answers, window.answers, given.rounds)
        whole = _whole(peer, given.rounds)
        apart = _differences(peer, reference, window)
    console = Console()
    console.print(table_of(drift, f"drift of {ROWS:,} rows, {FIELDS} fields: ms", OURS, 2))
    console.print(table_of(labels, f"performance of {ROWS:,} answers without labels: ms", OURS, 3))
    console.print(table_of(whole, f"rows a second over {FIELDS} fields", WHOLE))
    for what, difference in apart.items():
        console.print(f"{what}: at most {difference:.1g} apart")
    figures = {"drift_ms": drift, "without_labels_ms": labels, "rows_per_second": whole}
    keep({name: [asdict(one) for one in each] for name, each in figures.items()} | {"apart": apart}, given.json)
    return 0


def _window(rng: np.random.Generator, moved: float) -> Window:
    """Answers as often right as they say, at every level: neither side then calibrates, each by its own test."""
    probability = rng.beta(0.8, 0.8, ROWS)
    order = probability.argsort()
    truth = np.empty(ROWS, bool)
    truth[order] = np.diff(np.floor(probability[order].cumsum()), prepend=0) > 0
    answers = Answers(probability, probability > 0.5, truth)
    return Window(rng.normal(moved, 1.0, (ROWS, FIELDS)), answers)


def _drift(peer: Peer, reference: NDArray[Any], window: NDArray[Any], rounds: int) -> list[Figure]:
    ours = partial(shifts_in, window, _learned(reference))
    workers: dict[str, Callable[[], float]] = {OURS: partial(_milliseconds, ours)}
    workers |= {f"Evidently, {name}": _asked(peer, "evidently", method) for name, method in EVIDENTLY.items()}
    workers |= {f"NannyML, {name}": _asked(peer, "nannyml", method) for name, method in NANNYML.items()}
    return compared(in_turn(workers, rounds), OURS)


def _without_labels(peer: Peer, reference: Answers, window: Answers, rounds: int) -> list[Figure]:
    ours = partial(_estimates, _estimator(reference), window)
    workers: dict[str, Callable[[], float]] = {OURS: partial(_milliseconds, ours)}
    workers["NannyML, CBPE"] = lambda: peer.ask("cbpe").seconds * 1000
    return compared(in_turn(workers, rounds), OURS)


def _whole(peer: Peer, rounds: int) -> list[Figure]:
    def evidently() -> float:
        return ROWS / sum(peer.ask("evidently", method=method).seconds for method in EVIDENTLY.values())

    def nannyml() -> float:
        return ROWS / sum(
            peer.ask("nannyml", method=method).seconds for method in ("kolmogorov_smirnov", "wasserstein")
        )

    workers: dict[str, Callable[[], float]] = {
        WHOLE: rows_a_second,
        "Evidently, PSI, KS and Wasserstein": evidently,
        "NannyML, KS and Wasserstein": nannyml,
    }
    return compared(in_turn(workers, rounds), WHOLE)


def _differences(peer: Peer, reference: Window, window: Window) -> dict[str, float]:
    """Our figures less theirs, the greatest: the same statistic of the same numbers."""
    learned = _learned(reference.numbers)
    shifts = shifts_in(window.numbers, learned)
    scales = np.array([each.scale for each in learned if each is not None])
    wasserstein = _of(shifts, "wasserstein") * scales
    theirs = peer.ask("nannyml", method="kolmogorov_smirnov").result
    estimated = _estimates(_estimator(reference.answers), window.answers)
    found = {
        "KS, NannyML": _of(shifts, "ks") - theirs,
        "Wasserstein, NannyML": wasserstein - peer.ask("nannyml", method="wasserstein").result,
        "Wasserstein, Evidently": wasserstein / reference.numbers.std(axis=0)
        - peer.ask("evidently", method="wasserstein").result,
        "CBPE, NannyML": np.array([estimated[name] - value for name, value in peer.ask("cbpe").result.items()]),
    }
    return {what: float(np.abs(gaps).max()) for what, gaps in found.items()}


def _learned(reference: NDArray[Any]) -> Any:
    nothing = np.zeros(FIELDS, bool)
    return references_of(reference, nothing, nothing, ROWS)


def _estimator(reference: Answers) -> Estimator:
    learned = class_estimator("1", reference.confidence, reference.answer == reference.truth)
    assert learned is not None
    return learned


def _estimates(estimator: Estimator, window: Answers) -> dict[str, float]:
    return estimator.values(window.answer.astype(float), window.confidence, window.answer)


def _of(shifts: list[Shift], name: str) -> NDArray[np.float64]:
    return np.array([getattr(each, name) for each in shifts])


def _asked(peer: Peer, do: str, method: str) -> Callable[[], float]:
    return lambda: peer.ask(do, method=method).seconds * 1000


def _milliseconds(work: Callable[[], Mapping[str, float] | list[Shift]]) -> float:
    """Of one call, over `REPEATS` of them: one alone is shorter than the clock is exact."""
    begun = process_time()
    for _ in range(REPEATS):
        work()
    return (process_time() - begun) / REPEATS * 1000


if __name__ == "__main__":
    raise SystemExit(main())
