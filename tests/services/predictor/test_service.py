"""The predictor as the runtime drives it, on the log in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from services.predictor.board import Board
from services.predictor.core.assign import share_of
from services.predictor.core.releases import Live
from services.predictor.service import Predictor
from shared.errors import Transient
from shared.messages import ModelPublished, PipelineDefined, Value
from shared.models.artifact import MISSED_SECONDS, ModelCache, keep, package
from shared.models.store import FileStore, MemoryStore
from shared.runtime.memory import MemoryRuntime
from shared.service import Batch
from shared.topics import COMMAND_RESULTS, DEAD_LETTERS, FEATURES, MODEL_PUBLISHED, PIPELINES, PREDICTIONS
from tests.support.models import AT, KEY, constant_model, event, linear_model, published, rows, stored

STORE = MemoryStore()


def constant(version: int, **more: object) -> ModelPublished:
    """A publication of a model whose answer is its version."""
    estimator, metadata = constant_model(float(version))
    return published(str(version), stored(STORE, estimator, metadata), metadata, **more)  # type: ignore[arg-type]


def runtime() -> MemoryRuntime:
    board = Board()
    return MemoryRuntime({"predictor": lambda task: Predictor(task.partition, ModelCache(STORE, KEY), board)})


def put_events(world: MemoryRuntime, ids: range, **more: str) -> None:
    for number in ids:
        world.put(FEATURES, event(f"e{number}", {"x": float(number)}, **more))


def test_a_hundred_swaps_under_load_drop_nothing_and_tag_every_answer() -> None:
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(0))
    world.run_until_idle()
    live_during: dict[str, tuple[int, int]] = {}

    for version in range(1, 101):
        first, between, last = 20 * version, 20 * version + 10, 20 * version + 20
        put_events(world, range(first, between))
        world.put(MODEL_PUBLISHED, constant(version))
        put_events(world, range(between, last))
        live_during.update({f"e{number}": (version - 1, version) for number in range(first, last)})
        if version % 25 == 0:
            world.crash("predictor")
        world.run_until_idle()

    predictions = world.messages(PREDICTIONS)
    assert sorted(prediction.id for prediction in predictions) == sorted(live_during)
    assert all(int(prediction.model_version) in live_during[prediction.id] for prediction in predictions)
    assert all(prediction.prediction == float(prediction.model_version) for prediction in predictions)
    assert {prediction.role for prediction in predictions} == {"champion"}
    assert len({prediction.model_version for prediction in predictions}) >= 100


def test_predictions_stand_in_the_order_of_their_features() -> None:
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(1))

    put_events(world, range(300))
    world.run_until_idle()

    features = world.records(FEATURES)
    for partition in range(4):
        asked = [record.offset for record in features if record.partition == partition]
        assert [p.origin[1] for p in world.messages(PREDICTIONS) if p.origin[0] == partition] == asked


def test_without_a_model_the_answer_says_so() -> None:
    world = runtime()

    put_events(world, range(3))
    world.run_until_idle()

    for prediction in world.messages(PREDICTIONS):
        assert (prediction.prediction, prediction.role, prediction.reason) == (None, "none", "no-model")


def test_rows_of_another_definition_are_not_answered_by_guess() -> None:
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(1))
    world.put(FEATURES, msgspec.structs.replace(event("e", {"x": 1.0}), definition="d2"))
    world.run_until_idle()

    (prediction,) = world.messages(PREDICTIONS)
    assert prediction.prediction is None
    assert (prediction.reason or "").startswith("features-changed")


def test_the_canary_answers_its_share_and_always_the_same_entities() -> None:
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(1))
    world.put(MODEL_PUBLISHED, constant(2, stage="canary", weight=0.2))
    world.run_until_idle()

    put_events(world, range(2000))
    put_events(world, range(2000))
    world.run_until_idle()

    versions: dict[str, set[str]] = {}
    for prediction in world.messages(PREDICTIONS):
        versions.setdefault(prediction.entity, set()).add(prediction.model_version)
        assert prediction.role == ("canary" if prediction.model_version == "2" else "champion")
    canaries = sum(answered == {"2"} for answered in versions.values())
    assert all(len(answered) == 1 for answered in versions.values())
    # Binomial(2000, 0.2): mean 400, standard deviation 17.9; five of them on either side.
    assert 310 <= canaries <= 490


def test_a_larger_weight_keeps_who_was_in_the_canary_before() -> None:
    shares = [share_of("demo", f"e{number}") for number in range(1000)]

    assert {n for n, share in enumerate(shares) if share < 0.1} <= {n for n, share in enumerate(shares) if share < 0.3}
    assert len(set(shares)) == 1000


def test_shadows_answer_inside_the_same_prediction() -> None:
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(1))
    world.put(MODEL_PUBLISHED, constant(2, stage="shadow"))
    world.put(MODEL_PUBLISHED, constant(3, stage="shadow"))
    world.put(FEATURES, event("e", {"x": 1.0}))
    world.run_until_idle()

    (prediction,) = world.messages(PREDICTIONS)
    assert prediction.prediction == 1.0
    assert [(shadow.model_version, shadow.prediction) for shadow in prediction.shadows] == [("2", 2.0), ("3", 3.0)]


def altered(publication: ModelPublished, **changes: str) -> ModelPublished:
    artifact = msgspec.structs.replace(publication.artifact, **changes)
    return msgspec.structs.replace(publication, artifact=artifact)


def bad_publications() -> dict[str, ModelPublished]:
    good = constant(2, command="c-1")
    pickled = keep(b"cos\nsystem\n(S'false'\ntR.", "skops", STORE, KEY)
    return {
        "unsigned": altered(good, signature=""),
        "signature": altered(good, signature="0" * 64),
        "format": altered(good, format="pickle"),
        "malformed": msgspec.structs.replace(good, artifact=pickled),
        "metadata": msgspec.structs.replace(good, features=("y",)),
    }


@pytest.mark.parametrize("reason", bad_publications())
def test_a_refused_artefact_leaves_the_old_version_at_work_and_answers_its_command(reason: str) -> None:
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(1))
    world.put(MODEL_PUBLISHED, bad_publications()[reason])
    put_events(world, range(5))
    world.run_until_idle()

    (result,) = world.messages(COMMAND_RESULTS)
    assert {prediction.model_version for prediction in world.messages(PREDICTIONS)} == {"1"}
    assert (result.command, result.state, result.model_version) == ("c-1", "failed", "2")
    assert f"refused ({reason})" in result.detail


def test_a_refused_version_that_nobody_asked_for_is_a_dead_letter() -> None:
    world = runtime()
    world.put(MODEL_PUBLISHED, msgspec.structs.replace(bad_publications()["signature"], command=None))
    world.run_until_idle()

    (letter,) = world.messages(DEAD_LETTERS)
    assert (letter.topic, letter.reason, letter.pipeline) == ("model-published", "model-signature", "demo")
    assert letter.key == b"demo", "what is sent again under no key comes to another partition"
    assert "version 2 does not answer" in letter.detail
    assert msgspec.json.decode(letter.value)["version"] == "2"


def test_a_lost_artefact_is_waited_for_and_then_stops_nobody_else() -> None:
    now = [0.0]
    store = MemoryStore()
    lost, there = constant(1), constant(2, pipeline="q")
    store.put(STORE.get(there.artifact))
    service = Predictor(0, ModelCache(store, KEY, clock=lambda: now[0]), Board())
    for publication in (lost, there):
        service._state.live[publication.pipeline] = Live(champion=publication)
    events = Batch("features", 0, [0, 1], [event("a", {"x": 1.0}), event("b", {"x": 1.0}, pipeline="q")])

    with pytest.raises(Transient):
        service.on_features(events, AT)
    now[0] = MISSED_SECONDS
    first, second = (out.message for out in service.on_features(events, AT).messages)

    assert (first.prediction, "is not in" in str(first.reason)) == (None, True)
    assert (second.prediction, second.reason) == (2.0, None)
    store.put(STORE.get(lost.artifact))
    assert service.on_features(events, AT).messages[0].message.prediction == 1.0


def test_an_artefact_damaged_on_disk_is_refused(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    estimator, metadata = constant_model(1.0)
    publication = published("1", stored(store, estimator, metadata), metadata, command="c-1")
    (tmp_path / publication.artifact.sha256).write_bytes(b"damaged")
    service = Predictor(0, ModelCache(store, KEY), Board())

    step = service.on_model_published(Batch("model-published", 0, [0], [publication]), AT)

    assert "refused (hash)" in step.messages[0].message.detail  # type: ignore[attr-defined]


def test_an_artefact_that_comes_late_is_waited_for_and_then_live() -> None:
    estimator, metadata = constant_model(777.0)
    data, form = package(estimator, metadata)
    late = keep(data, form, MemoryStore(), KEY)
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(1))
    world.run_until_idle()
    world.put(MODEL_PUBLISHED, published("777", late, metadata))

    world.advance(2.0)
    STORE.put(data)
    world.advance(120.0)
    put_events(world, range(4))
    world.run_until_idle()

    assert {prediction.model_version for prediction in world.messages(PREDICTIONS)} == {"777"}


def test_a_batch_that_must_be_repeated_has_changed_nothing() -> None:
    estimator, metadata = constant_model(778.0)
    absent = published("778", keep(*package(estimator, metadata), MemoryStore(), KEY), metadata)
    service = Predictor(0, ModelCache(STORE, KEY), Board())
    before = service.save()

    with pytest.raises(Transient):
        service.on_model_published(Batch("model-published", 0, [0, 1], [constant(1), absent]), AT)

    assert service.save() == before


def test_a_row_that_the_model_cannot_take_harms_no_other() -> None:
    estimator, metadata = linear_model()
    world = runtime()
    world.put(MODEL_PUBLISHED, published("1", stored(STORE, estimator, metadata), metadata))
    bad: dict[str, Value] = {"load": "much", "price": 1.0, "region": "nsw"}
    for number, values in enumerate([*rows(20), bad, *rows(20, seed=1)]):
        world.put(FEATURES, event(str(number), values, entity="one"))
    world.run_until_idle()

    predictions = world.messages(PREDICTIONS)
    assert [p.id for p in predictions if p.prediction is None] == ["20"]
    assert "feature 'load' is not a number" in (predictions[20].reason or "")
    assert len(predictions) == 41


def test_what_the_canary_cannot_answer_the_champion_does() -> None:
    estimator, metadata = linear_model()
    world = runtime()
    world.put(MODEL_PUBLISHED, constant(1))
    strange = published("2", stored(STORE, estimator, metadata), metadata, stage="canary")
    world.put(MODEL_PUBLISHED, strange)
    world.put(FEATURES, event("e", {"x": 1.0, "load": "much"}))
    world.run_until_idle()

    (prediction,) = world.messages(PREDICTIONS)
    assert (prediction.prediction, prediction.role, prediction.model_version) == (1.0, "champion", "1")


def test_a_removed_pipeline_has_no_live_version() -> None:
    world = runtime()
    gone = PipelineDefined(
        pipeline="demo", version=1, digest="", specification={}, at=AT, issued_by="person:a", removed=True
    )
    world.put(MODEL_PUBLISHED, constant(1))
    world.run_until_idle()
    world.put(PIPELINES, gone)
    world.run_until_idle()
    put_events(world, range(2))
    world.run_until_idle()

    assert [prediction.reason for prediction in world.messages(PREDICTIONS)] == ["no-model", "no-model"]


def test_the_same_steps_on_a_restored_service_give_the_same_predictions() -> None:
    models = ModelCache(STORE, KEY)
    service, other = Predictor(0, models, Board()), Predictor(0, models, Board())
    publications = [constant(1), constant(2, stage="canary", weight=0.5), constant(3, stage="shadow")]
    service.on_model_published(Batch("model-published", 0, [0, 1, 2], publications), AT)
    service.on_features(Batch("features", 0, [0], [event("e0", {"x": 1.0})]), AT)
    batch = Batch("features", 0, [1, 2], [event("e1", {"x": 1.0}), event("e2", {"x": None})])

    other.restore(service.save())

    assert other.save() == service.save()
    assert other.on_features(batch, AT) == service.on_features(batch, AT)


def test_one_task_tells_the_live_version_for_all() -> None:
    models = ModelCache(STORE, KEY)
    first, second = Predictor(0, models, Board()), Predictor(1, models, Board())
    for service in (first, second):
        service.on_model_published(Batch("model-published", 0, [0], [constant(1)]), AT)

    labels = (("pipeline", "demo"), ("model_version", "1"))
    assert first.gauges() == {("homeostat_live_version", labels): 1.0}
    assert second.gauges() == {}


def test_starting_imports_no_learning_library_and_nothing_to_talk_to() -> None:
    code = (
        "import sys, services.predictor.service, services.predictor.server, services.predictor.rest\n"
        "print([name for name in ('sklearn', 'river', 'skops', 'scipy', 'pandas', 'mlflow', 'redis', 'polars')"
        " if name in sys.modules])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
