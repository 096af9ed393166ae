"""What the person at the terminal sees: a story line by line, and below it where things stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from homeostat.demo.outcome import Healing, Moment
from homeostat.demo.watcher import Seen
from shared.messages import Alert, AuditEntry

TOLD = {
    "triaged": ("diagnosis", "yellow"),
    "command_issued": ("action", "cyan"),
    "verified": ("verified", "green"),
    "not_verified": ("no help", "red"),
    "undone": ("undone", "magenta"),
    "escalated": ("escalated", "red"),
    "incident_resolved": ("resolved", "bold green"),
    "incident_expired": ("expired", "red"),
}
ROUTINE = ("not_verified", "incident_resolved")
"""What is not told of upkeep: that a training without trouble found nothing better."""

BLOCKS = "▁▂▃▄▅▆▇█"


def line_of(seen: Seen) -> Text | None:
    """The event as a line of the story; None for what a person need not read."""
    message = seen.message
    if isinstance(message, Alert):
        if message.severity == "info":
            return None
        word, style = ("alert", "bold red") if message.state == "firing" else ("cleared", "green")
        return _line(seen.row, word, style, message.summary)
    if isinstance(message, AuditEntry):
        if message.kind not in TOLD or (message.body.get("diagnosis") == "upkeep" and message.kind in ROUTINE):
            return None
        word, style = TOLD[message.kind]
        return _line(seen.row, word, style, message.summary)
    why = f" ({message.reason})" if message.reason else ""
    return _line(seen.row, "model", "blue", f"version {message.version} is {message.stage}{why}")


def told_line(row: int, word: str, text: str) -> Text:
    """A line of the story that the demo itself tells, as what it breaks."""
    return _line(row, word, "bold magenta", text)


def _line(row: int, word: str, style: str, text: str) -> Text:
    return Text.assemble((f"row {max(row, 0):>6,}  ", "dim"), (f"{word:<10}", style), text)


def panel_of(row: int, rows: int, speed: float, version: str, shares: Sequence[float]) -> RenderableType:
    """Where things stand: how far, which version answers, accuracy of the last 500 rows and its course."""
    head = Text(f"row {row:,} of {rows:,}   {speed:,.0f} rows/s   live version {version or 'none yet'}   ")
    level = f"accuracy {shares[-1]:.1%}" if shares else "accuracy: no answers yet"
    return Panel(
        Group(head, Text(f"{level}  {sparkline(shares[-70:])}", style="cyan")), title="electricity", title_align="left"
    )


def sparkline(values: Sequence[float], low: float = 0.4, high: float = 1.0) -> str:
    """Values in [low, high] as blocks.

    >>> sparkline([0.4, 0.7, 1.0])
    '▁▄█'
    """
    top = len(BLOCKS) - 1
    return "".join(BLOCKS[round(min(1.0, max(0.0, (v - low) / (high - low))) * top)] for v in values)


def standing_of(status: Mapping[str, Any]) -> str:
    """What the stack holds and owes by `/v1/status`: memory by part in MB, and the records that wait.

    >>> standing_of({"services": [{"service": "kafka", "rss_mb": 410.2, "lag": 0}]})
    '410 MB (kafka 410), 0 records behind'
    """
    parts = status["services"]
    each = ", ".join(f"{part['service']} {part['rss_mb']:.0f}" for part in parts)
    total = sum(part["rss_mb"] for part in parts)
    return f"{total:,.0f} MB ({each}), {sum(part['lag'] for part in parts):,} records behind"


def table_of(healings: Sequence[Healing]) -> Table:
    """The closing table: one line per fault. Seconds and rows count from the fault's begin."""
    table = Table(title="What was wrong, and what became of it", title_justify="left", box=SIMPLE, pad_edge=False)
    left = ("fault", "action", "outcome")
    for heading in (
        "fault",
        "row",
        "alert",
        "action",
        "acted",
        "verified",
        "before",
        "during",
        "after",
        "static",
        "outcome",
    ):
        table.add_column(heading, justify="left" if heading in left else "right", no_wrap=heading != "outcome")
    for line in healings:
        remedy = line.remedy
        table.add_row(
            line.fault,
            f"{line.begins.row:,}",
            _since(line, remedy.noticed if remedy else None),
            remedy.action if remedy else "-",
            _since(line, remedy.acted if remedy else None),
            _since(line, remedy.verified if remedy else None),
            *(_percent(value) for value in (line.before, line.during, line.after, line.never_retrained)),
            Text("healed", style="green") if line.healed else Text(line.why, style="red"),
        )
    table.caption = "static: a model never retrained, from the fault's begin on. For drift, time counts from the alert."
    table.caption_justify = "left"
    return table


def _since(line: Healing, at: Moment | None) -> str:
    if at is None:
        return "-"
    return f"{max(0.0, at.second - line.begins.second):.0f} s, {max(0, at.row - line.begins.row):,}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
