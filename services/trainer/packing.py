"""A fitted model written down as predictors load it: compiled where it can be, and proven to answer alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from services.trainer.core.compiling.errors import NotCompilableError
from services.trainer.core.compiling.proof import proof_of
from services.trainer.core.fitting import Row, libraries_of
from shared.messages import Artifact
from shared.models.artifact import keep, package
from shared.models.compiled_format import dump, parse
from shared.models.program import Program
from shared.models.river_model import RiverModel
from shared.models.sklearn_model import SklearnModel
from shared.models.store import ArtifactStore


@dataclass(frozen=True, slots=True)
class Kept:
    """What was stored: the artefact, the versions of the libraries that made it, and its form for the card.

    `form` is {format, rows, largest_difference} of a compiled artefact, {format, because} of another.
    """

    artifact: Artifact
    libraries: dict[str, str]
    form: dict[str, Any]


def kept(model: Any, rows: Sequence[Row], store: ArtifactStore, signing_key: bytes) -> Kept:
    """The model packed, stored and signed, compiled if it answers `rows` as the estimator does.

    `rows` are those it was fitted on. Without a compiled form that is proven it is stored as its
    library has it; without rows nothing is proven.
    """
    program, told = _compiled(model, rows)
    learner, library = (model.learner, "river") if isinstance(model, RiverModel) else (model.estimator, "sklearn")
    data, form = package(learner, model.metadata, program)
    return Kept(keep(data, form, store, signing_key), libraries_of(library), {"format": form, **told})


def _compiled(model: SklearnModel | RiverModel, rows: Sequence[Row]) -> tuple[bytes | None, dict[str, Any]]:
    """The program's bytes and how they did, or None and why there are none."""
    try:
        program = dump(_program_of(model))
        proof = proof_of(parse(program, model.metadata), model, rows)
    except NotCompilableError as reason:
        return None, {"because": str(reason)}
    except Exception as error:  # noqa: BLE001 - an estimator may hold anything: it is then published as it is
        return None, {"because": f"compiling it failed: {type(error).__name__}: {str(error)[:200]}"}
    if proof.against:
        return None, {"because": proof.against}
    return program, {"rows": proof.rows, "largest_difference": proof.largest}


def _program_of(model: SklearnModel | RiverModel) -> Program:
    """Each library is imported with its first model."""
    if isinstance(model, RiverModel):
        from services.trainer.core.compiling.river import river_program_of

        return river_program_of(model.learner, model.metadata)
    from services.trainer.core.compiling.compile import program_of

    return program_of(model.estimator, model.metadata)
