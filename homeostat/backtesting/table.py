"""A backtest on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.console import Console
from rich.text import Text

from homeostat.backtesting.result import Backtest
from homeostat.tables import Rows

_MOST = 40
_COUNTS = {each: each for each in ("alerts", "actions", "incidents", "resolved")}
_COUNTS |= {"open": "left open", "escalated": "escalated"}


def show(found: Backtest, console: Console) -> None:
    """The comparison, then what was noticed, decided and done, then what differs between policies."""
    console.print(
        f"[bold]{found.pipeline}[/]: {found.rows:,} rows, {_measure(found)} from row {found.compared_from:,} on"
    )
    for treatment in found.treatments:
        console.print(f"  [yellow]{treatment.what}[/]: {treatment.rows:,} rows: {treatment.detail}", highlight=False)
    for hint in found.hints:
        console.print(f"  [yellow]hint[/]: {hint}", highlight=False)
    _print(console, "", _summary(found))
    incidents = found.decisions.filter(pl.col("kind") != "command_result")
    _print(console, "What was decided", _lines(incidents, ("policy", "row", "kind", "summary")))
    _print(console, "What was done", _lines(found.actions, ("policy", "row", "action", "state", "outcome", "reason")))
    if found.differences.height:
        _print(
            console,
            "What the policies did differently",
            _lines(found.differences, ("row", "policy", "action", "reason")),
        )
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.measured.items())
    console.print(f"[dim]on this machine: {took}[/]", highlight=False)


def _measure(found: Backtest) -> str:
    if found.kind == "anomaly":
        return "answers (there is no truth to measure them by)"
    return "mean absolute error" if found.metric == "mae" else found.metric


def _summary(found: Backtest) -> list[Mapping[str, Any]]:
    best = _best(found)
    lines: list[Mapping[str, Any]] = []
    for line in found.summary.to_dicts():
        value = line["value"]
        text = "-" if value is None else f"{value:.1%}" if found.metric == "accuracy" else f"{value:.4g}"
        counts = {heading: line[name] for name, heading in _COUNTS.items()}
        lines.append(
            {
                "who": line["who"],
                found.metric: Text(text, style="bold" if value is not None and value == best else ""),
                "rows": f"{line['rows']:,}",
                "trainings": line["trainings"],
                "virtual s": line["training_seconds"],
                **counts,
            }
        )
    return lines


def _best(found: Backtest) -> float | None:
    values: list[float] = found.summary["value"].drop_nulls().to_list()
    return (min if found.metric == "mae" else max)(values, default=None)


def _lines(frame: pl.DataFrame, columns: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    kept = frame.select(columns)
    if "policy" in columns and kept["policy"].n_unique() < 2 and "row" in columns:
        kept = kept.drop("policy")
    return list(kept.to_dicts())


def _print(console: Console, title: str, lines: Sequence[Mapping[str, Any]]) -> None:
    if not lines:
        if title:
            console.print(f"\n{title}: nothing")
        return
    console.print()
    if title:
        console.print(title, style="italic")
    console.print(Rows(lines[:_MOST], {name: name for name in lines[0]}))
    if len(lines) > _MOST:
        console.print(f"and {len(lines) - _MOST} more: --json has them all")
