"""The topic table, the services' handlers, the messages and the pages made from them agree."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from shared import codec, topics
from shared.errors import Poison
from shared.topics import BY_NAME, SERVICES, TOPICS, Topic, topics_read_by
from tests.support.rules import ROOT
from tools.topics import DOCS, incompatibilities, pages

EXAMPLES = Path(__file__).parent / "messages"
SHARED_BY_DESIGN = {"dead-letters", "command-results", "telemetry", "steps", "job-results"}
OUTSIDE = {"supervisor"}


def _examples(kind: str) -> list[Any]:
    files = sorted(EXAMPLES.glob(f"*/{kind}-*.json"))
    return [pytest.param(BY_NAME[file.parent.name], file, id=f"{file.parent.name}/{file.stem}") for file in files]


def _handlers_of(service: str) -> set[str]:
    """The topic handlers of a service's class: every public on_… but those of the protocol itself."""
    module = importlib.import_module(f"services.{service}.service")
    owners = [each for _, each in inspect.getmembers(module, inspect.isclass) if each.__module__ == module.__name__]
    names = {name for owner in owners for name in dir(owner) if name.startswith("on_")}
    source = ast.parse(Path(inspect.getfile(module)).read_text())
    names |= {
        node.attr
        for node in ast.walk(source)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr.startswith("on_")
    }
    return names - {"on_tick", "on_job"}


def _writes(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every (module, topic) where `TOPIC.of(...)` or `Out(TOPIC, ...)` stands under `folder`."""
    constants = {name: value.name for name, value in vars(topics).items() if isinstance(value, Topic)}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            of = isinstance(node.func, ast.Attribute) and node.func.attr == "of" and node.func.value
            out = isinstance(node.func, ast.Name) and node.func.id == "Out" and node.args and node.args[0]
            target = of or out
            if isinstance(target, ast.Name) and target.id in constants:
                yield path.relative_to(folder), constants[target.id]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_handles_just_the_topics_that_the_table_says_it_reads(service: str) -> None:
    assert _handlers_of(service) == {topic.handler for topic in topics_read_by(service)}


@pytest.mark.parametrize("writer", [*SERVICES, "supervisor"])
def test_a_writer_writes_only_topics_that_the_table_says_it_writes(writer: str) -> None:
    folder = ROOT / "homeostat" / "local" if writer == "supervisor" else ROOT / "services" / writer

    assert [(path, name) for path, name in _writes(folder) if writer not in BY_NAME[name].writers] == []


def test_a_write_to_a_strange_topic_is_found(tmp_path: Path) -> None:
    (tmp_path / "service.py").write_text("def f(m):\n    return [ALERTS.of(m), Out(COMMANDS, m), other.of(m)]\n")

    assert [name for _, name in _writes(tmp_path)] == ["alerts", "commands"]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_has_one_writer_known_readers_and_a_stated_retention(topic: Topic[Any]) -> None:
    assert len(topic.writers) == 1 or topic.name in SHARED_BY_DESIGN
    assert set(topic.writers) | set(topic.readers) <= {*SERVICES, *OUTSIDE}
    assert topic.retention_hours is None or topic.retention_hours >= 24
    assert not topic.compacted or topic.retention_hours is None


@pytest.mark.parametrize(
    ("topic", "reader"),
    [(topic, reader) for topic in TOPICS for reader in topic.views],
    ids=lambda one: str(getattr(one, "name", one)),
)
def test_what_a_reader_takes_of_a_message_is_declared_as_in_the_message(topic: Topic[Any], reader: str) -> None:
    whole = {each.name: each for each in msgspec.structs.fields(topic.message)}
    part = msgspec.structs.fields(topic.read_by(reader))

    assert reader in topic.readers
    assert [(each.name, each.type, each.default) for each in part] == [
        (each.name, whole[each.name].type, whole[each.name].default) for each in part
    ]


def test_orders_and_the_ledger_are_kept_for_ever() -> None:
    for_ever = {topic.name for topic in TOPICS if topic.retention_hours is None}

    assert for_ever >= {"pipelines", "model-published", "alerts", "requests", "commands", "command-results", "audit"}


def test_every_topic_has_accepted_and_refused_examples() -> None:
    for topic in TOPICS:
        names = {file.name.partition("-")[0] for file in (EXAMPLES / topic.name).glob("*.json")}
        assert names == {"accepted", "refused"}, topic.name


@pytest.mark.parametrize(("topic", "file"), _examples("accepted"))
def test_an_example_is_read_written_alike_and_fits_its_published_schema(topic: Topic[Any], file: Path) -> None:
    message = codec.decode(topic, file.read_bytes())

    assert codec.decode(topic, codec.encode(message)) == message
    schema = json.loads((DOCS / "schemas" / f"{topic.message.__name__}.json").read_text())
    jsonschema.validate(json.loads(codec.encode(message)), schema)


@pytest.mark.parametrize(("topic", "file"), _examples("refused"))
def test_an_example_is_refused_and_the_place_is_named(topic: Topic[Any], file: Path) -> None:
    example = json.loads(file.read_text())

    with pytest.raises(Poison) as refused:
        codec.decode(topic, json.dumps(example["record"]).encode())

    assert example["why"] in refused.value.detail


@pytest.mark.parametrize("path", sorted(pages()))
def test_a_page_made_from_the_table_is_current(path: str) -> None:
    assert (DOCS / path).read_text() == pages()[path], "run `make docs`"


def test_no_schema_is_left_of_a_message_that_is_gone() -> None:
    assert {file.name for file in (DOCS / "schemas").iterdir()} == {Path(p).name for p in pages() if "schemas/" in p}


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ({"properties": {"a": {"type": "string"}}}, {"properties": {}}, "a was removed"),
        ({"properties": {}}, {"properties": {"a": {"type": "string"}}, "required": ["a"]}, "it now requires a"),
        (
            {"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
            {"properties": {"a": {"type": "string"}}},
            "a no longer takes null",
        ),
        (
            {"properties": {"a": {"enum": ["x", "y"]}}},
            {"properties": {"a": {"enum": ["x"]}}},
            "a no longer takes the value 'y'",
        ),
        (
            {"properties": {}, "$defs": {"Window": {"properties": {"rows": {"type": "integer"}}}}},
            {"properties": {}, "$defs": {"Window": {"properties": {}}}},
            "Window.rows was removed",
        ),
    ],
)
def test_a_change_by_which_old_records_could_not_be_read_is_found(
    old: dict[str, Any], new: dict[str, Any], why: str
) -> None:
    assert incompatibilities(old, new) == [why]


def test_a_new_field_with_a_default_is_no_break() -> None:
    new = {"properties": {"a": {"type": "string", "default": ""}, "b": {"enum": ["x", "y"]}}}

    assert incompatibilities({"properties": {"b": {"enum": ["x"]}}}, new) == []
