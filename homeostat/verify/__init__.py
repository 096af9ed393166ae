"""`homeostat verify`: the system's promises, checked from its topics by a program that shares no code with it.

A Kafka client of its own, JSON as it stands in the log, and the topics' documented fields (docs/topics.md):
a promise is not checked by the code that makes it. Works on a system at rest and on one that runs.
"""

from homeostat.verify.promises import PROMISES, Outcome, outcomes_of
from homeostat.verify.reading import books_of

__all__ = ["PROMISES", "Outcome", "books_of", "outcomes_of"]
