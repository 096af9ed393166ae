"""The tables of a backtest's page: headings with units, values in words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from html import escape
from typing import Any

import polars as pl

from homeostat.backtesting.findings import Findings

_PLACE = {"policy": "policy", "row": "row", "at": "virtual time (UTC)"}
_TOLD = {"action": "action", "arguments": "arguments", "reason": "reason"}
HEADINGS: Mapping[str, Mapping[str, str]] = {
    "summary": {
        "who": "who",
        "value": "",
        "rows": "rows with a label",
        "unanswered": "of them unanswered",
        "trainings": "trainings",
        "training_seconds": "training, virtual s",
        "alerts": "alerts",
        "actions": "actions",
        "incidents": "incidents",
        "resolved": "resolved",
        "open": "left open",
        "escalated": "handed to a person",
    },
    "differences": {"row": "row", "at": "virtual time (UTC)", "policy": "only under policy", **_TOLD},
    "decisions": {**_PLACE, "incident": "incident", "kind": "step", "summary": "what"},
    "actions": {
        **_PLACE,
        **_TOLD,
        "state": "state",
        "model_version": "version",
        "training_seconds": "training, virtual s",
        "outcome": "outcome",
    },
    "versions": {
        **_PLACE,
        "version": "version",
        "stage": "stage",
        "weight": "share of rows, %",
        "estimator": "learner",
        "trained_on": "trained on, rows",
        "reason": "reason",
    },
    "alerts": {
        **_PLACE,
        "kind": "kind",
        "severity": "severity",
        "state": "state",
        "cause": "suspect",
        "statistic": "statistic",
        "value": "measured",
        "threshold": "threshold",
        "summary": "what",
    },
}
"""The columns that the page shows of each frame, by their headings."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_NAMES = ("kind", "action", "state", "stage")


def measure_of(found: Findings) -> str:
    """The metric in words, with its unit."""
    return "mean absolute error, in the target's unit" if found.metric == "mae" else f"{found.metric}, %"


def table_of(found: Findings, name: str) -> str:
    """One of the result's frames as a table; a policy is named where there are several."""
    frame: pl.DataFrame = getattr(found, name)
    if name == "decisions":  # what became of a command is told with the actions
        frame = frame.filter(pl.col("kind") != "command_result")
    if not frame.height:
        return "<p>Nothing.</p>"
    headings = dict(HEADINGS[name])
    if name == "summary":
        headings["value"] = measure_of(found)
    elif headings.get("policy") == "policy" and frame["policy"].n_unique() < 2:
        del headings["policy"]
    tellers: dict[str, Callable[[Any], str]] = {"arguments": arguments_in_words, "weight": _percent}
    tellers |= dict.fromkeys(_NAMES, _words)
    if name == "summary" and found.metric == "accuracy":
        tellers["value"] = _percent
    numbers = {key for key in headings if frame.schema[key].is_numeric()}
    head = "".join(f"<th{' class=n' if key in numbers else ''}>{escape(told)}</th>" for key, told in headings.items())
    body = "".join(
        "<tr>" + "".join(_cell(tellers.get(key, _told)(row[key]), key in numbers) for key in headings) + "</tr>"
        for row in frame.iter_rows(named=True)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'


def arguments_in_words(text: str) -> str:
    """A command's arguments, which are a JSON object, as people read them, but for its reason, told beside them.

    >>> arguments_in_words('{"fields": ["price", "demand"], "source": "meter-7", "since_row": 12000}')
    'fields price, demand; source meter-7; since row 12,000'
    >>> arguments_in_words("{}")
    '-'
    """
    arguments: dict[str, Any] = json.loads(text)
    return "; ".join(f"{_words(name)} {_told(value)}" for name, value in arguments.items() if name != "reason") or "-"


def _told(value: Any) -> str:
    """A value as people read it.

    >>> _told({"rows": [4000, 0.123456], "to": None})
    'rows 4,000, 0.1235 to -'
    """
    if value is None or value in ("", [], {}):
        return "-"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, Mapping):
        return " ".join(f"{_words(name)} {_told(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_told, value))
    return _told_number(value) if isinstance(value, int | float) else str(value)


def _told_number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _cell(text: str, number: bool) -> str:
    kind = " class=n" if number or _TIME.fullmatch(text) else " class=t" if len(text) > 24 else ""
    return f"<td{kind}>{escape(text)}</td>"
