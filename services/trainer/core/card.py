"""The model card: what a version is, what it was made from, how well it does, and what it is not for.

After Mitchell et al., "Model Cards for Model Reporting", 2019. JSON first; the Markdown is made from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def markdown_of(card: Mapping[str, Any]) -> str:
    """The card as a page for people."""
    data, gate = card["data"], card["gate"]
    lines = [
        f"# {card['pipeline']}{_numbered(card)}",
        "",
        card["about"] or f"A {card['kind']} model of `{card['target'] or 'unusual rows'}`.",
        "",
        "## What it is",
        "",
        f"- **Learner**: {card['estimator']} {_inline(card['parameters'])}",
        f"- **Made by**: {card['origin']}, revision `{card['code_revision']}`, seed {card['seed']}",
        f"- **Inputs**: {', '.join(f'`{name}`' for name in card['features'])}",
        f"- **Answers**: {', '.join(card['classes']) or card['kind']}",
        f"- **Form**: {_form(card['form'])}",
        "",
        "## What it learnt from",
        "",
        f"- {data['rows']} rows, {data['window']}",
        f"- from {data['begins'] or 'an unknown time'} to {data['ends'] or 'an unknown time'}",
        f"- features {_inline(data['features_ranges'])}, labels {_inline(data['labels_ranges'])}",
        f"- left out as quarantined: {data['excluded_ranges'] or 'nothing'}",
        f"- content hash `{data['hash']}`",
        "",
        "## How well it does",
        "",
        f"On the newest {gate['rows']} labelled rows, which it had not seen when it was judged:",
        "",
        *_table(card["metrics"]),
        "",
        f"Gate: {'passed' if gate['passed'] else 'refused'}. {gate['reason']}.",
        "",
        "## What it is not for",
        "",
        *(f"- {limit}" for limit in card["limits"]),
    ]
    return "\n".join(lines) + "\n"


def limits_of(*, kind: str, rows: int, held_out: int, widened: bool) -> tuple[str, ...]:
    """What a reader should know before trusting the figures."""
    found = [
        "Rows whose features another definition computed: a changed specification needs a new version.",
        f"Times unlike those it learnt from: the figures are of {held_out} rows at one moment of the stream.",
    ]
    if held_out < 200:
        found.append(f"Fine comparisons: with {held_out} rows a figure may be off by several points.")
    if widened:
        found.append("The time after the last change alone: too few rows were labelled, so older ones are among them.")
    if kind == "anomaly":
        found.append("Saying why a row is unusual: it learnt what is usual, not what is wrong.")
    if rows < 1000:
        found.append(f"Rare cases: {rows} rows hold few of them.")
    return tuple(found)


def _numbered(card: Mapping[str, Any]) -> str:
    return f", version {card['version']}" if card.get("version") else ""


def _form(form: Mapping[str, Any]) -> str:
    if form["format"] != "compiled":
        return f"`{form['format']}`, not compiled: {form['because']}"
    rows, apart = form["rows"], form["largest_difference"]
    return f"compiled; on {rows} training rows it answers as the estimator does, figures at most {apart:.1g} apart"


def _table(metrics: Mapping[str, Mapping[str, float]]) -> list[str]:
    columns = [name for name in ("this version", "champion", "baseline") if metrics.get(name)]
    names = sorted({metric for column in columns for metric in metrics[column]})
    lines = [f"| metric | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in names:
        cells = [f"{metrics[column][name]:.4f}" if name in metrics[column] else "" for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _inline(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items()) or "(defaults)"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return f"[{value[0]}, {value[1]})"
    return str(value)
