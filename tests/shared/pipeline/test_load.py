"""Specifications from files: what is right loads, and what is wrong is named with line, column and field."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
from ruamel.yaml import YAML

from shared.pipeline.check import checked
from shared.pipeline.load import load, parse
from shared.pipeline.load_policies import load_policies
from shared.pipeline.problems import SpecificationError
from shared.pipeline.schema import PATH, schema_text

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*/pipeline.yaml"))

RIGHT = """\
name: power
kind: binary
schema:
  id: {type: string}
  region: {type: string}
  price: {type: number, range: [0, null]}
  demand: {type: number}
  up: {type: integer, allowed: [0, 1]}
id: id
key: region
target: up
features:
  price: price
  gap: price - demand
  before: {expression: price, lag: 1}
  change: price - before
"""


def faults(text: str) -> list[str]:
    with pytest.raises(SpecificationError) as caught:
        parse(text.encode(), "x.yaml")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_the_examples_load_and_fit_the_schema(path: Path) -> None:
    specification = load(path)

    assert specification.name == path.parent.name
    jsonschema.Draft202012Validator(json.loads(schema_text())).validate(YAML(typ="safe").load(path))


def test_three_examples_are_there() -> None:
    assert [path.parent.name for path in EXAMPLES] == ["bike-rentals", "electricity", "server-metrics"]


def test_the_published_json_schema_is_current() -> None:
    assert PATH.read_text() == schema_text(), "run: python -m shared.pipeline.schema"


def test_a_right_specification_has_its_features_in_order() -> None:
    assert parse(RIGHT.encode(), "x.yaml").feature_names == ("price", "gap", "before", "change")


def test_an_unknown_name_in_a_feature_is_named_with_its_line_and_a_suggestion() -> None:
    text = RIGHT.replace("gap: price - demand", "gap: price - demnd")

    assert faults(text) == ["x.yaml:14:3: features.gap: unknown field `demnd`; did you mean `demand`?"]


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    text = RIGHT.replace("kind: binary", "kind: binry").replace("range: [0, null]", "rnage: [0, null]")

    found = faults(text)

    assert [line.split(" ", 2)[0] for line in found] == ["x.yaml:2:1:", "x.yaml:6:25:"]
    assert "did you mean `binary`?" in found[0]
    assert "schema.price.rnage: unknown field `rnage`; did you mean `range`?" in found[1]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("target: up", "target: upp", "target: `upp` is not a field of the schema; did you mean `up`?"),
        ("target: up", "", "target: is missing: a binary pipeline needs one"),
        ("key: region", "key: up", "key: `up` is the target already"),
        ("key: region", "timestamp: price", "timestamp: `price` has type number, not timestamp"),
        ("key: region", "", "features.before.lag: a lag needs rows that belong together"),
        ("gap: price - demand", "gap: price + up", "features.gap: reads the target `up`"),
        ("gap: price - demand", "gap: price -", "features.gap: not an expression"),
        ("gap: price - demand", "gap: sum(price)", "features.gap: `sum` is no function of a single row"),
        ("gap: price - demand", "gap: price - id", "features.gap: "),
        ("gap: price - demand", "gap: price demand", "features.gap: not one expression"),
        ("gap: price - demand", "gap: {expression: id, window: 3}", "features.gap: `mean` of text"),
        ("gap: price - demand", "gap: {expression: gap2, window: 3}", "features.gap: unknown field `gap2`"),
        ("gap: price - demand", "up: price", "features.up: is the target's name"),
        ("gap: price - demand", "gap: change", "features.gap: unknown field `change`"),
        ("lag: 1", "lag: 0", "features.before.lag: Input should be greater than or equal to 1"),
        ("lag: 1", "window: 2, min_rows: 3", "features.before.min_rows: is more than the window has (2)"),
        ("range: [0, null]", "range: [3, 1]", "schema.price.range: the range ends (1.0) below where it begins (3.0)"),
        ("allowed: [0, 1]", "allowed: [0, x]", "schema.up.allowed[1]: 'x' is no integer"),
        ("allowed: [0, 1]", "allowed: [0, 1, 2]", "schema.up.allowed: a binary target has two allowed values"),
        (
            "id: id",
            "id: id\nmodels: {candidates: [logstic]}",
            "models.candidates: `logstic` is no candidate of a binary",
        ),
        ("id: id", "id: id\nmodels: {min_rows: 5000, train_rows: 100}", "models.train_rows: is less than min_rows"),
        ("id: id", "id: id\ngate: {metric: mae}", "gate.metric: `mae` is no metric of a binary pipeline"),
        ("id: id", "id: id\nmonitor: {slices: [regon]}", "monitor.slices: `regon` is no field of the schema; did"),
        ("id: id", "id: id\nlabel_delay: soon", "label_delay: 'soon' is not a duration"),
        ("id: id", "id: id\npolicies: [{name: p, when: {}, ladder: []}]", "policies[0].ladder: has no action"),
        (
            "id: id",
            "id: id\npolicies: [{name: p, when: {kinds: [drift]}, ladder: [{action: retrian, metric: x}]}]",
            "policies[0].ladder[0].action: `retrian` is no action; did you mean `retrain`?",
        ),
    ],
)
def test_each_kind_of_fault_names_its_field(old: str, new: str, expected: str) -> None:
    assert any(expected in line for line in faults(RIGHT.replace(old, new)))


def test_faults_have_the_line_on_which_they_stand() -> None:
    policies = "policies:\n  - name: p\n    when: {}\n    ladder:\n      - action: notify\n      - action: nothing\n"

    (line,) = faults(RIGHT + policies)

    assert line.startswith("x.yaml:22:9: policies[0].ladder[1].action: `nothing` is no action")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "x.yaml:1:1: is empty"),
        (b"# only a remark\n", "x.yaml:1:1: is empty"),
        (b"- a\n- b\n", "x.yaml:1:1: does not begin with `name: "),
        (b"just text", "x.yaml:1:1: does not begin with `name: "),
        (b"name: [1\nkind: x\n", "x.yaml:2:5: not YAML"),
        (b"name: a\nname: b\n", "x.yaml:2:1: the name stands twice"),
        (b"\xff\xfe\x00\x01", "x.yaml:1:1: not a text file in UTF-8"),
        (b"PAR1" + bytes(range(8)), "x.yaml:1:1: not YAML"),
        (b"x: " + b"a" * 2_000_000, "such a file has at most 1000000"),
    ],
)
def test_a_file_that_is_no_specification_is_refused_by_name(content: bytes, expected: str) -> None:
    with pytest.raises(SpecificationError) as caught:
        parse(content, "x.yaml")

    assert expected in str(caught.value)


def test_aliases_that_stand_for_millions_of_values_are_refused() -> None:
    layers = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    layers += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]

    assert "has more than" in faults("\n".join(layers))[0]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"nothing\.yaml: no such file"):
        load(tmp_path / "nothing.yaml")


def test_a_document_from_rest_gets_problems_with_paths() -> None:
    _, (problem,) = checked({"name": "p", "kind": "regression", "schema": {"x": {"type": "number"}}, "target": "y"})

    assert (problem.field, problem.reason) == ("target", "unknown-field")
    assert checked([1])[1][0].reason == "not-an-object"
    assert checked(YAML(typ="safe").load(RIGHT))[1] == []


@pytest.mark.parametrize("suffix", ["csv", "parquet", "ndjson"])
def test_a_data_file_is_named_as_such_and_how_a_specification_is_made_of_it(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"rows.{suffix}"
    file.write_bytes(b"PAR1")

    with pytest.raises(SpecificationError, match=f"homeostat pipeline init .*rows.{suffix} --target COLUMN") as caught:
        load(file)

    assert "holds rows by its name, and a specification" in str(caught.value)


def test_what_is_wrong_with_names_is_told_beside_what_is_wrong_with_form() -> None:
    text = RIGHT.replace("{type: number}", "{typ: number}").replace("target: up", "target: upp")

    found = faults(text.replace("gap: price - demand", "gap: price - demnd"))

    assert found == [
        "x.yaml:7:12: schema.demand.typ: unknown field `typ`; did you mean `type`?",
        "x.yaml:11:1: target: `upp` is not a field of the schema; did you mean `up`?",
        "x.yaml:14:3: features.gap: unknown field `demnd`; did you mean `demand`?",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("demand: {type: number}", "demand: {type: quantity}", 1),
        ("region: {type: string}", "region: {tpe: strng}", 2),
        ("demand: {type: number}", "demand: number", 1),
        ("before: {expression: price, lag: 1}", "before: {expression: price, lag: 0}", 1),
        ("before: {expression: price, lag: 1}", "before: {lag: 1}", 1),
        ("key: region", "key: 5", 1),
        ("kind: binary", "kind: sorting\nmodels: {candidates: [ridge]}", 1),
        ("target: up", "target: up\nrelease: {canary: [{weight: 2, rows: 5}, {weight: 3, rows: 5}]}", 2),
        ("target: up", "target: up\nmodels: {train_rows: 1, min_rows: 30000}", 1),
        ("up: {type: integer, allowed: [0, 1]}", "up: {type: [integer], allowed: [0, 1]}", 1),
        ("target: up", "target: up\npolicies: [{name: p, when: {}, ladder: [{action: notify, recover: 2}]}]", 1),
    ],
)
def test_a_fault_of_form_makes_no_others_up(old: str, new: str, expected: int) -> None:
    found = faults(RIGHT.replace(old, new).replace("\nid: id", "\nid: it"))

    assert len([line for line in found if "not a field of the schema" not in line]) == expected
    assert [line for line in found if "not a field of the schema" in line]


POLICIES = """\
- name: first
  when: {kind: [performance]}
  ladder:
    - {action: retrian, verify_row: 5}
- name: second
  when: {causes: [featur]}
  ladder: []
"""


def test_every_fault_of_a_file_of_policies_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(POLICIES)

    with pytest.raises(SpecificationError) as caught:
        load_policies(file)

    assert str(caught.value).splitlines() == [
        f"{file}:2:10: policies[0].when.kind: unknown field `kind`; did you mean `kinds`?",
        f"{file}:4:8: policies[0].ladder[0].action: `retrian` is no action; did you mean `retrain`?",
        f"{file}:4:25: policies[0].ladder[0].verify_row: unknown field `verify_row`; did you mean `verify_rows`?",
        f"{file}:6:10: policies[1].when.causes: `featur` is no kind of cause; did you mean `feature`?",
        f"{file}:7:3: policies[1].ladder: has no action; give at least one, as `- action: notify`",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "mine.yaml:1:1: is empty, and a list of policies is expected"),
        ("name: p\n", "mine.yaml:1:1: a file of policies is a list"),
        ("- first\n", "mine.yaml:1:3: policies[0]: Input should be"),
        ("- [\n", "not YAML"),
    ],
)
def test_a_file_that_has_no_policies_is_refused_by_name(tmp_path: Path, content: str, expected: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(content)

    with pytest.raises(SpecificationError) as caught:
        load_policies(file)

    assert expected in str(caught.value)
    with pytest.raises(SpecificationError, match="no such file"):
        load_policies(tmp_path / "nothing.yaml")
