"""What must hold after every run, whatever went wrong in it: each promise once, by name.

They are read from the topics, the commits and the model store alone, and share no code with the
services: a promise is not checked by the code that makes it.
"""

from homeostat.simulation.invariants.table import INVARIANTS, Invariant, Violation, violations_in

__all__ = ["INVARIANTS", "Invariant", "Violation", "violations_in"]
