"""A fitted estimator as a `Program`: its preprocessing folded in, its library left behind.

`compile` takes an estimator apart, `columns` its preprocessing; `linear`, `trees` and `densities` are
the learners; `river` does all of it for river's linear learners. `proof` holds the result against the
estimator, row by row.
"""
