"""Why an estimator has no compiled form."""

from __future__ import annotations


class NotCompilableError(Exception):
    """The estimator holds something that no `Program` says; the message names it."""
