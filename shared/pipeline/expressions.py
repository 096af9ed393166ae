"""Scalar SQL over one row: what a feature may say, and nothing else.

A feature must give the same value however the stream is cut into batches, so only operators and
functions that look at one row are let through: no aggregate, no window, no clock, no subquery.
polars parses and computes what is left; nothing is evaluated as code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.pipeline.problems import did_you_mean


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


FUNCTIONS = _words(
    "abs acos asin atan atan2 cbrt ceil ceiling char_length coalesce concat cos cot date_part degrees ends_with exp "
    "extract floor greatest if ifnull least left length ln log log10 log1p log2 lower ltrim mod nullif pi pow power "
    "radians replace reverse right round rtrim sign sin sqrt starts_with substr tan upper"
)
"""The functions an expression may call; each looks at its own row only."""

KEYWORDS = _words(
    "and or not is null true false in between like case when then else end cast try_cast as from "
    "double float real bigint int integer varchar text boolean "
    "year quarter month week day dow doy hour minute second"
)
"""Words that are not names; a field called so is written in double quotes."""
_TYPES = frozenset({"double", "float", "real", "bigint", "int", "integer", "varchar", "text", "boolean"})
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<comment>--|/\*)
      | (?P<number>(?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?)
      | (?P<text>'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")+")
      | (?P<word>[^\W\d]\w*)
      | (?P<operator><=|>=|<>|!=|\|\||[-+*/%(),<>=])""",
    re.VERBOSE,
)
MAX_LENGTH = 2000


class ExpressionError(ValueError):
    """An expression that cannot be a feature; the message says what in it and why."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A checked expression: the names it reads, in order of appearance, and its text for polars."""

    names: tuple[str, ...]
    sql: str


def expression_of(text: str, renamed: Mapping[str, str] = MappingProxyType({})) -> Expression:
    """The expression in `text`; `ExpressionError` where it is none or could look beyond its row.

    `renamed` gives names another spelling in the result.

    >>> expression_of("(nswprice - vicprice) * 0.5")
    Expression(names=('nswprice', 'vicprice'), sql='("nswprice" - "vicprice") * 0.5e0')
    >>> expression_of("price - avg(price)")
    Traceback (most recent call last):
        ...
    shared.pipeline.expressions.ExpressionError: `avg` is no function of a single row
    """
    if not text.strip():
        raise ExpressionError("the expression is empty")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters")
    names: dict[str, None] = {}
    sql, at = [], 0
    tokens = []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup == "comment":
            raise ExpressionError(f"`{text[at]}` at character {at + 1} has no meaning in an expression")
        tokens.append((str(match.lastgroup), match.group()))
        at = match.end()
    for index, (kind, token) in enumerate(tokens):
        if kind == "word" and _is_called(tokens, index):
            _allow_call(token)
        elif kind == "quoted" or (kind == "word" and not _is_keyword(tokens, index)):
            name = token[1:-1].replace('""', '"') if kind == "quoted" else token
            name = renamed.get(name, name)
            names[name] = None
            token = '"' + name.replace('"', '""') + '"'  # noqa: PLW2901 - polars would fold an upper-case name
        elif kind == "number" and "." in token and "e" not in token.lower():
            token += "e0"  # noqa: PLW2901 - otherwise a decimal, which overflows and cannot divide by 0
        sql.append(token)
    return Expression(tuple(names), "".join(sql).strip())


def _next(tokens: list[tuple[str, str]], index: int, step: int) -> str:
    index += step
    while 0 <= index < len(tokens) and tokens[index][0] == "space":
        index += step
    return tokens[index][1].lower() if 0 <= index < len(tokens) else ""


def _is_called(tokens: list[tuple[str, str]], index: int) -> bool:
    return _next(tokens, index, 1) == "(" and tokens[index][1].lower() not in KEYWORDS - {"cast", "try_cast"}


def _is_keyword(tokens: list[tuple[str, str]], index: int) -> bool:
    """Types only after AS, parts of a time only before FROM: a field may well be called `day`."""
    word = tokens[index][1].lower()
    if word in _TYPES:
        return _next(tokens, index, -1) == "as"
    if word in {"year", "quarter", "month", "week", "day", "dow", "doy", "hour", "minute", "second"}:
        return _next(tokens, index, 1) == "from"
    return word in KEYWORDS


def _allow_call(name: str) -> None:
    word = name.lower()
    if word == "cast":
        raise ExpressionError("`cast` fails on what it cannot convert: write TRY_CAST, which gives null")
    if word != "try_cast" and word not in FUNCTIONS:
        raise ExpressionError(f"`{name}` is no function of a single row{did_you_mean(word, FUNCTIONS)}")
