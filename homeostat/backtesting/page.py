"""A backtest as one HTML page: a chart by plotly, whose code is in the page (`embedding`), and tables."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go
import polars as pl

from homeostat.backtesting.findings import Findings
from homeostat.backtesting.page_tables import measure_of, table_of
from homeostat.embedding import embedded

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Told apart by the colour-blind too (Okabe and Ito, 2008)."""
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_ALERT, _ACTION = "#c92a2a", "#212529"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem auto;max-width:1800px;padding:0 1rem;color:#212529}"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:13px;margin:1rem 0}"
    "td,th{padding:.25rem .6rem;text-align:left;border-bottom:1px solid #dee2e6;vertical-align:top}"
    "td.n,th.n{text-align:right}td.n{white-space:nowrap}td.t{min-width:9rem;overflow-wrap:anywhere}h2{margin-top:2rem}"
)
_TABLES = (
    ("What the policies did differently", "differences"),
    ("What was decided", "decisions"),
    ("What was done", "actions"),
    ("Versions", "versions"),
    ("Alerts", "alerts"),
)


def page_of(found: Findings) -> str:
    """The whole page. It names nothing outside itself, and nothing in it depends on when it was made."""
    title = f"Backtest of {escape(found.pipeline)}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        f"<p>{found.rows:,} rows; {measure_of(found)} from row {found.compared_from:,} on, the first that a model "
        "answers.</p>",
        "".join(f"<p><b>{escape(t.what)}</b>: {t.rows:,} rows: {escape(t.detail)}</p>" for t in found.treatments),
        "".join(f"<p><b>hint</b>: {escape(hint)}</p>" for hint in found.hints),
        table_of(found, "summary"),
        "<noscript><p>The chart needs JavaScript; the tables have its figures.</p></noscript>",
        embedded(chart_of(found), "accuracy"),
        f"<p>Each point is the mean over {found.window:,} rows. Where lines are equal, the first of the legend lies on "
        "top; a click on a name hides its line.</p>",
    ]
    for heading, name in _TABLES:
        if name != "differences" or found.differences.height:
            parts += [f"<h2>{heading}</h2>", table_of(found, name)]
    return "\n".join(parts) + "</body></html>\n"


def chart_of(found: Findings) -> go.Figure:
    """A line for each of the summary, the first on top, and what was noticed and done along the foot."""
    figure = go.Figure()
    names = found.summary["who"].to_list()
    for number, who in enumerate(names):
        line = found.accuracy.filter(pl.col("who") == who)
        figure.add_scatter(
            x=line["row"].to_list(),
            y=line["value"].to_list(),
            name=who,
            mode="lines",
            zorder=len(names) - number,
            line={
                "color": _COLOURS[number % len(_COLOURS)],
                "dash": _DASHES[number % len(_DASHES)],
                "width": 3 if number == 0 else 2,
            },
        )
    _marks(figure, found, "alerts", pl.col("state") == "firing", "kind", _ALERT, 0.0)
    _marks(figure, found, "actions", pl.col("action") != "notify", "action", _ACTION, 0.04)
    share = found.metric == "accuracy"
    figure.update_layout(
        template="plotly_white",
        hovermode="x unified",
        xaxis={"title": "row of the history", "tickformat": ",d"},
        yaxis={"title": measure_of(found), "tickformat": ".0%" if share else None},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 1, "xanchor": "right"},
        margin={"l": 60, "r": 20, "t": 30, "b": 50},
        height=600,
    )
    return figure


def _marks(
    figure: go.Figure, found: Findings, frame: str, kept: pl.Expr, text: str, colour: str, height: float
) -> None:
    """What happened, as marks along the foot of the chart; pointing at one tells what it is."""
    lines = getattr(found, frame).filter(kept)
    figure.add_scatter(
        x=lines["row"].to_list(),
        y=[height] * lines.height,
        yaxis="y2",
        mode="markers",
        name=frame,
        marker={"color": colour, "size": 9, "symbol": "triangle-up" if frame == "alerts" else "diamond"},
        text=[f"{policy}: {what}" for policy, what in zip(lines["policy"], lines[text], strict=True)],
        hovertemplate="%{text}, row %{x}<extra></extra>",
    )
    figure.update_layout(yaxis2={"overlaying": "y", "visible": False, "range": [-0.02, 1]})
