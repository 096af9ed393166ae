"""The first model: trained once there are rows enough, and tried again."""

from __future__ import annotations

from services.trainer.core.orders import plain
from services.trainer.service import Trainer
from services.trainer.settings import TrainerSettings
from tests.services.trainer.bench import Bench, candidate, specification


def test_a_first_model_is_trained_once_there_are_labelled_rows_enough(bench: Bench) -> None:
    bench.metrics(99)
    assert bench.jobs == []

    bench.metrics(100)
    bench.metrics(150)

    assert [job.name for job in bench.jobs] == ["train"]
    bench.end(bench.passes("model"))
    (published,) = bench.published
    assert (published.version, published.stage, published.previous) == ("1", "champion", None)
    bench.metrics(500)
    assert bench.jobs == []


def test_a_model_that_someone_brings_before_the_first_one_is_trained_takes_its_place(bench: Bench) -> None:
    bench.metrics(100)
    bench.command("promote", candidate=plain(candidate("theirs", bench.spec)), force=True)
    bench.end(bench.passes("theirs"), job=1)
    bench.end(bench.passes("first"))

    assert [(each.version, each.artifact.sha256) for each in bench.published] == [("1", "theirs")]
    bench.metrics(500)
    bench.tick()
    assert bench.jobs == []


def test_no_first_model_is_begun_while_one_that_someone_brings_is_judged(bench: Bench) -> None:
    bench.command("promote", candidate=plain(candidate("theirs", bench.spec)))
    bench.metrics(100)
    assert [job.name for job in bench.jobs] == ["judge"]

    bench.end(bench.refuses())
    bench.tick()

    assert [job.name for job in bench.jobs] == ["train"]


def test_an_anomaly_pipeline_counts_all_rows_for_its_first_model() -> None:
    bench = Bench(kind="anomaly", target=None)

    bench.metrics(0, rows_seen=100)

    assert [job.name for job in bench.jobs] == ["train"]


def test_a_first_model_that_the_gate_refused_is_tried_again_with_more_rows(bench: Bench) -> None:
    bench.metrics(100)
    bench.end(bench.refuses())

    bench.metrics(110)
    assert bench.jobs == []
    bench.metrics(125)
    assert len(bench.jobs) == 1
    assert bench.published == []


def test_a_first_training_that_broke_is_tried_again_after_a_pause(bench: Bench) -> None:
    bench.metrics(100)
    bench.end(error="the log could not be read")

    bench.tick(5)
    assert bench.jobs == []
    bench.tick(15)
    assert len(bench.jobs) == 1


def test_changed_features_need_a_first_model_of_their_own(bench: Bench) -> None:
    bench.with_champions(1)
    changed = specification(features={"double": "x * 2"})

    bench.define(changed, version=2)
    bench.metrics(199)
    assert bench.jobs == []
    bench.metrics(200)
    bench.end(bench.passes("new", changed))

    assert (bench.published[0].version, bench.published[0].stage) == ("2", "champion")


def test_no_first_model_is_trained_while_held(bench: Bench) -> None:
    bench.command("hold")

    bench.metrics(500)
    assert bench.jobs == []
    bench.command("release_hold")
    bench.tick()
    assert len(bench.jobs) == 1


def test_labels_that_are_counted_before_the_pipeline_is_known_count() -> None:
    bench = Bench()
    bench.trainer = Trainer(TrainerSettings(code_revision="abc", registry=False))
    bench.metrics(100)
    assert bench.jobs == []

    bench.define(bench.spec)
    bench.tick()

    assert [job.name for job in bench.jobs] == ["train"]
