"""Backtest: a person's history through the entire loop, in virtual time, beside other learners."""

from homeostat.backtesting.errors import HistoryError, Treatment
from homeostat.backtesting.result import Backtest
from homeostat.backtesting.run import backtest, runs_of

__all__ = ["Backtest", "HistoryError", "Treatment", "backtest", "runs_of"]
