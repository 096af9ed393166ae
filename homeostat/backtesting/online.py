"""Linear learners that answer each row before they learn it, many rows at once.

Logistic and linear regression by stochastic gradient steps on standardised numbers: row by row what river's
`StandardScaler | LogisticRegression` and `StandardScaler | LinearRegression` answer with their defaults, to
rounding. What makes it quick are blocks of rows. Learning a row moves what is answered to a later one by its
error times the product of the two, so a block's errors are the solution of one triangular system (Benesty and
Duhamel, "A fast exact least mean square adaptive algorithm", 1992). With the logistic curve they are a fixed
point, of which each pass settles one row more at least, and commonly ten.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dtrtrs
from scipy.special import expit

from homeostat.backtesting.moments import Floats, Moments

Places = NDArray[np.int64]
Flags = NDArray[np.bool_]

STEP = 0.01
"""River's default, of a gradient that is the error for classes and twice the error for numbers."""

BLOCK, CHUNK = 64, 1024
"""Rows whose errors are sought together, and the most that are standardised together."""

_WEIGHTS = 1_000_000
"""Weights kept at once, one set a row: bounds the memory of many columns and classes."""

_SETTLED = 1e-20
"""The square of how far errors move in a pass when they are those sought."""

_EARLIER = np.tri(BLOCK, k=-1)


class Rows(NamedTuple):
    """Numbers without a gap, (rows, numbers), and texts as codes from 0, (rows, texts)."""

    numbers: Floats
    codes: Places

    def part(self, start: int, stop: int) -> Rows:
        """Rows from `start` until `stop`."""
        return Rows(self.numbers[start:stop], self.codes[start:stop])


class OnlineLinear:
    """A figure per row for numbers (`classes` 0) and for two classes, whose second is likelier above 0.

    Otherwise one for each class against the rest, from the first row of that class on; minus infinity before.
    `codes`: how many there are of each text. Numbers that grow beyond all bounds are answered as they are.
    """

    def __init__(self, numbers: int, codes: Sequence[int], classes: int = 0) -> None:
        self._figures = classes if classes > 2 else 1
        self._logistic = classes > 0
        self._step = STEP if classes else 2 * STEP
        self._moments = Moments.none(numbers)
        self._weights = np.zeros((numbers + 1, self._figures))
        self._tables = [np.zeros((count, self._figures)) for count in codes]
        self._met = np.full(self._figures, self._figures == 1)
        self._earlier = self._step * _EARLIER
        self._chunk = min(CHUNK, max(BLOCK, _WEIGHTS // self._weights.size))

    def answers(self, asked: Rows, before: Places, learnt: Rows, truth: Floats) -> Floats:
        """Figures for `asked`, (rows, figures), where row i is asked after the first `before[i]` of `learnt`.

        `before` never falls. All of `learnt` is known afterwards; its `truth` are numbers or positions of classes.
        """
        found = np.empty((len(asked.numbers), self._figures))
        edges = [*_edges(len(truth), self._chunk), len(truth)]
        places = [*np.searchsorted(before, edges[:-1]).tolist(), len(found)]
        with np.errstate(over="ignore", invalid="ignore"):
            for (start, stop), (first, last) in zip(pairwise(edges), pairwise(places), strict=True):
                if start == stop and first == last:
                    continue
                asks, since = asked.part(first, last), before[first:last] - start
                found[first:last] = self._taught(asks, since, learnt.part(start, stop), truth[start:stop])
        return found

    def _taught(self, asked: Rows, before: Places, learnt: Rows, truth: Floats) -> Floats:
        """As `answers`, all at once."""
        means, reciprocals = self._moments.along(learnt.numbers)
        asks = _standardised(asked.numbers, means[before], reciprocals[before])
        rows = _standardised(learnt.numbers, means[1:], reciprocals[1:])
        targets, met = self._targets(truth)
        weights, tables = self._weights[np.newaxis].copy(), [table.copy() for table in self._tables]
        moves = self._moves(rows, learnt.codes, targets, met[1:])
        along = np.concatenate((weights, rows[:, :, np.newaxis] * moves[:, np.newaxis]))
        np.cumsum(along, axis=0, out=along)
        found: Floats = np.einsum("rc,rcf->rf", asks, along[before])
        for table, own, codes in zip(tables, asked.codes.T, learnt.codes.T, strict=True):
            found += table[own] + _of_the_same(own, before, codes, moves)
        return found if self._figures == 1 else np.where(met[before], found, -np.inf)

    def _moves(self, rows: Floats, codes: Places, targets: Floats, met: Flags) -> Floats:
        """By how much of itself each row moves the weights, all of which are moved: its error, a step's part of it."""
        found, turned = np.empty_like(targets), np.ascontiguousarray(rows.T)
        for start, stop in pairwise(_edges(len(rows), BLOCK)):
            block, texts, own = rows[start:stop], codes[start:stop].T, slice(start, stop)
            pull = block @ turned[:, own]
            figures = block @ self._weights
            for table, text in zip(self._tables, texts, strict=True):
                pull += text[:, np.newaxis] == text
                figures += table[text]
            pull *= self._earlier[: stop - start, : stop - start]
            errors = self._errors(pull, figures, targets[own], None if self._figures == 1 else met[own])
            moves = np.multiply(errors, self._step, out=found[own])
            self._weights += turned[:, own] @ moves
            for table, text in zip(self._tables, texts, strict=True):
                np.add.at(table, text, moves)
        return found

    def _errors(self, pull: Floats, figures: Floats, targets: Floats, met: Flags | None) -> Floats:
        """What each row's truth is beyond its figure, where that is answered after the rows before it are learnt."""
        if not self._logistic:
            found: Floats = dtrtrs(pull.T, targets - figures, lower=0, trans=1, unitdiag=1)[0]
            return found
        errors = _beyond(targets, figures, met)
        for _ in range(0, len(pull), 2):
            nearly = _beyond(targets, figures + np.dot(pull, errors), met)
            errors = _beyond(targets, figures + np.dot(pull, nearly), met)
            apart = (errors - nearly).ravel()
            if apart @ apart < _SETTLED:
                break
        return errors

    def _targets(self, truth: Floats) -> tuple[Floats, Flags]:
        """The truth of each figure, and the classes met before each row and after the last."""
        if self._figures == 1:
            return truth[:, np.newaxis], np.ones((len(truth) + 1, 1), dtype=bool)
        own = truth[:, np.newaxis] == np.arange(self._figures)
        met = np.logical_or.accumulate(np.concatenate((self._met[np.newaxis], own)), axis=0)
        self._met = met[-1]
        return own.astype(np.float64), met


def _beyond(targets: Floats, figures: Floats, met: Flags | None) -> Floats:
    """What is wanted beyond the chance of each class; a class that was not met learns nothing."""
    found: Floats = targets - expit(figures)
    return found if met is None else found * met


def _of_the_same(asked: Places, before: Places, learnt: Places, moves: Floats) -> Floats:
    """For each code, asked after the first `before` rows are learnt: the sum of the moves of its own among them."""
    order = np.argsort(learnt, kind="stable")
    sums = np.zeros((len(moves) + 1, moves.shape[1]))
    np.cumsum(moves[order], axis=0, out=sums[1:])
    wide = len(learnt) + 1
    places = learnt[order] * wide + order
    found: Floats = sums[np.searchsorted(places, asked * wide + before)] - sums[np.searchsorted(places, asked * wide)]
    return found


def _edges(rows: int, step: int) -> list[int]:
    return [*range(0, rows, step), rows]


def _standardised(numbers: Floats, means: Floats, reciprocals: Floats) -> Floats:
    """Distances from the mean in deviations, and a last column of ones for the intercept."""
    found = np.ones((len(numbers), numbers.shape[1] + 1))
    np.multiply(numbers - means, reciprocals, out=found[:, :-1])
    return found
