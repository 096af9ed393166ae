"""How the columns of a file are to be read, by the pipeline they are for.

CSV has no types: ``01234`` may be a number or a postal code. The pipeline's schema says which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ColumnTypes:
    """Names of columns. Those in `texts` are read as they stand, those in `numbers` as numbers cell by cell.

    So are those in `truths` and `times` as what they are called; in these three kinds a mark of missing (``NA``) is an
    empty cell. Any other column is what its own cells look like. `ids`: text even where a file has whole numbers there.
    `names`: every column that the pipeline takes.
    """

    texts: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    truths: frozenset[str] = frozenset()
    times: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    @property
    def markable(self) -> frozenset[str]:
        """Where a mark of missing is one."""
        return self.numbers | self.truths | self.times


UNKNOWN = ColumnTypes()


def of_events(specification: Mapping[str, Any]) -> ColumnTypes:
    """For rows of this pipeline (its canonical form), their target included. An id is text, whatever its type.

    >>> schema = {"order": {"type": "string"}, "size": {"type": "number"}}
    >>> sorted(of_events({"schema": schema, "id": "order"}).texts)
    ['id', 'order']
    """
    types = {"id": "string"} | {name: field["type"] for name, field in specification["schema"].items()}
    ids = {specification.get("id") or "id"} | ({"id"} - specification["schema"].keys())
    return _of(types | dict.fromkeys(ids, "string"), ids)


def of_labels(
    specification: Mapping[str, Any], id_column: str | None = None, label_column: str | None = None
) -> ColumnTypes:
    """For labels of this pipeline: an id is text, a label is read as its target is.

    The columns have the pipeline's names, the usual ones (``id``, ``label``) or those given.

    >>> schema = {"order": {"type": "string"}, "size": {"type": "number"}}
    >>> sorted(of_labels({"schema": schema, "id": "order", "target": "size"}, label_column="truth").numbers)
    ['label', 'size', 'truth']
    """
    schema, own_id, target = specification["schema"], specification.get("id"), specification.get("target")
    label_type = schema[target]["type"] if target in schema else ""
    ids = {each for each in ("id", own_id, id_column) if each}
    labels = {each for each in ("label", target, label_column) if each}
    return _of(dict.fromkeys(ids, "string") | dict.fromkeys(labels, label_type), ids)


def with_text_ids(rows: list[Any], ids: Iterable[str]) -> list[Any]:
    """The rows with ids that are whole numbers as text.

    >>> with_text_ids([{"id": 7, "x": 7}, 7], ["id"])
    [{'id': '7', 'x': 7}, 7]
    """
    for name in ids:
        for row in rows:
            if isinstance(row, dict) and type(row.get(name)) is int:
                row[name] = str(row[name])
    return rows


def _of(types: Mapping[str, str], ids: Iterable[str]) -> ColumnTypes:
    def of(*kinds: str) -> frozenset[str]:
        return frozenset(name for name, kind in types.items() if kind in kinds)

    texts, numbers = of("string"), of("number", "integer")
    return ColumnTypes(texts, numbers, of("boolean"), of("timestamp"), frozenset(ids), frozenset(types))
