"""What is wrong with a specification or a row, in a form that every interface can show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from shared.errors import Misconfigured

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault. `field` is a dotted path (``features.gap``), `reason` a kebab-case code, `detail` a sentence.

    >>> str(Problem("target", "unknown-field", "there is no field `pirce`"))
    'target: there is no field `pirce`'
    """

    field: str
    reason: str
    detail: str
    path: Path = ()

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail


class SpecificationError(Misconfigured):
    """A specification that a person must mend; `problems` has every fault that was found."""

    def __init__(self, message: str, problems: Iterable[Problem]) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


def at(path: Path, reason: str, detail: str) -> Problem:
    return Problem(dotted(path), reason, detail, path)


def dotted(path: Path) -> str:
    """
    >>> dotted(("policies", 0, "ladder", 1, "action"))
    'policies[0].ladder[1].action'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint to add to a sentence, or nothing.

    >>> did_you_mean("nsprice", ["nswprice", "period"])
    '; did you mean `nswprice`?'
    """
    close = nearest(name, known)
    return f"; did you mean `{close}`?" if close is not None else ""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.6)), None)
