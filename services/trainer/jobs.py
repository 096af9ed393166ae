"""The trainer's slow work, run in a worker process: train, judge, recalibrate, register.

Each takes a JSON object (`core.orders`) and gives one. Learning libraries are imported inside.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from services.trainer.core.orders import Judged, Order, Registration, plain, typed
from shared.pipeline.specification import Specification

if TYPE_CHECKING:
    from services.trainer.making import Maker
    from shared.runtime.jobs import JobContext

Arguments = dict[str, Any]


def train(arguments: Arguments, context: JobContext) -> dict[str, Any]:
    """Searches, judges against the champion on the newest labelled rows, and fits the winner on all rows."""
    return _made(arguments, context, lambda maker: maker.trained())


def judge(arguments: Arguments, context: JobContext) -> dict[str, Any]:
    """Loads a model that was brought from outside and holds it against the champion."""
    return _made(arguments, context, lambda maker: maker.judged())


def recalibrate(arguments: Arguments, context: JobContext) -> dict[str, Any]:
    """Fits the champion's probabilities to the newest labelled rows."""
    return _made(arguments, context, lambda maker: maker.recalibrated())


def register(arguments: Arguments, context: JobContext) -> dict[str, Any]:
    """Writes one version and the aliases to MLflow; doing it twice leaves one version."""
    from services.trainer.registry import registered
    from shared.models.store import FileStore

    data_dir = context.settings.data_dir
    store = FileStore(data_dir / "artifacts")
    return registered(typed(arguments, Registration), context.settings.mlflow_tracking_uri or "", store, data_dir)


JOBS = {"train": train, "judge": judge, "recalibrate": recalibrate, "register": register}


def _made(arguments: Arguments, context: JobContext, make: Callable[[Maker], Judged]) -> dict[str, Any]:
    started = context.clock()
    order = typed(arguments, Order)
    specification = Specification.model_validate(order.specification)
    with _one_thread(), closing(context.reader()) as reader:
        from services.trainer.making import Maker

        judged = make(Maker.of(order, specification, reader, context.settings, context.clock))
    return {**plain(judged), "cost_seconds": context.clock() - started}


def warm() -> None:
    """Imports what trainings and judgements need, once for all of them.

    Not polars and onnxruntime: these start threads as they are imported, and what has threads is not to be forked.
    They take a tenth of a second.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import onnx  # noqa: F401
    import optuna  # noqa: F401
    import river.compose
    import river.tree  # noqa: F401
    import skops.io  # noqa: F401
    from sklearn import compose, ensemble, impute, linear_model, pipeline, preprocessing  # noqa: F401

    from services.trainer import packing  # noqa: F401
    from services.trainer.core import judging, search, training  # noqa: F401


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread for every numeric library: workers share the machine with the services that answer."""
    warm()
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(limits=1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # learners warn of hopeless parameters; the figures say so too
        yield
