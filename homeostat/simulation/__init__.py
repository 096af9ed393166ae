"""The whole system in one process, in virtual time: all services over the log in memory.

`Simulation` runs one pipeline's loop and is what the backtest, the seeded fault runs and `tests/flows/`
are made of. The same calls give the same bytes on every topic.
"""

from homeostat.simulation.simulation import Simulation

__all__ = ["Simulation"]
