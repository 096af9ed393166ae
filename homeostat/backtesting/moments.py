"""Running means and variances of numbers: what each row is standardised by, many rows at once.

Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983: sums are of distances from the
mean so far, so that a large mean takes no digits from a small variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Moments:
    """Of `rows` rows: each number's mean, and the sum of its squared distances from it."""

    rows: int
    mean: Floats
    squares: Floats

    @classmethod
    def none(cls, numbers: int) -> Moments:
        """Of no rows yet."""
        return cls(0, np.zeros(numbers), np.zeros(numbers))

    def along(self, numbers: Floats) -> tuple[Floats, Floats]:
        """Means and reciprocal deviations, (rows + 1, numbers): before each row, and after the last, which is kept.

        The reciprocal of a number that has not varied is 0: standardised, it is 0 whatever it is.

        >>> means, reciprocals = Moments.none(1).along(np.array([[1.0], [3.0]]))
        >>> means.ravel().tolist(), reciprocals.ravel().tolist()
        ([1.0, 1.0, 2.0], [0.0, 0.0, 1.0])
        """
        if not self.rows and len(numbers):
            self.mean = numbers[0]
        counts = np.maximum(np.arange(self.rows, self.rows + len(numbers) + 1), 1)[:, np.newaxis]
        away = numbers - self.mean
        moved = np.zeros((len(numbers) + 1, numbers.shape[1]))
        np.cumsum(away, axis=0, out=moved[1:])
        moved /= counts
        squares = np.empty_like(moved)
        squares[0] = self.squares
        np.multiply(away - moved[:-1], away - moved[1:], out=squares[1:])
        np.cumsum(squares, axis=0, out=squares)
        reciprocals = np.sqrt(np.divide(counts, squares, out=np.zeros_like(squares), where=squares > 0))
        means = self.mean + moved
        self.rows, self.mean, self.squares = self.rows + len(numbers), means[-1].copy(), squares[-1].copy()
        return means, reciprocals
