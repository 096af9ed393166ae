"""What the person at the terminal sees: a story line by line, and below it where things stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from homeostat.demo.outcome import LEAST, SLACK, STRETCH, Healing, Moment, Outcome
from homeostat.demo.story import Fault, Story
from homeostat.demo.watcher import Seen
from homeostat.tables import Rows
from services.remediator.core.ending import WORDS, Ending, ending_in
from services.remediator.core.limits import SYSTEM
from services.remediator.core.wording import subject
from shared.messages import Alert, AuditEntry

TOLD = {
    "triaged": ("diagnosis", "yellow"),
    "command_issued": ("action", "cyan"),
    "verified": ("verified", "green"),
    "not_verified": ("no help", "red"),
    "unknown": ("not known", "yellow"),
    "undone": ("undone", "magenta"),
    "escalated": ("escalated", "red"),
    "incident_resolved": ("resolved", "bold green"),
    "incident_expired": ("expired", "red"),
}
ENDINGS: dict[Ending, tuple[str, str]] = {
    "healed": ("healed", "bold green"),
    "passed": ("passed", "green"),
    "unrestored": ("over", "yellow"),
    "done": ("done", "green"),
}
ROUTINE = ("verified", "not_verified", "unknown")
"""What is not told of upkeep: its end says the same once more, and whatever comes of it."""

SHORT = {"fault": "fault", "row": "from row"}
ACTED = SHORT | {"alert": "alert after", "action": "action", "acted": "acted after", "verified": "verified after"}
LEVELS = {"before": "before", "during": "during (static)", "after": "after (static)"}
ENDED = {"outcome": "outcome"}
WIDE = 122
NOTE = (
    "alert, acted, verified after: seconds, and rows of the stream, from where the fault begins (of a drift, seconds "
    f"from its alert). before, during, after: share of right answers over the {STRETCH:,} rows before the fault, until "
    f"it was verified or over, and the {STRETCH:,} rows after that (-: fewer than {LEAST} were left); in brackets, "
    "static: that of a model never retrained, on the same rows. healed: verified, and in the rows after back at the "
    f"level before, or no worse than static within {100 * SLACK:.0f} points (the market drifts on); rows that a "
    "version answered which went live for another incident meanwhile are not held against it. passed by itself: the "
    "alert ended, but no action was seen to end it."
)

COLOURS: dict[Outcome, str] = {"healed": "green", "passed": "green", "undecided": "yellow", "failed": "red"}

BLOCKS = "▁▂▃▄▅▆▇█"


def plan_of(story: Story, speed: float) -> list[str]:
    """What the demo is about to do, in lines for the person who started it."""
    streamed = story.rows - story.warm_up
    faults = [f"at row {fault.begins:,}{_until(fault)} {fault.about}" for fault in story.faults]
    return [
        f"what comes: {story.rows:,} half hours of the electricity market of New South Wales; will the price rise?",
        f"  the first {story.warm_up:,} at once, with their labels, for a first model; then {streamed:,} rows, "
        f"{speed:,.0f} a second: about {streamed / speed:,.0f} s. A label comes {story.label_lag} rows after its row",
        f"what goes wrong: the market drifts by itself; {'; '.join(faults)}",
        "ctrl-C ends it at any time",
    ]


def _until(fault: Fault) -> str:
    return f" to {fault.ends:,}" if fault.ends > fault.begins else ""


def line_of(seen: Seen) -> Text | None:
    """The event as a line of the story; None for what a person need not read."""
    message = seen.message
    if isinstance(message, Alert):
        if message.severity == "info":
            return None
        word, style = ("alert", "bold red") if message.state == "firing" else ("cleared", "green")
        return _line(seen.row, word, style, _whose(message) + message.summary)
    if isinstance(message, AuditEntry):
        if message.kind not in TOLD or (message.body.get("diagnosis") == "upkeep" and message.kind in ROUTINE):
            return None
        ending = ending_in(message)
        word, style = TOLD[message.kind] if ending is None else ENDINGS[ending]
        return _line(seen.row, word, style, _whose(message) + _without_label(message.summary, ending))
    why = f" ({message.reason})" if message.reason else ""
    return _line(seen.row, "model", "blue", f"version {message.version} is {message.stage}{why}")


def _whose(message: Alert | AuditEntry) -> str:
    """Says what is not about the pipeline that the story tells of."""
    itself = subject(SYSTEM)
    return "" if message.pipeline != SYSTEM or itself in message.summary else f"{itself}: "


def _without_label(summary: str, ending: Ending | None) -> str:
    """The summary without the words that the line begins with anyway."""
    if ending == "unrestored":
        return summary
    return summary.removeprefix(f"{WORDS[ending] if ending is not None else 'escalated'}: ")


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


def table_of(healings: Sequence[Healing], width: int) -> RenderableType:
    """The closing table: one line per fault; two tables where `width` is too little for one.

    Seconds and rows count from the fault's begin.
    """
    rows = [told(line) for line in healings]
    tables = (ACTED | LEVELS | ENDED,) if width >= WIDE else (ACTED, SHORT | LEVELS | ENDED)
    parts: list[RenderableType] = [Text("What was wrong, and what became of it", style="italic")]
    for columns in tables:
        parts += [Text(), Rows(rows, columns)]
    return Group(*parts, Text(), Text(NOTE, style="dim italic"))


def told(line: Healing) -> dict[str, Any]:
    """The line's cells by the keys of `ACTED`, `LEVELS` and `ENDED`."""
    remedy = line.remedy
    return {
        "fault": line.fault,
        "row": f"{line.begins.row:,}",
        "alert": _since(line, remedy.noticed if remedy else None),
        "action": remedy.action if remedy else "-",
        "acted": _since(line, remedy.acted if remedy else None),
        "verified": _since(line, remedy.verified if remedy else None),
        "before": _percent(line.before),
        "during": _beside(line.during, line.static_during),
        "after": _beside(line.after, line.static_after),
        "outcome": Text(line.why, style=COLOURS[line.outcome]),
    }


def _since(line: Healing, at: Moment | None) -> str:
    if at is None:
        return "-"
    return f"{max(0.0, at.second - line.begins.second):.0f} s, {max(0, at.row - line.begins.row):,}"


def _beside(ours: float | None, static: float | None) -> str:
    return _percent(ours) if static is None else f"{_percent(ours)} ({_percent(static)})"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
