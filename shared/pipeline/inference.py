"""A first specification from a data file: types, ranges, kind, id, time and key, guessed and commented.

A range is a contract: what breaks it is refused. A file shows what is usual, not what is possible, so only a sign
is guessed (nothing seen was below 0); what is merely unusual is for the monitor to find.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from shared.errors import Misconfigured
from shared.pipeline.expressions import KEYWORDS
from shared.pipeline.identifying import called_like_one, id_in, near_id
from shared.pipeline.inferable import inferable
from shared.pipeline.problems import did_you_mean
from shared.pipeline.specification import Kind, ModelsSpec
from shared.pipeline.table import Table, table_in

_KEY_NAMES = re.compile(
    r"(?i)(^|_)(key|device|sensor|host|server|customer|user|account|region|station|machine|site|file|series)(_?id)?$"
)
_PERSONAL = re.compile(
    r"(?i)(^|_)(e?mail|phone|mobile|ssn|first_?name|last_?name|surname|address|iban|passport|birth_?date|dob)(_|$)"
)
_MOST_CLASSES = 50
_MOST_ALLOWED = 20
_MOST_CATEGORIES = 200
_FEWEST_LABELS = 50
_LEARNT_FROM = 0.6
"""Of a file with fewer labelled rows than a first model asks for, the share that is proposed to do."""
_LONGEST = 1e16
"""Whole numbers up to here are written as such."""
_PLAIN = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]*$")
_YAML_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(slots=True)
class _Guess:
    """One column as the specification will describe it."""

    name: str
    type: str
    extras: dict[str, Any] = field(default_factory=dict)
    comment: str = ""
    note: str = ""
    is_input: bool = True


def specification_text(file: Path, target: str | None, name: str | None = None) -> str:
    """YAML, with comments, that `load` accepts; of kind `anomaly` without a target.

    `Misconfigured` names what is wrong with the file or the target.
    """
    table = table_in(Path(file))
    frame = table.frame
    if target is not None and target not in frame.columns:
        columns = ", ".join(frame.columns)
        raise Misconfigured(f"{file} has no column `{target}`{did_you_mean(target, frame.columns)}; it has {columns}")
    frame, others = inferable(frame)
    if target in others:
        raise Misconfigured(f"{file}: `{target}` is {others[target]}, which no model can predict")
    kind: Kind = "anomaly" if target is None else _kind(frame[target], str(file))
    roles = _roles(frame, target, table.dated)
    if "id" in roles:
        frame = frame.with_columns(pl.col(roles["id"]).cast(pl.String))
    guesses = [_noted(_guess(frame[column], column == target), table) for column in frame.columns]
    lines = _lines(name or _name(Path(file)), kind, guesses, roles, frame, target, Path(file).name, others)
    models = (
        _model_lines(len(frame), "rows") if target is None else _model_lines(frame[target].count(), "labelled rows")
    )
    return "\n".join([*lines, *models]) + "\n"


def _kind(target: pl.Series, where: str) -> Kind:
    values = target.drop_nulls()
    classes = values.n_unique()
    if classes < 2:
        raise Misconfigured(f"{where}: `{target.name}` has {classes} different values: there is nothing to predict")
    if classes == 2:
        return "binary"
    if target.dtype == pl.String:
        if classes > _MOST_CLASSES:
            raise Misconfigured(
                f"{where}: `{target.name}` is text with {classes:,} different values, and at most {_MOST_CLASSES} "
                "can be told apart as classes: give another --target, or group its values first"
            )
        return "multiclass"
    if target.dtype.is_integer() and classes <= _MOST_CLASSES and len(values) >= 20 * classes:
        return "multiclass"
    if target.dtype.is_numeric():
        return "regression"
    raise Misconfigured(f"{where}: `{target.name}` is {target.dtype}, which no model can predict")


def _guess(column: pl.Series, is_target: bool) -> _Guess:
    values = column.drop_nulls()
    unique = values.n_unique()
    guess = _Guess(column.name, _type(column.dtype))
    guess.is_input = guess.type != "timestamp" and not is_target
    if guess.type in ("number", "integer") and len(values):
        _describe_numbers(guess, values, unique)
    if guess.type == "string":
        if unique > 1 and unique <= _MOST_ALLOWED and len(values) >= 50 * unique:
            guess.extras["allowed"] = sorted(values.unique().to_list())
            guess.comment = "guess: these alone, as in the file"
        elif unique > _MOST_CATEGORIES or len(values) < 20 * unique:
            guess.comment, guess.is_input = f"{unique} different values: not a feature as it is", False
    if unique < 2 and not is_target:
        guess.comment, guess.is_input = "constant in this file: not a feature", False
    if column.null_count() and not is_target:
        guess.extras["nullable"] = True
    if _PERSONAL.search(column.name):
        guess.extras["pii"], guess.is_input = True, False
    return guess


def _noted(guess: _Guess, table: Table) -> _Guess:
    """With what the file's cells had to be read as. Dates that stay text are neither a category nor a feature."""
    guess.note = table.notes.get(guess.name, "")
    if guess.name in table.dated:
        guess.extras.pop("allowed", None)
        guess.is_input = False
        guess.comment = "" if guess.note else guess.comment
    return guess


def _describe_numbers(guess: _Guess, values: pl.Series, unique: int) -> None:
    low, high = float(values.min()), float(values.max())  # type: ignore[arg-type]
    if guess.type == "integer" and unique == 2:
        guess.extras["allowed"] = sorted(values.unique().to_list())
        guess.comment = "guess: these alone, as in the file"
        return
    seen = f"seen: {_figure(low)} to {_figure(high)}"
    if low < 0:
        guess.comment = f"{seen}; no range guessed"
        return
    guess.extras["range"] = [0, None]
    grows = values.is_sorted() and unique > len(values) / 2
    guess.comment = f"{seen}{', always growing' if grows else ''}; guess: never negative"


def _figure(value: float) -> str:
    """
    >>> _figure(1033220.0), _figure(0.1), _figure(1e300)
    ('1033220', '0.1', '1e+300')
    """
    return str(int(value)) if value.is_integer() and abs(value) < _LONGEST else f"{value:g}"


def _type(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "boolean"
    return "timestamp" if dtype in (pl.Datetime, pl.Date) else "string"


def _roles(frame: pl.DataFrame, target: str | None, dated: Collection[str]) -> dict[str, str]:
    """`dated`: columns that are dates, though of no type of time: never an id."""
    roles = {}
    times = [name for name in frame.columns if _type(frame.schema[name]) == "timestamp"]
    if times:
        roles["timestamp"] = next((name for name in times if frame[name].is_sorted()), times[0])
    for name in frame.columns:
        column = frame[name]
        if name == target or _type(column.dtype) not in ("string", "integer"):
            continue
        if column.null_count() == 0 and _KEY_NAMES.search(name) and column.n_unique() * 20 <= len(frame):
            roles.setdefault("key", name)
    found = id_in(frame, [name for name in frame.columns if name != target and name not in dated])
    return roles | ({"id": found} if found else {})


def _lines(
    name: str,
    kind: Kind,
    guesses: list[_Guess],
    roles: dict[str, str],
    frame: pl.DataFrame,
    target: str | None,
    file: str,
    others: Mapping[str, str],
) -> Iterator[str]:
    rows, told = len(frame), _one_line(file)
    yield f"# Inferred from {rows} rows of {told}. Read it: ranges and allowed values are a contract, and rows that"
    yield "# break it are refused; what is only unlike the past is noticed without them. So a range is guessed only"
    yield "# where nothing seen was negative: add what you know to be impossible, as range: [0, 100] (null: no bound)."
    yield "# Everything that is left out has a default."
    yield f"name: {name}"
    yield f"kind: {kind}"
    yield "\nschema:"
    for guess in guesses:
        if guess.name in roles.values():
            guess.extras.pop("allowed", None)
            guess.comment = ""
        parts = [f"type: {guess.type}", *(f"{key}: {_json(value)}" for key, value in guess.extras.items())]
        comment = _one_line("; ".join(filter(None, [guess.note, guess.comment])))
        comment = f"  # {comment}" if comment else ""
        yield f"  {_scalar(guess.name)}: {{{', '.join(parts)}}}{comment}"
    for column, held in others.items():
        yield f"  # {_json(column)} is left out: no field can hold {held}"
    yield "" if target is None else f"\ntarget: {_scalar(target)}"
    if target is not None and kind == "binary":
        yield _score_line(frame[target])
    yield from (f"{role}: {_scalar(column)}" for role, column in roles.items() if role != "id")
    yield from _id_lines(frame, guesses, roles, target)
    if "key" not in roles:
        yield "# key: none found. Windows and lags are taken over the rows of one key."
    if target is not None:
        yield "# label_delay: 1d    # how long after the row its label is known"
    fixed = {*roles.values(), target}
    inputs = [guess.name for guess in guesses if guess.is_input and guess.name not in fixed]
    if not inputs:
        but = "" if target is None else f" but `{target}`"
        raise Misconfigured(f"{file}: no column{but} can be a feature")
    yield "\nfeatures:"
    for column in inputs:
        plain = _PLAIN.match(column) and "-" not in column and column.lower() not in KEYWORDS
        yield f"  {_scalar(column)}: {_scalar(column) if plain else _quoted(column)}"
    if "key" in roles:
        first = _one_line(inputs[0])
        yield f"  # {first}_mean: {{expression: {first}, window: 24}}"


def _id_lines(
    frame: pl.DataFrame, guesses: list[_Guess], roles: Mapping[str, str], target: str | None
) -> Iterator[str]:
    """The id; where there is none, the column that nearly is one."""
    if "id" in roles:
        why = "" if called_like_one(roles["id"]) else " and the first column: is it the id?"
        yield f"id: {_scalar(roles['id'])}  # different in each of the {len(frame)} rows{why}"
        return
    yield "# id: none found. Labels that come later than their row need one to find it."
    others = [guess.name for guess in guesses if guess.name not in (*roles.values(), target)]
    if near := near_id(frame, others):
        yield f"# `{_one_line(near.name)}` nearly is one: {near.flaws}. Where it is, write:"
        yield f"# id: {_scalar(near.name)}    # a row without one, or under another's, is then refused by itself"


def _model_lines(learnable: int, what: str) -> Iterator[str]:
    """What a first model needs, where the file has less than that."""
    usual = ModelsSpec().min_rows
    if learnable >= usual:
        return
    proposed = max(_FEWEST_LABELS, int(_LEARNT_FROM * learnable))
    few = f", and {proposed} is the least that is possible" if learnable < proposed else ""
    yield f"\n# A first model needs {usual} {what} unless this says otherwise; the file has {learnable}{few}."
    yield "# The fewer they are, the less sure it is that the model is of use."
    yield "models:"
    yield f"  min_rows: {proposed}"


def _score_line(target: pl.Series) -> str:
    """Which of the two classes the score of an answer speaks of."""
    classes = target.drop_nulls().unique().sort()
    first, second = (_one_line(each) if isinstance(each, str) else _json(each) for each in classes)
    return f"# score: P({second}), the later of {first} and {second} in order; an answer's probabilities name both"


def _quoted(column: str) -> str:
    """A name as SQL quotes it, quoted again for YAML."""
    return _json('"' + column.replace('"', '""') + '"')


def _scalar(text: str) -> str:
    return text if _PLAIN.match(text) and text.lower() not in _YAML_WORDS else _json(text)


def _json(value: object) -> str:
    """As YAML takes it too, letters of every language as they are."""
    return _one_line(json.dumps(value, ensure_ascii=False))


def _one_line(text: str) -> str:
    """
    >>> _one_line("Öl\\nand\\u2028water")
    'Öl\\\\nand\\\\u2028water'
    """
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)


def _name(file: Path) -> str:
    """The file's name, or its folder's where the file's says nothing."""
    stem = file.resolve().parent.name if file.stem.lower() in ("data", "train", "test", "rows") else file.stem
    return _slug(stem)


def _slug(text: str) -> str:
    slug = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:63]
    return slug if re.match(r"[a-z]", slug) else f"p-{slug}".rstrip("-")
