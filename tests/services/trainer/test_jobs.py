"""The jobs, on real rows in a log: what they read, what they make, and that it can be made again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl
import pytest
from mlflow.tracking import MlflowClient

from services.trainer.bring import brought
from services.trainer.core.card import markdown_of
from services.trainer.core.orders import Judged, Order, Registration, Rows, plain, typed
from services.trainer.core.releases import Candidate
from services.trainer.dataset import Source, reproduced
from services.trainer.jobs import judge, recalibrate, register, train
from shared.errors import Poison, Transient
from shared.history import content_hash
from shared.models.artifact import load
from shared.models.store import FileStore
from shared.pipeline.specification import Specification

Specified = Callable[..., Specification]


def order(specification: Specification, **parts: Any) -> dict[str, Any]:
    asked = Order(
        pipeline=specification.name,
        specification=specification.canonical,
        specification_version=1,
        code_revision="abc",
        **parts,
    )
    return plain(asked)


def made(result: dict[str, Any]) -> Judged:
    return typed(result, Judged)


def candidate_of(result: dict[str, Any]) -> Candidate:
    candidate = made(result).candidate
    assert candidate is not None, made(result).verdict.reason
    return candidate


@pytest.fixture(scope="module")
def rows(stream: pl.DataFrame) -> pl.DataFrame:
    return stream.head(2_000)


def test_a_first_model_is_trained_judged_and_stored_so_that_a_predictor_loads_it(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(
        models={"candidates": ["logistic", "river-logistic"], "search": {"seconds": 60, "trials": 2}}
    )
    world.write(specification, rows)

    result = train(order(specification), world.context)

    judged, candidate = made(result), candidate_of(result)
    assert judged.verdict.passed
    assert judged.search["attempts"] == 4
    assert candidate.metrics["accuracy"] > judged.baseline["accuracy"]
    assert candidate.lineage.rows == 2_000
    assert candidate.classes == ("0", "1")
    model = load(candidate.artifact, FileStore(world.folder / "artifacts"), b"a key for tests")
    assert set(model.answer(rows.head(5).to_dicts()).predictions) <= {0, 1}


def test_the_same_ranges_and_seed_give_the_same_data_and_the_same_predictions(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(models={"candidates": ["random-forest"], "train_rows": 700})
    world.write(specification, rows)

    first = candidate_of(train(order(specification), world.context))
    again = candidate_of(train(order(specification), world.context))

    assert first.lineage == again.lineage
    store = FileStore(world.folder / "artifacts")
    models = [load(each.artifact, store, b"a key for tests") for each in (first, again)]
    assert models[0].answer(rows.to_dicts()) == models[1].answer(rows.to_dicts())
    source = Source(world.context.reader(), world.folder, specification)
    found = reproduced(source, first.lineage)
    assert content_hash(found) == first.lineage.data_hash
    assert found["__id"].to_list() == rows["id"].tail(700).to_list()


def test_after_the_rule_has_turned_round_hardly_any_rows_from_before_are_learned_from(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    world.write(specification, rows[:1200])
    world.write(specification, rows[1200:], label=lambda row: 1 - row["target"])
    since = {str(partition): 300 for partition in range(4)}

    result = train(order(specification, rows=Rows(since=since)), world.context)

    lineage = candidate_of(result).lineage
    assert lineage.rows <= 1.25 * 800
    assert lineage.features_ranges["0"][0] >= 250
    assert str(lineage.rows) in made(result).window


def test_where_the_rows_before_a_change_do_no_harm_they_are_learned_from_and_the_answer_says_so(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    world.write(specification, rows)
    since = {str(partition): 490 for partition in range(4)}

    result = train(order(specification, rows=Rows(since=since)), world.context)

    assert candidate_of(result).lineage.rows == 2_000
    assert made(result).window == "the newest 2000 labelled rows, 40 of them since the change"


def test_without_a_search_only_the_champion_s_learner_and_defaults_are_tried_and_proof_is_held_to(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    models = {"candidates": ["random-forest", "logistic"], "search": {"seconds": 60, "trials": 5}}
    specification = specified(models=models)
    world.write(specification, rows[:1000], label=lambda row: 1 - row["target"])
    champion = candidate_of(train(order(specification), world.context))
    world.write(specification, rows[1000:])

    refreshed = train(order(specification, champion=champion, search=False, proof=1.0), world.context)
    unproven = train(order(specification, champion=champion, search=False, proof=1e-9), world.context)

    assert made(refreshed).search["attempts"] == 3
    assert made(unproven).candidate is None
    assert "1e-09 is asked for" in made(unproven).verdict.reason


def test_quarantined_stretches_and_withheld_rows_are_not_trained_on(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    world.write(specification, rows[:400])
    world.write(specification, rows[400:440], withheld=("nswprice",))
    world.write(specification, rows[440:1000])
    stretches = ((0, 120, 200), (1, 240, None))

    lineage = candidate_of(train(order(specification, rows=Rows(excluded=stretches)), world.context)).lineage

    assert lineage.rows == 1000 - 40 - 80 - 10
    assert lineage.excluded_ranges == ((0, 120, 200), (1, 240, 250))


def test_rows_of_others_in_a_stretch_of_one_source_are_trained_on_and_the_lineage_gives_them_again(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    world.write(specification, rows[:400])
    world.write(specification, rows[400:440], source="file:wrong.csv")
    world.write(specification, rows[440:1000])
    stretches = Rows(excluded=((0, 50, None), (1, 50, 240)), sources=("file:wrong.csv", ""))

    lineage = candidate_of(train(order(specification, rows=stretches), world.context)).lineage

    assert lineage.rows == 1000 - 10 - 190
    assert lineage.left_out == ((0, 50, 250, "file:wrong.csv"), (1, 50, 240, ""))
    frame = reproduced(Source(world.context.reader(), world.folder, specification), lineage)
    assert content_hash(frame) == lineage.data_hash


def test_too_few_rows_make_no_model_and_the_reason_counts_them(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    world.write(specification, rows.head(120))

    judged = made(train(order(specification), world.context))

    assert judged.candidate is None
    assert "only 120 labelled rows to train on" in judged.verdict.reason


def test_a_challenger_that_learnt_wrong_labels_does_not_pass_the_gate_against_a_good_champion(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(gate={"must_beat_baseline": False})
    world.write(specification, rows[:1000])
    champion = candidate_of(train(order(specification), world.context))
    flipped = brought(
        specification,
        rows[:1000].select(specification.feature_names).to_dicts(),
        [1 - label for label in rows[:1000]["target"]],
        learner="logistic",
        store=FileStore(world.folder / "artifacts"),
        signing_key=b"a key for tests",
        made_by="somebody",
    )
    asked = {"champion": champion, "candidate": typed(flipped, Candidate)}

    refused = made(judge(order(specification, **asked), world.context))
    forced = made(judge(order(specification, forced=True, **asked), world.context))

    assert refused.candidate is None
    assert "not better" in refused.verdict.reason
    assert not forced.verdict.passed
    assert forced.candidate is not None
    assert forced.candidate.metrics["accuracy"] < forced.champion["accuracy"]


def test_what_is_forced_is_judged_on_few_rows_since_someone_waits(
    world: Any, stream: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(models={"train_rows": 6000})
    world.write(specification, stream.head(4500))
    mine = brought(
        specification,
        stream.head(1000).select(specification.feature_names).to_dicts(),
        stream.head(1000)["target"].to_list(),
        learner="logistic",
        store=FileStore(world.folder / "artifacts"),
        signing_key=b"a key for tests",
        made_by="somebody",
    )
    candidate = typed(mine, Candidate)

    asked = made(judge(order(specification, candidate=candidate), world.context))
    forced = made(judge(order(specification, candidate=candidate, forced=True), world.context))

    assert (asked.window, forced.window) == ("the newest 4500 labelled rows", "the newest 4000 labelled rows")
    assert forced.verdict.rows == 800


def test_a_model_from_outside_whose_bytes_were_changed_is_refused_even_with_force(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    world.write(specification, rows[:500])
    candidate = candidate_of(train(order(specification), world.context))
    path = world.folder / "artifacts" / candidate.artifact.sha256
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(Poison, match="hash"):
        judge(order(specification, candidate=candidate, forced=True), world.context)


def test_recalibration_mends_probabilities_that_are_too_sure(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(gate={"must_beat_baseline": False})
    world.write(specification, rows)
    features = rows.select(specification.feature_names).to_dicts()
    sure = brought(
        specification,
        [*features[:300], *features[1000:1100]],
        rows["target"].to_list()[:300] + rows["target"].to_list()[1000:1100],
        learner="random-forest",
        store=FileStore(world.folder / "artifacts"),
        signing_key=b"a key for tests",
        made_by="somebody",
    )
    champion = typed(sure, Candidate)

    judged = made(recalibrate(order(specification, champion=champion), world.context))

    assert judged.candidate is not None, judged.verdict.reason
    assert judged.candidate.origin == "recalibrated"
    assert judged.candidate.metrics["log_loss"] < judged.champion["log_loss"]


def test_a_river_champion_is_not_recalibrated_and_the_reason_says_what_to_do(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(models={"candidates": ["river-logistic"]})
    world.write(specification, rows)
    champion = candidate_of(train(order(specification), world.context))

    judged = made(recalibrate(order(specification, champion=champion), world.context))

    assert judged.candidate is None
    assert "retrain instead" in judged.verdict.reason


def test_an_anomaly_model_is_trained_without_any_label(world: Any, rows: pl.DataFrame, specified: Specified) -> None:
    specification = specified(kind="anomaly", models={"candidates": []}, target=None)
    world.write(specification, rows.head(800), label=lambda _: None)

    candidate = candidate_of(train(order(specification), world.context))

    assert candidate.metrics["separation"] > 0.6
    assert candidate.metrics["anomaly_share"] <= 0.2


def test_a_version_is_in_mlflow_once_with_its_card_and_its_aliases(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    world.tracking_uri = f"sqlite:///{world.folder}/mlflow.db"
    specification = specified()
    world.write(specification, rows[:600])
    candidate = candidate_of(train(order(specification), world.context))
    told = Registration(
        pipeline=specification.name,
        version="1",
        candidate=candidate,
        specification=specification.canonical,
        aliases={"champion": "1", "challenger": None, "previous": None},
    )

    first = register(plain(told), world.context)
    second = register(plain(told), world.context)

    assert first == second
    client = MlflowClient(world.tracking_uri, world.tracking_uri)
    versions = client.search_model_versions(f"name = '{specification.name}'")
    assert [each.tags["homeostat_version"] for each in versions] == ["1"]
    champion = client.get_model_version_by_alias(specification.name, "champion")
    run = client.get_run(champion.run_id)
    assert run.data.tags["homeostat_data_hash"] == candidate.lineage.data_hash
    assert run.data.tags["homeostat_revision"] == "abc"
    assert run.data.metrics["accuracy"] == pytest.approx(candidate.metrics["accuracy"])
    names = {each.path for each in client.list_artifacts(champion.run_id)}
    assert {"model", "model-card.md", "model-card.json", "lineage.json", "specification.json"} <= names


def test_mlflow_that_is_not_up_yet_is_one_sentence(world: Any, rows: pl.DataFrame, specified: Specified) -> None:
    world.tracking_uri = "http://127.0.0.1:9"
    specification = specified()
    world.write(specification, rows[:400])
    candidate = candidate_of(train(order(specification), world.context))
    told = Registration(pipeline=specification.name, version="1", candidate=candidate, specification={})

    with pytest.raises(Transient, match=r"^MLflow at http://127.0.0.1:9 is not up: it is told of electricity 1 later$"):
        register(plain(told), world.context)


def test_the_card_tells_a_person_what_the_model_was_made_from_and_how_it_was_judged(
    world: Any, rows: pl.DataFrame, specified: Specified
) -> None:
    specification = specified()
    world.write(specification, rows[:600])
    candidate = candidate_of(train(order(specification), world.context))

    page = markdown_of({**candidate.card, "version": "7"})

    assert page.startswith("# electricity, version 7")
    assert candidate.lineage.data_hash in page
    assert f"| accuracy | {candidate.metrics['accuracy']:.4f} |" in page
    assert "beats the baseline's" in page
    assert msgspec.json.decode(msgspec.json.encode(candidate.card)) == candidate.card
