"""Every learner by name: it fits rows as they come, packs, and answers as it did before it was packed."""

from __future__ import annotations

import pytest

from services.trainer.core.candidates import DEFAULTS, candidates_for
from services.trainer.core.compiling.proof import figures_of
from services.trainer.core.fitting import Data, Row, fitted, truth_of
from services.trainer.packing import kept
from shared.errors import Misconfigured
from shared.messages import Value
from shared.models.artifact import load, load_estimator
from shared.models.inputs import inputs_from
from shared.models.store import MemoryStore

ROWS: list[Row] = [
    {"a": None if i % 9 == 0 else (i * 37 % 101) / 50 - 1, "b": (i * 53 % 97) / 48 - 1, "c": "xyz"[i % 3], "gap": None}
    for i in range(400)
]
ODD: list[Row] = [{"a": 0.1, "b": None, "c": "never seen", "gap": 3.0}, {}, {"a": None, "b": 0.2, "c": None}]
UNCOMPILED = ("river-adaptive-tree", "river-tree", "river-half-space-trees")
CLASSES: dict[str, tuple[Value, ...]] = {"binary": (False, True), "multiclass": ("low", "mid", "high")}


def data(kind: str) -> Data:
    positions = [int((row["b"] or 0) > 0) + int(kind == "multiclass" and (row["b"] or 0) > 0.5) for row in ROWS]
    labels: list[Value] = [None] * len(ROWS)
    if kind == "regression":
        labels = [3.0 * float(row["b"] or 0) + 100 for row in ROWS]
    elif kind != "anomaly":
        labels = [CLASSES[kind][position] for position in positions]
    classes = CLASSES.get(kind, ())
    return Data(kind, ROWS, truth_of(kind, labels, classes), inputs_from(ROWS, ("a", "b", "c", "gap")), classes)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in DEFAULTS.items() for name in names])
def test_a_learner_answers_gaps_and_unseen_categories_and_stays_itself_when_packed(kind: str, name: str) -> None:
    candidate = candidates_for(kind, (name,))[0]
    store = MemoryStore()

    model = fitted(candidate, candidate.defaults, data(kind), seed=1)
    packed = kept(model, ROWS, store, b"key")

    some = [*ROWS[:20], *ODD]
    before = model.answer(some)
    assert load_estimator(packed.artifact, store, b"key").answer(some) == before
    assert figures_of(load(packed.artifact, store, b"key").answer(some), model.metadata) == pytest.approx(
        figures_of(before, model.metadata), rel=1e-12, abs=1e-12
    )
    assert None not in before.predictions
    assert ("river" in packed.libraries) == name.startswith("river")
    assert packed.artifact.format == ("signed-river" if name in UNCOMPILED else "compiled"), packed.form


@pytest.mark.parametrize("kind", list(DEFAULTS))
def test_each_kind_has_three_scikit_learn_candidates_and_two_of_river(kind: str) -> None:
    libraries = [each.library for each in candidates_for(kind)]

    assert libraries.count("sklearn") >= 3
    assert libraries.count("river") >= 2


@pytest.mark.parametrize("kind", ["binary", "multiclass", "regression"])
def test_most_learners_find_a_plain_rule(kind: str) -> None:
    found = data(kind)
    fit, test = found[:300], found[300:]

    right = []
    for candidate in candidates_for(kind):
        answers = fitted(candidate, candidate.defaults, fit, seed=1).answer(test.rows).predictions
        if kind == "regression":
            right.append(sum(abs(float(a or 0) - t) for a, t in zip(answers, test.truth, strict=True)) / len(test) < 1)
        else:
            wanted = [CLASSES[kind][int(position)] for position in test.truth]
            right.append(sum(a == w for a, w in zip(answers, wanted, strict=True)) / len(test) > 0.8)

    assert sum(right) >= 4, dict(zip(DEFAULTS[kind], right, strict=True))


def test_an_unknown_candidate_is_named_with_those_that_are_known() -> None:
    with pytest.raises(Misconfigured, match=r"'xgboost' is no candidate of a binary pipeline; known are logistic"):
        candidates_for("binary", ("logistic", "xgboost"))


@pytest.mark.parametrize("name", DEFAULTS["anomaly"])
def test_an_anomaly_model_scores_its_training_rows_within_bounds_and_flags_about_one_in_a_hundred(name: str) -> None:
    candidate = candidates_for("anomaly", (name,))[0]

    answers = fitted(candidate, candidate.defaults, data("anomaly"), seed=1).answer(ROWS)

    assert all(score is not None and 0 <= score <= 1 for score in answers.scores)
    assert sum(map(bool, answers.predictions)) <= 8
