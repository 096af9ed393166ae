"""Accuracy over the stream with the events marked, as one HTML file that needs no network.

Without JavaScript the chart is missing; the table below it, with the same figures, is not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import plotly.graph_objects as go

from homeostat.demo.outcome import Healing
from homeostat.demo.view import ACTED, ENDED, LEVELS, NOTE, told
from homeostat.embedding import embedded

SMOOTHED_ROWS = 500
TITLE = "Homeostat's demo: what was wrong, and what became of it"
STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1200px;padding:0 1rem;color:#212529}"
    "table{border-collapse:collapse;font-size:13px}td,th{padding:.25rem .6rem;text-align:left;"
    "border-bottom:1px solid #dee2e6}caption{caption-side:bottom;text-align:left;padding:.5rem 0}"
)
LABEL_WIDTH = 0.04
"""Share of the chart's width that one version's label takes, on a narrow screen too."""
LABEL_HEIGHT = 0.05
"""Share of the chart's height that a line of labels takes."""
HEALED, STATIC, MARK = "#0b7285", "#adb5bd", "#c92a2a"


def write_chart(
    path: Path,
    right: Mapping[int, bool],
    static: Mapping[int, bool],
    healings: Sequence[Healing],
    swaps: Mapping[int, str],
    summary: str,
) -> Path:
    """Writes the chart to `path`. `swaps` maps the row of each model change to its version."""
    figure = _figure(right, static, healings, swaps)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_page(embedded(figure, "chart"), healings, summary), encoding="utf-8")
    return path


def _page(chart: str, healings: Sequence[Healing], summary: str) -> str:
    columns = ACTED | LEVELS | ENDED
    head = "".join(f"<th>{heading}</th>" for heading in columns.values())
    lines = [[escape(str(told(line)[key])) for key in columns] for line in healings]
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>" for cells in lines)
    said = "<br>".join(escape(line) for line in summary.splitlines())
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{TITLE}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{TITLE}</h1>\n<p>{said}</p>\n{chart}\n"
        f"<noscript><p>The chart needs JavaScript; the table says what was found.</p></noscript>\n"
        f"<table>\n<caption>{NOTE}</caption>\n<tr>{head}</tr>{body}\n</table>\n</body>\n</html>\n"
    )


def _figure(
    right: Mapping[int, bool], static: Mapping[int, bool], healings: Sequence[Healing], swaps: Mapping[int, str]
) -> go.Figure:
    figure = go.Figure()
    for name, answers, colour in (("never retrained", static, STATIC), ("Homeostat", right, HEALED)):
        rows, values = smoothed(answers)
        figure.add_scatter(x=rows, y=values, name=name, line={"color": colour, "width": 2})
    for row in swaps:
        figure.add_vline(x=row, line={"color": HEALED, "width": 1, "dash": "dot"})
    for row, level in label_levels(sorted(swaps), max(right, default=0)).items():
        figure.add_annotation(
            x=row,
            y=0.02 + level * LABEL_HEIGHT,
            yref="paper",
            text=f"v{swaps[row]}",
            showarrow=False,
            xanchor="left",
            font={"color": HEALED},
        )
    for line in healings:
        _mark(figure, line)
    figure.update_layout(
        title="Accuracy over the stream (each point: the last 500 rows)",
        template="plotly_white",
        xaxis_title="row",
        yaxis={"title": "accuracy", "tickformat": ".0%"},
        legend={"orientation": "h", "y": 1.08, "x": 1, "xanchor": "right"},
        margin={"l": 60, "r": 30, "t": 90, "b": 50},
    )
    return figure


def label_levels(labelled: Sequence[int], rows: int) -> dict[int, int]:
    """By row of a label, how many lines above the lowest it stands: the lowest where it hides no label before it.

    >>> label_levels([9000, 9100, 20000], 40000)
    {9000: 0, 9100: 1, 20000: 0}
    """
    ends: list[float] = []
    levels: dict[int, int] = {}
    for row in sorted(labelled):
        level = next((level for level, end in enumerate(ends) if end <= row), len(ends))
        ends[level : level + 1] = [row + LABEL_WIDTH * rows]
        levels[row] = level
    return levels


def _mark(figure: go.Figure, line: Healing) -> None:
    end = line.remedy.verified.row if line.remedy is not None and line.remedy.verified is not None else None
    figure.add_vrect(
        x0=line.begins.row,
        x1=end if end is not None else line.begins.row + 1,
        fillcolor=MARK,
        opacity=0.08,
        line_width=0,
        annotation_text=line.fault,
        annotation_position="top left",
        annotation_font_color=MARK,
    )


def smoothed(answers: Mapping[int, bool], rows: int = SMOOTHED_ROWS, step: int = 50) -> tuple[list[int], list[float]]:
    """Row numbers and the share of right answers among the `rows` before each, every `step` rows."""
    order = sorted(answers)
    total, totals = 0, [0]
    for row in order:
        total += answers[row]
        totals.append(total)
    marks = range(rows, len(order) + 1, step)
    return [order[mark - 1] for mark in marks], [(totals[mark] - totals[mark - rows]) / rows for mark in marks]
