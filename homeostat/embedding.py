"""A chart by plotly as a piece of a page that needs no network: plotly's own code is in it, compressed."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from functools import cache
from html import escape
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

CONFIG = {"responsive": True, "displaylogo": False}

_SHOW = """(async () => {
  const chart = document.getElementById(CHART);
  try {
    const bytes = Uint8Array.from(atob(document.getElementById("plotly").textContent), (c) => c.charCodeAt(0));
    const code = new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
    const script = document.createElement("script");
    script.textContent = await code.text();
    document.head.append(script);
    const { data, layout } = JSON.parse(document.getElementById(CHART + "-figure").textContent);
    await Plotly.newPlot(chart, data, layout, CONFIG);
  } catch (error) {
    chart.textContent = `This browser cannot show the chart (${error}); the tables have its figures.`;
  }
})();"""


def embedded(figure: go.Figure, name: str, config: Mapping[str, Any] = CONFIG) -> str:
    """The chart as HTML, 2 MB instead of 5; `name` is its element's id. One to a page.

    What is in it depends on the figure and on plotly's version alone. It needs a browser of 2023 or newer
    (`DecompressionStream`), and says so in an older one.
    """
    shown = _SHOW.replace("CHART", _script(name)).replace("CONFIG", _script(dict(config)))
    return (
        f'<div id="{escape(name)}" style="min-height:450px"></div>\n'
        f'<script type="application/json" id="{escape(name)}-figure">{_escaped(figure.to_json())}</script>\n'
        f'<script type="text/plain" id="plotly">{_code()}</script>\n'
        f"<script>{shown}</script>"
    )


@cache
def _code() -> str:
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode()


def _script(value: object) -> str:
    return _escaped(json.dumps(value))


def _escaped(text: str) -> str:
    """JSON that ends no script element."""
    return text.replace("<", "\\u003c")
