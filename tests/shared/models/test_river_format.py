"""The form of river learners is the same in every process."""

from __future__ import annotations

from tests.support.processes import printed

PROGRAM = """
import hashlib
from services.trainer.core.candidates import TARGET_SCALE, candidates_for
from shared.models import river_format
from shared.models.metadata import Input

LEARNERS = {
    "binary": "river-adaptive-tree",
    "multiclass": "river-logistic",
    "regression": "river-tree",
    "anomaly": "river-half-space-trees",
}
inputs = (Input("price"), Input("size"), Input("day", categories=("mon", "tue", "wed")))
for kind, name in LEARNERS.items():
    (candidate,) = candidates_for(kind, [name])
    learner = candidate.build(inputs, {**candidate.defaults, TARGET_SCALE: 1.0}, 7)
    for number in range(600):
        row = {"price": number % 7 / 7, "size": number % 11 / 11, "day": ("mon", "tue", "wed")[number % 3]}
        truth = () if kind == "anomaly" else (int(row["price"] > 0.5 or row["day"] == "tue"),)
        learner.learn_one(row, *truth)
    print(name, hashlib.sha256(river_format.dump(learner)).hexdigest())
"""


def test_learners_of_texts_give_the_same_bytes_whatever_a_process_hashes_by() -> None:
    one, other = (printed(PROGRAM, hash_seed=seed).splitlines() for seed in ("1", "2"))

    assert len(one) == 4
    assert one == other
