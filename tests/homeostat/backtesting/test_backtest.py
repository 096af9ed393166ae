"""`homeostat.backtest` and the command: what they give, and that they give it again."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import homeostat
from homeostat.backtesting.page import chart_of
from homeostat.cli import app
from shared.errors import Misconfigured
from tests.homeostat.backtesting.histories import SPECIFICATION, eventful

pytestmark = pytest.mark.slow

RETRAIN = """
- name: learn-anew
  when: {kinds: [concept_drift, performance]}
  ladder: [{action: retrain, verify_rows: 200}]
"""
WATCH = """
- name: watch
  when: {}
  ladder: [{action: notify, metric: alert.resolved}]
"""
LEARNERS = "static,periodic:1000,river-linear"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("backtest")
    (made / "active.yaml").write_text(RETRAIN)
    (made / "idle.yaml").write_text(WATCH)
    (made / "shop.yaml").write_text(json.dumps(SPECIFICATION.model_dump(mode="json", by_alias=True)))
    rows = eventful(4000, turn=1500, wrong=range(0))
    pl.DataFrame(rows, infer_schema_length=None).write_parquet(made / "shop.parquet")
    return made


@pytest.fixture(scope="module")
def found(folder: Path) -> homeostat.Backtest:
    policies = [folder / "active.yaml", folder / "idle.yaml"]
    return homeostat.backtest(
        folder / "shop.yaml", folder / "shop.parquet", policies=policies, against=LEARNERS, rate=100.0
    )


def value(found: homeostat.Backtest, who: str) -> float:
    return float(found.summary.filter(pl.col("who") == who)["value"].item())


def test_a_loop_that_may_retrain_beats_the_model_that_is_never_retrained(found: homeostat.Backtest) -> None:
    assert value(found, "active") > value(found, "static") + 0.2


def test_a_loop_that_only_watches_answers_as_the_model_that_is_never_retrained(found: homeostat.Backtest) -> None:
    assert value(found, "idle") == value(found, "static")


def test_the_difference_between_two_policies_is_what_one_ordered_and_the_other_did_not(
    found: homeostat.Backtest,
) -> None:
    assert set(found.differences.filter(pl.col("policy") == "active")["action"]) >= {"retrain"}
    assert set(found.differences.filter(pl.col("policy") == "idle")["action"]) == {"notify"}
    assert min(found.differences["row"].to_list()) > 1500


def test_a_message_to_a_person_is_no_remedy_and_what_it_left_open_is_counted(found: homeostat.Backtest) -> None:
    messages = found.actions.filter((pl.col("policy") == "idle") & (pl.col("action") == "notify"))
    counts = found.summary.filter(pl.col("who") == "idle").to_dicts()[0]

    assert {outcome.split(";")[0] for outcome in messages["outcome"] if outcome} <= {"told"}
    assert counts["incidents"] == counts["resolved"] + counts["open"]
    assert counts["incidents"] > 0


def test_each_training_has_a_row_and_its_cost(found: homeostat.Backtest) -> None:
    active = found.summary.filter(pl.col("who") == "active").to_dicts()[0]
    retrains = found.actions.filter((pl.col("policy") == "active") & (pl.col("action") == "retrain"))
    assert active["trainings"] == 1 + retrains.height
    assert active["training_seconds"] == 5.0 * active["trainings"]


def test_all_are_compared_on_the_same_rows(found: homeostat.Backtest) -> None:
    assert found.summary["who"].to_list() == ["active", "idle", *LEARNERS.split(",")]
    answered = found.summary.filter(pl.col("who") != "river-linear")["rows"]
    assert answered.n_unique() == 1
    assert 300 < found.compared_from < 1500


def test_the_line_of_each_falls_where_the_concept_turns(found: homeostat.Backtest) -> None:
    line = found.accuracy.filter(pl.col("who") == "static")
    before = line.filter(pl.col("row") < 1500)["value"].mean()
    after = line.filter(pl.col("row") > 1700)["value"].mean()
    assert isinstance(before, float)
    assert isinstance(after, float)
    assert (before > 0.8, after < 0.3) == (True, True)


def test_the_command_gives_the_same_bytes_as_the_interface_and_again(folder: Path, found: homeostat.Backtest) -> None:
    words = ["backtest", str(folder / "shop.yaml"), str(folder / "shop.parquet"), "--json", "--rate", "100"]
    words += ["--against", LEARNERS, "--policy", str(folder / "active.yaml"), "--policy", str(folder / "idle.yaml")]
    shown = CliRunner().invoke(app, [*words, "--html", str(folder / "one.html")])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout == found.json() + "\n"
    told = "5 runs: active, idle, static, periodic:1000, river-linear; --against static for the quick answer"
    assert shown.stderr.startswith(told)
    found.write_html(folder / "two.html")
    assert (folder / "one.html").read_bytes() == (folder / "two.html").read_bytes()


def test_the_page_needs_no_network(folder: Path, found: homeostat.Backtest) -> None:
    page = found.write_html(folder / "page.html").read_text()
    assert "Plotly.newPlot" in page
    assert '<script src="http' not in page
    assert "<link" not in page
    assert page.startswith('<!doctype html><html lang="en">')
    assert "<noscript>" in page


def test_the_page_s_tables_name_units_and_show_no_json(folder: Path, found: homeostat.Backtest) -> None:
    page = found.write_html(folder / "page.html").read_text()
    tables = page[: page.index("<script")] + page[page.rindex("</script>") :]
    assert "<th class=n>accuracy, %</th>" in tables
    assert "<th class=n>training, virtual s</th>" in tables
    assert "{&quot;" not in tables
    assert "training_seconds" not in tables


def test_the_loop_s_line_lies_on_top_and_no_two_lines_look_alike(found: homeostat.Backtest) -> None:
    lines = [trace for trace in chart_of(found).data if trace.mode == "lines"]
    assert max(lines, key=lambda line: line.zorder).name == "active"
    assert len({line.line.color for line in lines}) == len({line.line.dash for line in lines}) == len(lines) == 5


def test_a_policy_that_cannot_be_verified_at_the_history_s_pace_is_told(folder: Path) -> None:
    slow = pl.read_parquet(folder / "shop.parquet")[:1200]
    found = homeostat.backtest(folder / "shop.yaml", slow, policies=[folder / "active.yaml"], against="none")
    assert found.hints == ()
    times = pl.Series([f"2026-{1 + i // 600:02}-{1 + i // 24 % 25:02}T{i % 24:02}:00:00.000000Z" for i in range(1200)])
    found = homeostat.backtest(
        folder / "shop.yaml",
        slow.with_columns(times.sort().alias("at")),
        policies=[folder / "active.yaml"],
        against="none",
    )
    assert "learn-anew: retrain is to be verified over 200 labelled rows" in found.hints[0]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"against": "periodic:0"}, "--against 'periodic:0'"),
        ({"against": "magic"}, "there are static, periodic:N"),
        ({"label_delay": "soon"}, "label delay: 'soon' is neither"),
        ({"batch": 0}, "batch 0"),
        ({"rate": 0.0}, "rate 0"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(folder: Path, asked: dict[str, object], says: str) -> None:
    with pytest.raises(Misconfigured, match=says.replace("(", r"\(")):
        homeostat.backtest(folder / "shop.yaml", folder / "shop.parquet", **asked)  # type: ignore[arg-type]
