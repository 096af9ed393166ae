"""What a person runs: the command line, the local stack, the demo, the simulation; and `homeostat.backtest`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from homeostat.backtesting import Backtest, HistoryError, backtest

__all__ = ["Backtest", "HistoryError", "backtest"]


def __getattr__(name: str) -> Any:
    """The Python interface, loaded when it is first asked for: the command line must start at once."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import homeostat.backtesting

    return getattr(homeostat.backtesting, name)
