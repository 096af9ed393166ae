"""Codes that look like numbers, as ``001``: the same in the user's file, on the log, and in every answer."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from homeostat.backtesting.asking import columns_of
from homeostat.backtesting.history import history_of
from homeostat.cli import app
from shared.pipeline.span import Span
from shared.pipeline.specification import Specification
from shared.topics import PIPELINES, RAW_DATA
from tests.homeostat.cli.conftest import Call
from tests.services.gateway.answering import Answering
from tests.services.gateway.messages import defined
from tests.services.gateway.running import KEY, Running, running

SHOP: dict[str, Any] = {
    "name": "shop",
    "kind": "multiclass",
    "schema": {
        "order": {"type": "string"},
        "zip": {"type": "string", "nullable": True},
        "price": {"type": "number", "nullable": True},
        "count": {"type": "integer"},
        "class": {"type": "string"},
    },
    "id": "order",
    "key": "zip",
    "target": "class",
    "models": {"min_rows": 50},
}
SPECIFICATION = Specification.model_validate(SHOP)
CODES = ("00{n}", "{n}e5", "0x{n}", "{n}", "{n}.0", "+{n}", "NaN{n}", "0{n}.50")
TEXTS = ("01234", "1e5", "0x1", "NaN", "true", "7", "", '"01, 02"', " 5")
NUMBERS = ("{n}", "{n}.5", "{n}e1", "00{n}", '"{n}"', " {n}", "", "NaN", "dear", "0x{n}")
COUNTS = ("{n}", "00{n}", '"{n}"', "{n}.0", "{n}e0")


@pytest.fixture
def shop(gateway: Running) -> Running:
    """A gateway that knows of a shop whose ids, places and classes are text."""
    gateway.put(PIPELINES, defined(**SHOP))
    return gateway


def test_ids_and_text_go_on_as_they_stand(ask: Call, shop: Running, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("order,zip,price,count,class\n001,01234,007,1e1,01\n1e5,1e5,2,3,02\n")

    shown = ask("send", "shop", str(file))

    first, second = shop.written(RAW_DATA)
    assert (shown.status, first.id, first.entity, second.id) == (0, "001", "01234", "1e5")
    assert first.values == {"order": "001", "zip": "01234", "price": 7, "count": 10, "class": "01"}


def test_a_pipeline_given_by_its_file_is_read_the_same(ask: Call, gateway: Running, tmp_path: Path) -> None:
    specification, file = tmp_path / "shop.yaml", tmp_path / "rows.csv"
    specification.write_text(
        "name: shop\nkind: regression\nschema: {order: {type: string}, x: {type: number}, y: {type: number}}\n"
        "id: order\ntarget: y\n"
    )
    file.write_text("order,x\n001,1\n")

    assert ask("send", str(specification), str(file)).status == 0
    assert [record.id for record in gateway.written(RAW_DATA)] == ["001"]


def test_labels_find_the_ids_and_the_classes_of_the_rows(ask: Call, shop: Running, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("which,truth\n001,01\n2,2\n")

    shown = ask("labels", "shop", str(file), "--id-column", "which", "--label-column", "truth")

    assert shown.status == 0
    assert [(record.id, record.label) for record in shop.written(RAW_DATA)] == [("001", "01"), ("2", "2")]


def test_answers_come_under_the_ids_of_the_file(ask: Call, gateway: Running, tmp_path: Path) -> None:
    schema = {"order": {"type": "string"}, "nswprice": {"type": "number"}, "up": {"type": "boolean"}}
    gateway.put(PIPELINES, defined(schema=schema, id="order"))
    file = tmp_path / "new.csv"
    file.write_text("order,nswprice\n001,0.5\n002,dear\n003,NaN\n")

    with Answering(gateway):
        shown = ask("predict", "elec2", str(file), "--json")

    assert [answer["id"] for answer in shown.json["predictions"]] == ["001", "002", "003"]
    assert "line 3 (id 002): nswprice: is the text 'dear', not a number" in shown.err
    assert "line 4 (id 003): nswprice: is null" in shown.err


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("gateway"), wait=False) as started:
        started.put(PIPELINES, defined(**SHOP))
        yield started


@st.composite
def files(draw: st.DrawFn) -> list[str]:
    """Sixty lines of a few forms a column; what is no number stands in a few at most, or all would be refused."""
    forms = [st.lists(st.sampled_from(each), min_size=1, max_size=4) for each in (CODES, TEXTS, COUNTS)]
    codes, texts, counts = (draw(each) for each in forms)
    usual = draw(st.lists(st.sampled_from(NUMBERS[:7]), min_size=1, max_size=4))
    prices = [draw(st.sampled_from(NUMBERS)) if n % 20 == 0 else usual[n % len(usual)] for n in range(60)]
    named = draw(st.booleans())
    lines = ["order,zip,price,count,class" if named else "zip,price,count,class"]
    for n in range(60):
        cells = [texts[n % len(texts)], prices[n], counts[n % len(counts)], f"0{n % 3}"]
        cells = [codes[n % len(codes)], *cells] if named else cells
        lines.append(",".join(cell.format(n=n) for cell in cells))
    return lines


@settings(max_examples=15)
@given(files())
def test_a_file_that_is_sent_has_the_ids_and_values_that_a_backtest_finds_in_it(
    served: Running, lines: list[str]
) -> None:
    before = len(served.written(RAW_DATA))
    with tempfile.TemporaryDirectory() as folder:
        whole, events = Path(folder) / "history.csv", Path(folder) / "rows.csv"
        whole.write_text("\n".join(lines))
        events.write_text("\n".join(line.rpartition(",")[0] for line in lines))
        words = ["send", "shop", str(events), "--no-wait", "--url", served.url, "--api-key", KEY]
        CliRunner().invoke(app, words)
        history = history_of(columns_of(whole, SPECIFICATION), SPECIFICATION, Span.of("0s"), 1.0)

    sent = [(record.id, record.entity, repr(record.values)) for record in served.written(RAW_DATA)[before:]]
    told = [
        (history.ids[row], history.entities[row], repr(values))
        for row in range(len(history))
        for values in [{name: cell for name, cell in history.columns.row(row).items() if name != "class"}]
    ]
    assert sorted(sent) == sorted(told)
    assert history.labels[:3] == ["00", "01", "02"]
