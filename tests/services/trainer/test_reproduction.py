"""A version made again from its lineage, on real rows in a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import polars as pl
import pytest

from services.trainer.core.orders import Judged, Order, plain, typed
from services.trainer.dataset import Source
from services.trainer.jobs import train
from services.trainer.reproduction import NotReproducible, reproduction_of
from shared.messages import ModelPublished
from shared.models.store import FileStore
from shared.pipeline.specification import Specification

KEY = b"a key for tests"
Specified = Callable[..., Specification]


def published(world: Any, specification: Specification) -> ModelPublished:
    order = Order(
        pipeline=specification.name,
        specification=specification.canonical,
        specification_version=1,
        code_revision="abc",
    )
    candidate = typed(train(plain(order), world.context), Judged).candidate
    assert candidate is not None
    return ModelPublished(
        pipeline=specification.name,
        version="1",
        stage="champion",
        kind=specification.kind,
        artifact=candidate.artifact,
        features=candidate.features,
        definition=candidate.definition,
        lineage=candidate.lineage,
        classes=candidate.classes,
    )


def source_of(world: Any, specification: Specification) -> Source:
    return Source(world.context.reader(), world.folder, specification)


def test_a_version_made_again_answers_every_row_alike(world: Any, stream: pl.DataFrame, specified: Specified) -> None:
    specification = specified(models={"candidates": ["hist-gradient-boosting"], "train_rows": 700})
    world.write(specification, stream.head(1_000))
    version = published(world, specification)

    found = reproduction_of(version, source_of(world, specification), FileStore(world.folder / "artifacts"), KEY)

    assert found.same
    assert (found.rows, found.differing, found.libraries) == (700, 0, {})


def test_a_version_whose_lineage_is_not_its_own_is_told_by_its_answers(
    world: Any, stream: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(models={"train_rows": 700})
    world.write(specification, stream.head(1_000))
    version = published(world, specification)
    other = msgspec.structs.replace(version.lineage, parameters={"c": 1e-3}, libraries={"numpy": "0.1"})
    forged = msgspec.structs.replace(version, lineage=other)

    found = reproduction_of(forged, source_of(world, specification), FileStore(world.folder / "artifacts"), KEY)

    assert found.same_data
    assert not found.same
    assert found.differing > 0
    assert found.libraries["numpy"][0] == "0.1"


def test_a_version_from_outside_or_of_another_specification_is_refused(
    world: Any, stream: pl.DataFrame, specified: Specified
) -> None:
    specification = specified(models={"train_rows": 700})
    world.write(specification, stream.head(1_000))
    version = published(world, specification)
    outside = msgspec.structs.replace(version, lineage=msgspec.structs.replace(version.lineage, estimator=""))
    store = FileStore(world.folder / "artifacts")

    with pytest.raises(NotReproducible, match="from outside"):
        reproduction_of(outside, source_of(world, specification), store, KEY)
    with pytest.raises(NotReproducible, match="another specification"):
        reproduction_of(version, source_of(world, specified(about="changed")), store, KEY)
