"""The result of a backtest: what it found, and a page of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from homeostat.backtesting.findings import Findings


@dataclass(frozen=True, slots=True)
class Backtest(Findings):
    """What `Findings` tells, as data frames and JSON, and a page with charts."""

    def write_html(self, path: Path | str) -> Path:
        """Writes the page with charts and tables; it needs no network. The same arguments give the same bytes."""
        from homeostat.backtesting.page import page_of  # plotly loads slowly, and most runs want no page

        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page_of(self), encoding="utf-8")
        return file
