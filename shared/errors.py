"""Errors, named after the reaction they ask for.

    HomeostatError
    ├── Poison          this record can never be processed: dead letter, go on
    ├── Transient       the same call may work later: retry with back-off
    ├── Overloaded      more than can be taken now: slow the sender down
    └── Misconfigured   nothing works until a person changes a setting: refuse to start

Each message says what happened, where, and what to do next.
"""

from __future__ import annotations


class HomeostatError(Exception):
    """Base of every error that Homeostat raises on purpose."""


class Poison(HomeostatError):
    """A record that no retry will mend. It goes to `dead-letters` with its reason.

    `reason` is a short kebab-case code (``schema``, ``too-large``, ``not-json``), `field` the
    offending field where there is one.
    """

    def __init__(self, detail: str, *, reason: str = "invalid", field: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reason = reason
        self.field = field


class Transient(HomeostatError):
    """A dependency failed in a way that may pass: retry with back-off."""


class Overloaded(HomeostatError):
    """Taking this would lose something already accepted: the sender must slow down.

    `retry_after_seconds` says when to try again.
    """

    def __init__(self, detail: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class Misconfigured(HomeostatError):
    """A setting or a file that a person must mend. The process refuses to start."""
