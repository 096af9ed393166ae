"""Writes what follows from the topic table: docs/topics.md, docs/asyncapi.json, docs/schemas/*.json.

`python -m tools.topics` (`make docs`). It refuses to write a schema by which records of the schema
before it could no longer be read.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from shared.topics import SERVICES, TOPICS, Topic

DOCS = Path(__file__).parents[1] / "docs"
Schema = dict[str, Any]

_PAGE = """# Topics

Made from [`shared/topics.py`](../shared/topics.py) by `make docs`. Messages are JSON, one per record;
their schemas are in [`schemas/`](schemas/), and [`asyncapi.json`](asyncapi.json) says the same to
tools. Names stand without the installation's prefix (`HOMEOSTAT_TOPIC_PREFIX`).

| topic | message | key | written by | read by | kept | what |
|---|---|---|---|---|---|---|
{rows}

Topics that are *spread* have several partitions (`HOMEOSTAT_DATA_PARTITIONS`), by entity; the others
have one, so their records have one order. Records carry a W3C `traceparent`; those of control topics
also carry the headers of CloudEvents.

```mermaid
{diagram}
```
"""


def pages() -> dict[str, str]:
    """Every generated file, by its path under docs/."""
    schemas = message_schemas()
    return {
        "topics.md": topics_page(),
        "asyncapi.json": _json(asyncapi(schemas)),
        **{f"schemas/{name}.json": _json(schema) for name, schema in standalone(schemas).items()},
    }


def message_schemas() -> dict[str, Schema]:
    """JSON Schemas of all messages and of what they contain, referring to each other as components."""
    _, components = msgspec.json.schema_components(
        [topic.message for topic in TOPICS], schema_hook=_any, ref_template="#/components/schemas/{name}"
    )
    for schema in components.values():
        if "description" in schema:
            schema["description"] = inspect.cleandoc(schema["description"])
    return components


def standalone(components: Mapping[str, Schema]) -> dict[str, Schema]:
    """One self-contained schema per message that travels."""
    found = {}
    for name in sorted({topic.message.__name__ for topic in TOPICS}):
        text = json.dumps(components[name])
        needed = sorted(_reached(name, components) - {name})
        schema: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **json.loads(text)}
        if needed:
            schema["$defs"] = {each: components[each] for each in needed}
        found[name] = json.loads(json.dumps(schema).replace("#/components/schemas/", "#/$defs/"))
    return found


def incompatibilities(old: Schema, new: Schema, where: str = "") -> list[str]:
    """Why a record written by `old` might not be read by `new`: removed, retyped or newly required fields."""
    found = [
        f"{where or 'it'} now requires {name}" for name in _list(new, "required") if name not in _list(old, "required")
    ]
    before, after = old.get("properties", {}), new.get("properties", {})
    found += [f"{where}{name} was removed" for name in before if name not in after]
    for name in before.keys() & after.keys():
        narrower = _values(before[name]) - _values(after[name])
        if narrower:
            found.append(f"{where}{name} no longer takes {', '.join(sorted(narrower))}")
    for name in old.get("$defs", {}).keys() & new.get("$defs", {}).keys():
        found += incompatibilities(old["$defs"][name], new["$defs"][name], f"{name}.")
    return found


def topics_page() -> str:
    """The topic table for people."""
    return _PAGE.format(rows="\n".join(_row(topic) for topic in TOPICS), diagram=diagram())


def diagram() -> str:
    """Who talks to whom, as a Mermaid flowchart. What every service writes is left out."""
    lines = ["flowchart LR"]
    for topic in TOPICS:
        if set(SERVICES) <= set(topic.writers):
            continue
        node = topic.name.replace("-", "_")
        lines.append(f"  {node}([{topic.name}])")
        lines += [f"  {writer} --> {node}" for writer in topic.writers]
        lines += [f"  {node} --> {reader}" for reader in topic.readers]
    return "\n".join(lines)


def asyncapi(schemas: Mapping[str, Schema]) -> dict[str, Any]:
    """The AsyncAPI 3 document: a channel per topic, an operation per service and topic."""
    names = sorted({topic.message.__name__ for topic in TOPICS})
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Homeostat",
            "version": "1",
            "description": "What the services say to each other over Kafka.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": _operations(),
        "components": {
            "messages": {name: {"name": name, "payload": {"$ref": f"#/components/schemas/{name}"}} for name in names},
            "schemas": dict(schemas),
        },
    }


def _channel(topic: Topic[Any]) -> dict[str, Any]:
    name = topic.message.__name__
    cleanup = ["compact"] if topic.compacted else ["delete"]
    retention = -1 if topic.retention_hours is None else topic.retention_hours * 3_600_000
    settings = {"cleanup.policy": cleanup, "retention.ms": retention}
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": settings, "bindingVersion": "0.5.0"}},
    }


def _operations() -> dict[str, Any]:
    found = {}
    for topic in TOPICS:
        for action, services in (("send", topic.writers), ("receive", topic.readers)):
            for service in services:
                channel = {"$ref": f"#/channels/{topic.name}"}
                found[f"{service}.{action}.{topic.name}"] = {"action": action, "channel": channel}
    return found


def _row(topic: Topic[Any]) -> str:
    kept = "for ever" if topic.retention_hours is None else f"{topic.retention_hours // 24} d"
    kept = "newest per key" if topic.compacted else kept
    name = f"`{topic.name}`" + (" (spread)" if topic.spread else "")
    message = f"[{topic.message.__name__}](schemas/{topic.message.__name__}.json)"
    writers = "every service" if set(SERVICES) <= set(topic.writers) else ", ".join(topic.writers)
    readers = ", ".join(topic.readers) or ("the runtime" if "runtime" in topic.about else "your own tools")
    return f"| {name} | {message} | {_key(topic)} | {writers} | {readers} | {kept} | {topic.about} |"


def _key(topic: Topic[Any]) -> str:
    """The key function's own words: a field's name, or the one constant key."""
    used = topic.key.__code__
    constants = [value for value in used.co_consts if isinstance(value, str) and value]
    return f"`{used.co_names[0]}`" if used.co_names else f"“{constants[0]}”"


def _reached(name: str, components: Mapping[str, Schema]) -> set[str]:
    found, todo = set(), [name]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += [other for other in components if f'"#/components/schemas/{other}"' in json.dumps(components[each])]
    return found


def _values(schema: Schema) -> set[str]:
    """What a field takes, flattened: types, allowed values, referred schemas. Empty: anything."""
    if "anyOf" in schema:
        return set().union(*(_values(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return {f"the value {value!r}" for value in schema["enum"]}
    if "$ref" in schema:
        return {schema["$ref"].rsplit("/", 1)[-1]}
    kind = schema.get("type")
    return {kind} if isinstance(kind, str) else set(kind or ())


def _list(schema: Schema, name: str) -> list[str]:
    return list(schema.get(name, []))


def _any(kind: type) -> Schema:
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    for path, text in pages().items():
        file = DOCS / path
        if file.parent.name == "schemas" and file.exists():
            broken = incompatibilities(json.loads(file.read_text()), json.loads(text))
            if broken:
                sys.stderr.write(f"{path}: records already written could not be read: {'; '.join(broken)}\n")
                return 1
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
