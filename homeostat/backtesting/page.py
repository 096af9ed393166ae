"""A backtest as one HTML page: charts by plotly, whose code is in the page, and tables."""

from __future__ import annotations

from html import escape

import plotly.graph_objects as go
import polars as pl

from homeostat.backtesting.result import Backtest

_COLOURS = ("#0b7285", "#e8590c", "#adb5bd", "#868e96", "#5f3dc4", "#2b8a3e", "#c2255c", "#1971c2")
_ALERT, _ACTION = "#c92a2a", "#0b7285"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;padding:0 1rem;color:#212529}"
    "table{border-collapse:collapse;font-size:13px;margin:1rem 0}td,th{padding:.25rem .6rem;text-align:left;"
    "border-bottom:1px solid #dee2e6;vertical-align:top}h2{margin-top:2rem}"
)
_TABLES = (
    ("What was decided", "decisions"),
    ("What was done", "actions"),
    ("Versions", "versions"),
    ("Alerts", "alerts"),
)


def page_of(found: Backtest) -> str:
    """The whole page. It names nothing outside itself, and nothing in it depends on when it was made."""
    chart = _chart(found).to_html(full_html=False, include_plotlyjs=True, div_id="accuracy")
    title = f"Backtest of {escape(found.pipeline)}"
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        f"<p>{found.rows:,} rows; {found.metric} from row {found.compared_from:,} on, the first that a model answers.",
        "".join(f"<p><b>{escape(t.what)}</b>: {t.rows:,} rows: {escape(t.detail)}</p>" for t in found.treatments),
        "".join(f"<p><b>hint</b>: {escape(hint)}</p>" for hint in found.hints),
        _table(found.summary),
        "<noscript><p>The chart needs JavaScript; the tables have its figures.</p></noscript>",
        chart,
    ]
    if found.differences.height:
        parts += ["<h2>What the policies did differently</h2>", _table(found.differences)]
    for heading, name in _TABLES:
        parts += [f"<h2>{heading}</h2>", _table(getattr(found, name))]
    return "\n".join(parts) + "</body></html>\n"


def _chart(found: Backtest) -> go.Figure:
    figure = go.Figure()
    for number, who in enumerate(found.summary["who"].to_list()):
        line = found.accuracy.filter(pl.col("who") == who)
        figure.add_scatter(
            x=line["row"].to_list(),
            y=line["value"].to_list(),
            name=who,
            line={"color": _COLOURS[number % len(_COLOURS)], "width": 2.5 if number == 0 else 1.5},
        )
    _marks(figure, found, "alerts", pl.col("state") == "firing", "kind", _ALERT, 0.0)
    _marks(figure, found, "actions", pl.col("action") != "notify", "action", _ACTION, 0.04)
    share = found.metric == "accuracy"
    figure.update_layout(
        title=f"{found.metric} over the history (each point: {found.window} rows)",
        template="plotly_white",
        xaxis_title="row",
        yaxis={"title": found.metric, "tickformat": ".0%" if share else None},
        legend={"orientation": "h", "y": -0.15},
        height=560,
    )
    return figure


def _marks(
    figure: go.Figure, found: Backtest, frame: str, kept: pl.Expr, text: str, colour: str, height: float
) -> None:
    """What happened, as marks along the foot of the chart; pointing at one tells what it is."""
    lines = getattr(found, frame).filter(kept)
    figure.add_scatter(
        x=lines["row"].to_list(),
        y=[height] * lines.height,
        yaxis="y2",
        mode="markers",
        name=frame,
        marker={"color": colour, "size": 9, "symbol": "triangle-up"},
        text=[f"{policy}: {what}" for policy, what in zip(lines["policy"], lines[text], strict=True)],
        hovertemplate="%{text}, row %{x}<extra></extra>",
    )
    figure.update_layout(yaxis2={"overlaying": "y", "visible": False, "range": [-0.02, 1]})


def _table(frame: pl.DataFrame) -> str:
    if not frame.height:
        return "<p>Nothing.</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in frame.columns)
    body = "".join("<tr>" + "".join(f"<td>{_cell(each)}</td>" for each in row) + "</tr>" for row in frame.iter_rows())
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))
