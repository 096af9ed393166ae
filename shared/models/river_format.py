"""Format ``signed-river``: river learners, which have no format that runs no code.

River's learners hold Rust objects and graphs with cycles that skops cannot write, so they are
pickled, with two guards. `shared.models.artifact.load` checks hash and signature before a byte gets
here, so only the trainer's own bytes are parsed. And the unpickler builds river's classes and plain
containers only: a name outside the literal lists below, or a class that river merely imports, is
refused. This is the one module of the project that may import pickle.
"""

from __future__ import annotations

import io
import pickle  # noqa: TID251 - see above: signed bytes, listed classes, no other format exists
import random
from typing import Any, Final

from shared.errors import Poison
from shared.models.metadata import ModelMetadata
from shared.models.river_model import RiverModel

NAME = "signed-river"
MEMBER = "learner.bin"

RIVER: Final = frozenset(
    {
        "_river_rust",
        "anomaly",
        "compose",
        "drift",
        "ensemble",
        "feature_selection",
        "forest",
        "imblearn",
        "linear_model",
        "metrics",
        "multiclass",
        "naive_bayes",
        "neighbors",
        "optim",
        "preprocessing",
        "proba",
        "rules",
        "stats",
        "tree",
        "utils",
    }
)
"""River's packages whose classes a learner may hold."""

PLAIN: Final = frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.frozenset",
        "builtins.int",
        "builtins.list",
        "builtins.set",
        "builtins.str",
        "builtins.tuple",
        "collections.Counter",
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.deque",
        "functools.partial",
        "random.Random",
        "statistics.NormalDist",
    }
)
"""Classes outside river that a learner may hold: they call nothing that is not listed itself."""

FUNCTIONS: Final = frozenset(
    {
        "river.naive_bayes.gaussian.GaussianNB._make_gaussian",
        "river.tree.splitter.ebst_splitter.EBSTNode._update_estimator_multivariate",
        "river.tree.splitter.ebst_splitter.EBSTNode._update_estimator_univariate",
    }
)
"""River's functions that learners refer to."""


class _ListedClasses(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" in FUNCTIONS:
            return super().find_class(module, name)
        path = module.split(".")
        listed = f"{module}.{name}" in PLAIN or (path[0] == "river" and len(path) > 1 and path[1] in RIVER)
        if not listed or "." in name:
            raise _untrusted(module, name)
        found = super().find_class(module, name)
        if not isinstance(found, type) or found.__module__.split(".")[0] not in {path[0], "river", "_river_rust"}:
            raise _untrusted(module, name)
        return found


class _Settled(pickle._Pickler):
    """Leaves out what differs from process to process: a set's order, and what seeds a distribution nobody samples.

    The pickler in C asks nobody about sets; this one asks about every object.
    """

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)
        self._unseeded = random.Random(0)  # noqa: S311 - stands for chance that is never used

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (set, frozenset)):
            return type(obj), (sorted(obj, key=lambda item: (type(item).__name__, repr(item))),)
        if type(obj).__module__.startswith("river.proba.") and getattr(obj, "seed", 0) is None:
            make, arguments, state, *rest = obj.__reduce_ex__(5)
            return make, arguments, {**state, "_rng": self._unseeded}, *rest
        return NotImplemented


def dump(estimator: Any) -> bytes:
    """The learner as bytes that `parse` takes, once they are signed. The same learner gives the same bytes."""
    file = io.BytesIO()
    _Settled(file).dump(estimator)
    return file.getvalue()


def parse(data: bytes, metadata: ModelMetadata) -> RiverModel:
    """The model in bytes whose signature has been checked; `Poison` names a class that is not listed."""
    return RiverModel(_ListedClasses(io.BytesIO(data)).load(), metadata)  # type: ignore[no-untyped-call,unused-ignore]


def _untrusted(module: str, name: str) -> Poison:
    return Poison(f"the artefact holds {module}.{name}, which is not trusted", reason="untrusted-type")
